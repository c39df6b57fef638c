import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestSource } from '../../../test/support/source.ts';
import type { TestSource } from '../../../test/support/source.ts';
import { createWorld } from '../../world.ts';
import { runConnectorCommand } from '../command.ts';

interface Message {
  readonly type: string;
  readonly connectionStatus?: { readonly status: string };
  readonly spec?: { readonly jsonschema: object; readonly uischema: string };
}

let source: TestSource;
let folder: string;
const path = (name: string): string => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-command-'));
  source = await startTestSource();
  await source.run(`create table orders (id bigint primary key, at timestamptz);
    insert into orders select i, '2026-01-01Z'::timestamptz + i * interval '1 s' from generate_series(1, 100) as i`);
  await writeFile(path('source.json'), JSON.stringify(source.config));
  await writeFile(path('lake.json'), JSON.stringify({ type: 'PARQUET', writer: { local_path: path('lake') } }));
});
after(async () => {
  await source.stop();
  await rm(folder, { recursive: true, force: true });
});

async function run(
  line: string,
  signal = new AbortController().signal,
): Promise<{ code: number; messages: Message[] }> {
  let text = '';
  const code = await runConnectorCommand(line.split(' '), {
    world: createWorld(),
    config: { dataDir: path('data'), fileRoots: null, serverKeys: 'allow', host: '127.0.0.1', testStopAt: null },
    signal,
    write: (piece) => void (text += piece),
  });
  const lines = text.split('\n').filter((one) => one.startsWith('{'));
  return { code, messages: lines.map((one) => JSON.parse(one) as Message) };
}

const json = async (name: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(path(name), 'utf8')) as Record<string, unknown>;

test('spec prints the schema of a source or of a destination', async () => {
  const { code, messages } = await run('postgres spec');
  assert.equal(code, 0);
  assert.equal(typeof JSON.parse(messages[0]!.spec!.uischema), 'object');
  assert.match(JSON.stringify((await run('postgres spec --destination-type parquet')).messages), /local_path/);
});

test('check answers by status line and exit code', async () => {
  const good = await run(`postgres check --config ${path('source.json')}`);
  assert.deepEqual([good.code, good.messages.at(-1)!.connectionStatus!.status], [0, 'SUCCEEDED']);
  await writeFile(path('dead.json'), JSON.stringify({ ...source.config, port: 1 }));
  const dead = await run(`postgres check --config ${path('dead.json')}`);
  assert.deepEqual([dead.code, dead.messages.at(-1)!.connectionStatus!.status], [1, 'FAILED']);
  assert.equal((await run(`postgres check --destination ${path('lake.json')}`)).code, 0);
});

test('discover, sync, sync again with the state, and clear work through files', async () => {
  assert.equal((await run(`postgres discover --config ${path('source.json')}`)).code, 0);
  const sync = `postgres sync --config ${path('source.json')} --destination ${path('lake.json')} --catalog ${path('streams.json')}`;
  assert.equal((await run(sync)).code, 0);
  const stats = (await json('stats.json')) as Record<string, unknown>;
  assert.equal(stats['Synced Records'], 100);
  assert.equal(stats['Estimated Remaining Time'], '0 s');
  assert.equal((await json('state.json'))['type'], 'STREAM');
  assert.equal((await readdir(path('logs'))).length >= 1, true);
  const again = await run(`${sync} --state ${path('state.json')}`);
  assert.equal(again.code, 0);
  assert.equal(again.messages.at(-1)!.type, 'STATE');
  assert.equal((await json('stats.json'))['Synced Records'], 0);
  const clear = `postgres clear-destination --streams ${path('streams.json')} --destination ${path('lake.json')} --state ${path('state.json')}`;
  assert.equal((await run(clear)).code, 0);
  assert.deepEqual(await json('state.json'), {});
  const files = (await readdir(path('lake'), { recursive: true })).filter((name) => name.endsWith('.parquet'));
  assert.deepEqual(files, []);
});

test('a difference of two catalogs is written beside the old one', async () => {
  await run(`postgres discover --config ${path('source.json')}`);
  const next = (await readFile(path('streams.json'), 'utf8')).replace(
    '"normalization": true',
    '"normalization": false',
  );
  await writeFile(path('new.json'), next);
  const line = `postgres discover --streams ${path('streams.json')} --difference ${path('new.json')}`;
  assert.equal((await run(line)).code, 0);
  assert.equal(((await json('difference_streams.json'))['streams'] as unknown[]).length, 1);
});

test('wrong usage answers 2, a failed sync 1, a cancelled one 130', async () => {
  for (const line of ['postgres', 'postgres dance', 'postgres sync', 'postgres check --bogus 1']) {
    assert.equal((await run(line)).code, 2, line);
  }
  assert.equal((await run('mongodb spec')).code, 1);
  const controller = new AbortController();
  controller.abort();
  assert.equal((await run(`postgres discover --config ${path('source.json')}`, controller.signal)).code, 130);
});
