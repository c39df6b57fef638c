import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestSource } from '../../../test/support/source.ts';
import type { TestSource } from '../../../test/support/source.ts';
import type { CatalogPort } from '../../lakehouse/index.ts';
import type { Transaction } from '../../store/index.ts';
import { createWorld } from '../../world.ts';
import { createProber } from './index.ts';

let source: TestSource;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-probe-'));
  source = await startTestSource();
  await source.run('create table orders (id bigint primary key, name text)');
});
after(async () => {
  await source.stop();
  await rm(folder, { recursive: true, force: true });
});

function prober(host = '127.0.0.1') {
  const empty = { load: async () => undefined, list: async () => [] } as unknown as CatalogPort;
  return createProber({
    world: createWorld(),
    config: { dataDir: join(folder, 'data'), fileRoots: null, serverKeys: 'allow', host, testStopAt: null },
    catalogIn: () => empty,
    transaction: async (work) => work({} as Transaction),
  });
}

test('a source that answers succeeds, and its steps are logged', async () => {
  const result = await prober().test('source', { type: 'postgres', config: { ...source.config } });
  assert.equal(result.status, 'SUCCEEDED', result.message);
  assert.ok(result.logs.length >= 1);
  assert.ok(!JSON.stringify(result).includes(String(source.config['password'])));
});

test('a dead port is a FAILED result that names the address', async () => {
  const config = { ...source.config, port: 1 };
  const result = await prober().test('source', { type: 'postgres', config });
  assert.equal(result.status, 'FAILED');
  assert.match(result.message, /127\.0\.0\.1:1/);
  assert.deepEqual(result.logs[0]!.message, 'connecting to 127.0.0.1:1');
  assert.equal(result.logs.at(-1)!.level, 'error');
});

test('a config that does not fit the schema fails by the name of the field, before anything is opened', async () => {
  const result = await prober().test('source', { type: 'postgres', config: { host: '127.0.0.1', port: 'x' } });
  assert.equal(result.status, 'FAILED');
  assert.match(result.message, /database is required/);
  assert.match(result.message, /port/);
});

test('of alternatives, only what the chosen one lacks is named', async () => {
  const tell = async (writer: object) =>
    (await prober().test('destination', { type: 'iceberg', config: { writer } })).message;
  assert.equal(await tell({ catalog_type: 'jdbc', iceberg_s3_path: '/x' }), 'iceberg: writer.jdbc_url is required');
  const reached = { iceberg_s3_path: folder, rest_catalog_url: 'http://127.0.0.1:1' };
  assert.match(await tell({ ...reached, catalog_type: 'rest' }), /catalog at http:\/\/127\.0\.0\.1:1 does not answer/);
  assert.match(await tell({ catalog_type: 'hive' }), /catalog "hive" is not available; available: builtin, jdbc, rest/);
  const update_method = { type: 'CDC', publication: 'p' };
  const { message } = await prober().test('source', { type: 'postgres', config: { ...source.config, update_method } });
  assert.equal(message, 'postgres: update_method.replication_slot is required');
});

test('discovery answers a catalog and keeps the selections of a stored one', async () => {
  const target = { type: 'postgres', config: { ...source.config }, prefix: 'job' };
  const fresh = await prober().discover(target);
  assert.deepEqual(
    fresh.streams.map(({ stream }) => stream.name),
    ['orders'],
  );
  await source.run('create table late (id int primary key)');
  const merged = await prober().discover({ ...target, stored: fresh });
  assert.equal(merged.streams.length, 2);
  assert.deepEqual(
    merged.selected_streams['public']!.map((entry) => entry.stream_name),
    ['orders'],
  );
});

test('testing a destination leaves nothing behind, and forbidden folders are refused', async () => {
  const local = (path: string) => ({ type: 'parquet', config: { type: 'PARQUET', writer: { local_path: path } } });
  assert.equal((await prober().test('destination', local(join(folder, 'lake')))).status, 'SUCCEEDED');
  const bare = { type: 'parquet', config: { local_path: join(folder, 'lake') } };
  assert.equal((await prober().test('destination', bare)).status, 'SUCCEEDED', 'a writer without its frame');
  // Apart from what the process itself keeps compiled in the data folder.
  const left = (await readdir(folder)).filter((name) => name !== 'data');
  assert.deepEqual(left, []);
  const inside = await prober().test('destination', local(join(folder, 'data', 'postgres')));
  assert.match(inside.message, /data folder/);
  const beyond = await prober('0.0.0.0').test('destination', local(join(folder, 'lake')));
  assert.match(beyond.message, /may use/);
});
