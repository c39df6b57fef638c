import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createWorld, newId } from '../../../world.ts';
import { createLocalStorage } from '../../storage/index.ts';
import { dropParquetTable } from './drop.ts';
import type { ManifestLog } from './log.ts';
import { createManifestLog } from './log.ts';
import type { Manifest } from './manifest.ts';

const world = createWorld();
const storage = createLocalStorage(world);
const name = { database: 'd', table: 't' };
let root = '';
let folders = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'manifest-log-'));
});
after(() => rm(root, { recursive: true, force: true }));

const openLog = (folder: string): ManifestLog => createManifestLog({ storage, world }, folder, name);
const fresh = (): string => join(root, `${folders++}`);

function withFile(manifest: Manifest, path: string): Manifest {
  const files = [...manifest.files, { path, rows: 1, bytes: 1, run: 'r' }];
  return { ...manifest, sequence: manifest.sequence + 1, commit: newId(world, 'commit'), files };
}

/** Appends until it is accepted or known to be in; a conflict after the decision is looked up, as an attempt would. */
async function insist(log: ManifestLog, path: string): Promise<void> {
  for (;;) {
    const manifest = await log.load();
    if (manifest.files.some((file) => file.path === path)) return;
    try {
      if (await log.append(withFile(manifest, path))) return;
    } catch (error) {
      if ((error as { kind?: string }).kind !== 'commit_conflict') throw error;
    }
  }
}

describe('the log of manifests', () => {
  it('keeps every change of writers that race, each once', async () => {
    const folder = fresh();
    const writers = Array.from({ length: 5 }, async (_, writer) => {
      for (let turn = 0; turn < 10; turn++) await insist(openLog(folder), `${writer}-${turn}`);
    });
    await Promise.all(writers);
    const { files, sequence } = await openLog(folder).load();
    assert.equal(files.length, 50);
    assert.equal(new Set(files.map((file) => file.path)).size, 50);
    assert.equal(sequence, 50);
  });

  it('refuses a writer that is behind, however far', async () => {
    const folder = fresh();
    const log = openLog(folder);
    const stale: Manifest[] = [];
    for (let turn = 0; turn < 30; turn++) {
      const manifest = await log.load();
      stale.push(withFile(manifest, 'stale'));
      assert.equal(await log.append(withFile(manifest, `${turn}`)), true);
    }
    for (const next of stale) {
      const accepted = await openLog(folder)
        .append(next)
        .catch(() => false);
      assert.equal(accepted, false);
      const { files, sequence } = await openLog(folder).load();
      assert.deepEqual([sequence, files.length, files.some((file) => file.path === 'stale')], [30, 30, false]);
    }
    assert.equal((await readdir(join(folder, '_commits'))).length, 8);
  });

  it('survives a writer that was suspended between its decision and the manifest file', async () => {
    const folder = fresh();
    const log = openLog(folder);
    await log.append(withFile(await log.load(), '0'));
    const old = await storage.read(join(folder, '_manifest.json'));
    for (let turn = 1; turn < 20; turn++) await log.append(withFile(await log.load(), `${turn}`));
    await storage.put(join(folder, '_manifest.json'), old!);
    assert.equal((await openLog(folder).load()).files.length, 20);
    await storage.put(join(folder, '_manifest.json'), old!);
    await insist(openLog(folder), '20');
    const published = JSON.parse((await storage.read(join(folder, '_manifest.json')))!.toString());
    assert.equal(published.files.length, 21);
  });

  it('does not bring a dropped table back', async () => {
    const folder = fresh();
    const log = openLog(folder);
    await log.append(withFile(await log.load(), 'a'));
    const next = withFile(await log.load(), 'late');
    await dropParquetTable({ storage, world }, folder);
    await assert.rejects(log.append(next), { kind: 'commit_conflict' });
    assert.equal((await log.load()).sequence, 0);
  });

  it('carries a decided commit forward that never reached the manifest file', async () => {
    const folder = fresh();
    const log = openLog(folder);
    await log.append(withFile(await log.load(), 'a'));
    await log.append(withFile(await log.load(), 'b'));
    await unlink(join(folder, '_manifest.json'));
    const { sequence, files } = await openLog(folder).load();
    assert.deepEqual([sequence, files.map((file) => file.path)], [2, ['a', 'b']]);
    assert.ok((await readdir(folder)).includes('_manifest.json'));
  });
});
