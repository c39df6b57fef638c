import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestStore } from '../../../test/support/database.ts';
import { removeOldRunFolders, runFolderOf } from './run-folders.ts';

test('folders of runs go with their runs, all others stay', async (t) => {
  const { store, close } = await createTestStore();
  t.after(close);
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-runs-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  assert.equal(await removeOldRunFolders(store.db, dataDir), 0);
  await store.pool.query(
    `insert into run (id, path, kind, project, definition, trigger, state, created_by)
     values ('r_KEPT', '1', 'sync', 'p', 'sync.job/1', 'manual', 'succeeded', 'u')`,
  );
  for (const name of ['r_KEPT', 'r_GONE', 'notes']) {
    await mkdir(runFolderOf(dataDir, name), { recursive: true });
    await writeFile(join(runFolderOf(dataDir, name), 'quarantine.ndjson'), '{}\n');
  }
  assert.equal(await removeOldRunFolders(store.db, dataDir), 1);
  assert.deepEqual((await readdir(join(dataDir, 'runs'))).toSorted(), ['notes', 'r_KEPT']);
});
