import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sql } from 'kysely';
import { dataOf, startProduct, type Product } from '../../support/product.ts';
import { startTestSource, type TestSource } from '../../support/source.ts';
import { until } from '../../support/waiting.ts';
import { readIcebergTable } from './lake.ts';
import { send, type Reply } from './wire.ts';

let source: TestSource;
let product: Product;
let call: Product['call'];
let job: number;

before(async () => {
  source = await startTestSource({ settings: { wal_level: 'logical' } });
  await source.run(`
    create table orders (id int primary key, note text);
    insert into orders select n, 'order ' || n from generate_series(1, 100) n;
    create publication lake for table orders`);
  await source.run(`select pg_create_logical_replication_slot('lake', 'pgoutput')`);
  product = await startProduct({ project: 'lake' });
  ({ call } = product);
});

after(async () => {
  await product?.close();
  await source?.stop();
});

interface Told {
  readonly last_run: { readonly status: string; readonly job_type: string; readonly error?: string } | null;
  readonly tables: readonly Record<string, unknown>[];
}

/** Starts such a run and answers what it says of the table. */
async function tableRun(path: 'maintenance' | 'verification'): Promise<Record<string, unknown>> {
  dataOf(await call('POST', `/jobs/${job}/${path}`));
  const told = await until(path, async () => {
    const now = dataOf<Told>(await call('GET', `/jobs/${job}/${path}`));
    return now.last_run?.status === 'Running' ? undefined : now;
  });
  assert.equal(told.last_run!.status, 'Completed', told.last_run!.error);
  return told.tables[0]!;
}

/** Undefined also while there is no table to read yet, or none that stays still. */
const lakeRow = (id: number) => async () => {
  const rows = await readIcebergTable(join(product.folder, 'data', 'warehouse'), 'orders').catch(() => []);
  return rows.find((row) => Number(row['id']) === id);
};

test('a job that stays on follows its table through the API, and stops with its activity', async () => {
  const config = {
    ...source.config,
    update_method: { type: 'CDC', replication_slot: 'lake', publication: 'lake', initial_wait_time: 120 },
  };
  const from = { name: 'shop', type: 'postgres', version: 'v1', config };
  const tried = dataOf<{ connection_result: { status: string; message: string } }>(
    await call('POST', '/sources/test', from),
  );
  assert.equal(tried.connection_result.status, 'SUCCEEDED', tried.connection_result.message);
  const { streams_config } = dataOf<{ streams_config: { streams: { stream: Record<string, unknown> }[] } }>(
    await call('POST', '/sources/streams', { ...from, job_name: 'stay' }),
  );
  assert.equal(streams_config.streams[0]!.stream['sync_mode'], 'cdc');
  const destination = {
    name: 'lake',
    type: 'iceberg',
    version: 'v1',
    config: { type: 'ICEBERG', writer: { catalog_type: 'builtin' } },
  };
  const advanced_settings = { maintenance: { min_files: 2 } };
  const body = { name: 'stay', source: from, destination, frequency: 'continuous', streams_config, advanced_settings };
  job = dataOf<{ id: number }>(await call('POST', '/jobs', body)).id;
  dataOf(await call('POST', `/jobs/${job}/sync`));
  await until('the load', lakeRow(100));
  await source.run(`update orders set note = 'changed' where id = 42`);
  await until('the change', async () => ((await lakeRow(42)())?.['note'] === 'changed' ? true : undefined));
  dataOf(await call('POST', `/jobs/${job}/activate`, { activate: false }));
  await until('the end', async () => {
    const [run] = dataOf<{ status: string }[]>(await call('GET', `/jobs/${job}/tasks`));
    return run!.status === 'Canceled' ? true : undefined;
  });
});

test('its table is compared with the source whole: equal, and different once a value is not', async () => {
  const equal = await tableRun('verification');
  assert.deepEqual([equal['stream'], equal['verdict'], equal['tableRows']], ['public.orders', 'equal', 100]);
  await source.run(`update orders set note = 'unseen' where id = 1`);
  assert.equal((await tableRun('verification'))['verdict'], 'different');
});

test('its table is looked after: the deletes of upserts are applied, and every row stays', async () => {
  const done = await tableRun('maintenance');
  assert.equal(typeof done['expiredSnapshots'], 'number');
  assert.ok(Number(done['compactedFiles']) >= 2, JSON.stringify(done));
  assert.ok(Number(done['removedDeleteFiles']) >= 1, JSON.stringify(done));
  const rows = await readIcebergTable(join(product.folder, 'data', 'warehouse'), 'orders');
  assert.equal(rows.length, 100);
  assert.equal(new Set(rows.map((row) => row['_olake_id'])).size, 100);
});

test('another engine finds it in the catalog that the server keeps', async () => {
  const reply = await send(product.url, {
    method: 'GET',
    path: '/iceberg/v1/lake/namespaces',
    headers: product.headers,
  });
  assert.equal(reply.status, 200, reply.text);
  assert.match(reply.text, /stay_postgres_public|public/);
});

test('bad settings of upkeep and pace are refused by their field, and change nothing', async () => {
  const now = dataOf<Record<string, unknown>>(await call('GET', `/jobs/${job}`));
  const write = (advanced: unknown): Promise<Reply> =>
    call('PUT', `/jobs/${job}`, { ...now, advanced_settings: advanced });
  for (const [advanced, field] of [
    [{ maintenance: { target_file_mb: 0 } }, 'target_file_mb'],
    [{ maintenance: { frequency: 'banana' } }, 'frequency'],
    [{ maintenance: 'yes' }, 'maintenance'],
    [{ continuous: 'yes' }, 'continuous'],
    [{ commit_interval_seconds: 0 }, 'commit_interval_seconds'],
  ] as const) {
    const reply = await write(advanced);
    assert.equal(reply.status, 400, reply.text);
    assert.match(reply.text, new RegExp(field));
  }
  const later = dataOf<Record<string, unknown>>(await call('GET', `/jobs/${job}`));
  assert.deepEqual(later['advanced_settings'], now['advanced_settings']);
});

test('a job that stays on and fails at once is begun again after a while, not again and again', async () => {
  const now = dataOf<Record<string, unknown>>(await call('GET', `/jobs/${job}`));
  const from = { name: 'nowhere', type: 'postgres', version: 'v1', config: { ...source.config, port: 1 } };
  const advanced = { retry_count: 0 };
  const body = { ...now, name: 'failing', source: from, activate: true, advanced_settings: advanced };
  const { id } = dataOf<{ id: number }>(await call('POST', '/jobs', body));
  const runs = async () => dataOf<{ status: string }[]>(await call('GET', `/jobs/${id}/tasks`));
  const { db } = product.platform.store;
  const key = `sync.job/${id}`;
  const fired = async (): Promise<Date | null> =>
    (await sql<{ at: Date | null }>`select last_fire_at as at from schedule where key = ${key}`.execute(db)).rows[0]!
      .at;
  const fire = async (): Promise<void> => {
    const earlier = await fired();
    await sql`update schedule set next_fire_at = clock_timestamp() where key = ${key}`.execute(db);
    await until('the schedule', async () => (String(await fired()) === String(earlier) ? undefined : true));
  };
  await fire();
  await until('the failure', async () => ((await runs())[0]?.status === 'Failed' ? true : undefined));
  await fire();
  assert.equal((await runs()).length, 1);
  await sql`update job set last_run_time = last_run_time - interval '5 minutes' where id = ${id}`.execute(db);
  await fire();
  assert.equal((await runs()).length, 2);
});
