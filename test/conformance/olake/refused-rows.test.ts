import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { dataOf, startProduct, type Product } from '../../support/product.ts';
import { startTestSource, type TestSource } from '../../support/source.ts';
import { until } from '../../support/waiting.ts';
import { readParquetTable } from './lake.ts';
import { send, signIn, untar } from './wire.ts';

let source: TestSource;
let product: Product;
let job: number;

before(async () => {
  source = await startTestSource();
  await source.run(`create table spoilt (id int primary key, note text, amount numeric(8,2));
    insert into spoilt values (1, 'good', 1), (2, 'spoilt', 'NaN'), (3, 'good, too', 3)`);
  product = await startProduct({ project: 'refused' });
  job = await createJob();
});

after(async () => {
  await product?.close();
  await source?.stop();
});

async function createJob(): Promise<number> {
  const { call, folder } = product;
  const from = { name: 'shop', type: 'postgres', version: 'v1', config: source.config };
  const { streams_config } = dataOf<{ streams_config: { streams: { stream: Record<string, unknown> }[] } }>(
    await call('POST', '/sources/streams', { ...from, job_name: 'spoilt' }),
  );
  const streams = streams_config.streams.map(({ stream }) => ({ stream: { ...stream, sync_mode: 'full_refresh' } }));
  const config = { type: 'PARQUET', writer: { local_path: join(folder, 'lake') } };
  const body = {
    name: 'spoilt',
    source: from,
    destination: { name: 'lake', type: 'parquet', version: 'v1', config },
    frequency: 'manual',
    streams_config: { ...streams_config, streams },
    advanced_settings: { error_policy: 'quarantine' },
  };
  return dataOf<{ id: number }>(await call('POST', '/jobs', body)).id;
}

/** Syncs and answers the number of the run, which has to be completed. */
async function sync(): Promise<string> {
  dataOf(await product.call('POST', `/jobs/${job}/sync`));
  return until('the end', async () => {
    const [task] = dataOf<{ id: string; status: string; error?: string }[]>(
      await product.call('GET', `/jobs/${job}/tasks`),
    );
    if (task!.status === 'Running') return undefined;
    assert.equal(task!.status, 'Completed', task!.error);
    return task!.id;
  });
}

async function download(run: string, headers = product.headers): Promise<Map<string, string>> {
  const path = `/api/v1/project/refused/jobs/${job}/logs/download?task_id=${run}`;
  const reply = await send(product.url, { method: 'GET', path, headers });
  assert.equal(reply.status, 200, reply.text);
  return untar(gunzipSync(reply.bytes));
}

test('rows that a run refused come with the download of its log, to be repaired and synced again', async () => {
  const run = await sync();
  const files = await download(run);
  assert.deepEqual([...files.keys()], ['logs/olake.log', 'logs/quarantine.ndjson', 'state.json', 'stats.json']);
  const lines = files.get('logs/quarantine.ndjson')!.trimEnd().split('\n');
  const [line] = lines.map((text) => JSON.parse(text) as Record<string, unknown>);
  assert.equal(lines.length, 1);
  assert.deepEqual(
    [line!['stream'], line!['column'], line!['key'], line!['values']],
    ['public.spoilt', 'amount', 'id=2', { id: '2', note: 'spoilt', amount: 'NaN' }],
  );
  assert.doesNotMatch(files.get('logs/olake.log')!, /"spoilt"|note/, 'the log shows no values');
  // Repaired as the line tells, and synced again.
  const values = line!['values'] as Record<string, string>;
  await source.run(`update spoilt set amount = 2 where id = ${Number(values['id'])}`);
  const again = await download(await sync());
  assert.ok(!again.has('logs/quarantine.ndjson'));
  assert.equal((await readParquetTable(join(product.folder, 'lake'), 'spoilt')).length, 3);
});

test('who may only look gets the log without the rows', async () => {
  await source.run(`update spoilt set amount = 'NaN' where id = 2`);
  const run = await sync();
  const viewer = { username: 'vera', password: 'looks around', email: 'vera@example.com', role: 'viewer' };
  const { url, headers } = product;
  await send(url, { method: 'POST', path: '/api/v1/users', headers, text: JSON.stringify(viewer) });
  const files = await download(run, await signIn(url, viewer));
  assert.deepEqual([...files.keys()], ['logs/olake.log', 'state.json', 'stats.json']);
  assert.ok((await download(run)).has('logs/quarantine.ndjson'));
});
