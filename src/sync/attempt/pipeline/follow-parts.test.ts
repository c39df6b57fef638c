import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createWorld } from '../../../world.ts';
import { runConnectorCommand } from '../../command.ts';
import { BOUNDARY_LIMIT } from './boundary.ts';

async function run(folder: string, line: string): Promise<void> {
  let text = '';
  const code = await runConnectorCommand(line.split(' '), {
    world: createWorld(),
    config: {
      dataDir: join(folder, 'data'),
      fileRoots: null,
      serverKeys: 'allow',
      host: '127.0.0.1',
      testStopAt: null,
    },
    signal: new AbortController().signal,
    write: (piece) => void (text += piece),
  });
  assert.equal(code, 0, text);
}

test('a file of the last instant is never lost nor written twice, however many rows share the instant', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-parts-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  const lay = async (name: string, rows: number): Promise<void> => {
    // Every row is the same: only the file tells them apart.
    await writeFile(path(`in/s/${name}`), `id\n${'7\n'.repeat(rows)}`);
    await utimes(path(`in/s/${name}`), 1_700_000_000, 1_700_000_000);
  };
  await mkdir(path('in/s'), { recursive: true });
  await writeFile(path('source.json'), JSON.stringify({ url: path('in') }));
  await writeFile(path('lake.json'), JSON.stringify({ type: 'PARQUET', writer: { local_path: path('lake') } }));
  await lay('b.csv', BOUNDARY_LIMIT + 1);
  await run(folder, `file discover --config ${path('source.json')}`);
  const sync = `file sync --config ${path('source.json')} --destination ${path('lake.json')} --catalog ${path('streams.json')}`;
  const synced = async (state = ` --state ${path('state.json')}`): Promise<unknown> => {
    await run(folder, sync + state);
    return (JSON.parse(await readFile(path('stats.json'), 'utf8')) as Record<string, unknown>)['Synced Records'];
  };
  assert.equal(await synced(''), BOUNDARY_LIMIT + 1);
  assert.equal(await synced(), 0);
  await lay('a.csv', 2);
  assert.equal(await synced(), 2);
  await lay('c.csv', 1);
  assert.equal(await synced(), 1);
  assert.equal(await synced(), 0);
});
