import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { dataOf, startProduct, type Product } from '../../support/product.ts';
import { startTestSource, type TestSource } from '../../support/source.ts';
import { readIcebergTable, readParquetTable } from './lake.ts';
import { send } from './wire.ts';

const WAIT_MS = 120_000;
let source: TestSource;
let product: Product;
let call: Product['call'];

before(async () => {
  source = await startTestSource();
  await source.run(`
    create table orders (id int primary key, amount numeric(20,4), note text, placed timestamptz);
    insert into orders select n, n / 7.0, 'order ' || n, '2026-01-01'::timestamptz + n * interval '1 minute'
      from generate_series(1, 5000) n;
    create table empty_one (id int primary key);`);
  product = await startProduct({ project: 'pipeline' });
  ({ call } = product);
});

after(async () => {
  await product?.close();
  await source?.stop();
});

interface Task {
  readonly id: string;
  readonly status: string;
  readonly records: number;
  readonly stats: Readonly<Record<string, unknown>> & { readonly Streams: Readonly<Record<string, unknown>> };
  readonly job_type: string;
  readonly error?: string;
}

/** Syncs, waits for the end and answers the newest run, which has to be completed. */
async function runToEnd(job: number, verb: 'sync' | 'clear-destination'): Promise<Task> {
  dataOf(await call('POST', `/jobs/${job}/${verb}`));
  for (const until = Date.now() + WAIT_MS; ;) {
    const [task] = dataOf<Task[]>(await call('GET', `/jobs/${job}/tasks`));
    if (task!.status !== 'Running') {
      const logs = await call('GET', `/jobs/${job}/task/${task!.id}/logs`);
      assert.equal(task!.status, 'Completed', `${task!.error} ${logs.text}`);
      return task!;
    }
    assert.ok(Date.now() < until, 'the run ends');
    await delay(100);
  }
}

interface Streams {
  readonly selected_streams: Record<string, { stream_name: string }[]>;
  readonly streams: { stream: Record<string, unknown> & { name: string } }[];
}

async function createJob(name: string, destination: Record<string, unknown>): Promise<number> {
  const from = { name: 'shop', type: 'postgres', version: 'v1', config: JSON.stringify(source.config) };
  const test = dataOf<{ connection_result: { status: string; message: string } }>(
    await call('POST', '/sources/test', from),
  );
  assert.equal(test.connection_result.status, 'SUCCEEDED', test.connection_result.message);
  const tried = dataOf<{ connection_result: { status: string; message: string } }>(
    await call('POST', '/destinations/test', destination),
  );
  assert.equal(tried.connection_result.status, 'SUCCEEDED', tried.connection_result.message);
  const ask = { ...from, job_name: name };
  const { streams_config } = dataOf<{ streams_config: Streams }>(await call('POST', '/sources/streams', ask));
  assert.deepEqual(streams_config.streams.map(({ stream }) => stream.name).toSorted(), ['empty_one', 'orders']);
  const streams = streams_config.streams.map(({ stream }) => ({
    stream: stream.name === 'orders' ? { ...stream, sync_mode: 'incremental', cursor_field: 'id' } : stream,
  }));
  const body = { name, source: from, destination, frequency: 'manual', streams_config: { ...streams_config, streams } };
  return dataOf<{ id: number }>(await call('POST', '/jobs', body)).id;
}

describe('a real table through the API', () => {
  for (const kind of ['parquet', 'iceberg'] as const) {
    it(`goes into ${kind}, once each row, then only what is new`, async () => {
      const lake = join(product.folder, kind);
      const config =
        kind === 'parquet'
          ? { type: 'PARQUET', writer: { local_path: lake } }
          : { type: 'ICEBERG', writer: { catalog_type: 'builtin', iceberg_s3_path: lake } };
      const job = await createJob(`to_${kind}`, {
        name: kind,
        type: kind,
        version: 'v1',
        config: JSON.stringify(config),
      });
      const read = kind === 'parquet' ? readParquetTable : readIcebergTable;

      const first = await runToEnd(job, 'sync');
      assert.equal(first.records, 5000);
      assert.equal(first.stats['Estimated Remaining Time'], '0 s');
      assert.deepEqual(first.stats.Streams['public.orders'], {
        rows: 5000,
        inserted: 5000,
        updated: 0,
        deleted: 0,
        quarantined: 0,
        chunks_total: 1,
        chunks_done: 1,
      });
      const rows = await read(lake, 'orders');
      assert.equal(rows.length, 5000);
      assert.equal(new Set(rows.map((row) => row['id'])).size, 5000);
      assert.ok(
        rows.some((row) => Number(row['id']) === 7 && row['note'] === 'order 7' && Number(row['amount']) === 1),
      );

      assert.equal((await runToEnd(job, 'sync')).records, 0);
      await source.run(`insert into orders (id, note) values ((select max(id) + 1 from orders), 'late')`);
      assert.equal((await runToEnd(job, 'sync')).records, 1);
      await source.run(`delete from orders where note = 'late'`);
      const state = dataOf<{ state: { streams: unknown[] } }>(await call('GET', `/jobs/${job}/state`));
      assert.ok(state.state.streams.length > 0);

      // What a clear drops is told before it is asked for.
      const database = `to_${kind}_${String(source.config['database'])}_public`;
      assert.deepEqual(dataOf(await call('GET', `/jobs/${job}/clear-destination`)), {
        running: false,
        tables: ['empty_one', 'orders'].map((table) => ({ stream: `public.${table}`, database, table })),
      });
      assert.equal((await runToEnd(job, 'clear-destination')).job_type, 'clear');
      assert.equal((await runToEnd(job, 'sync')).records, 5000);
      assert.equal((await read(lake, 'orders')).length, 5000);
    });
  }

  it('no log of it shows the password', async () => {
    const { rows } = await product.platform.store.pool.query<{ text: string }>(`select r::text as text from run r`);
    assert.ok(rows.length > 0);
    const password = String(source.config['password']);
    if (password.length > 3) for (const { text } of rows) assert.ok(!text.includes(password));
  });

  it('a source that is not there fails the test and the discovery, not the call', async () => {
    const config = { ...source.config, host: '127.0.0.1', port: 1 };
    const test = dataOf<{ connection_result: { status: string }; logs: unknown[] }>(
      await call('POST', '/sources/test', { type: 'postgres', version: 'v1', config }),
    );
    assert.equal(test.connection_result.status, 'FAILED');
    assert.ok(test.logs.length > 0);
    const streams = await call('GET', '/source/streams', { type: 'postgres', version: 'v1', config });
    assert.equal(streams.status, 400);
    assert.match((streams.body as { message: string }).message, /^Bad request: ./);
  });

  it('the newest runs are in the metrics', async () => {
    const { text } = await send(product.url, { method: 'GET', path: '/metrics' });
    assert.match(
      text,
      /olake_sync_status\{job_id="\d+",job_name="to_parquet",source_name="shop",destination_name="parquet"\} 1/,
    );
  });

  it('the connectors that exist are named when another is asked for', async () => {
    const reply = await call('POST', '/sources/spec', { type: 'oracle' });
    assert.equal(reply.status, 400);
    assert.match(reply.text, /not available.*postgres/);
  });
});
