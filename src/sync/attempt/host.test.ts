import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { runInChild } from './host.ts';

it('keeps what a child has compiled in the data folder, for the next one', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-test-host-'));
  try {
    const folders = { warehouse: join(dataDir, 'warehouse'), dataDir, closed: [], roots: null };
    const work = { kind: 'discover', folders, source: { type: 'none', config: {} }, threads: 1 } as const;
    const host = {
      signal: new AbortController().signal,
      log: () => {},
      progress: () => {},
      answer: async () => null,
    };
    await assert.rejects(runInChild(work, host), /none/);
    assert.ok((await readdir(join(dataDir, 'compiled'), { recursive: true })).length > 10);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
