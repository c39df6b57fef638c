import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DeleteMode } from './delete-mode.ts';
import { deleteModes } from './delete-mode.ts';
import { referencedFiles } from './recovery.ts';
import { createKeyTable } from './key-table.ts';
import { name, openLake, readIndependently } from './table.test-support.ts';
import { loadTable } from '../catalog/index.ts';
import { upsertToTheEnd } from './upsert.test-support.ts';

const points: Readonly<Record<DeleteMode, readonly string[]>> = {
  equality: [
    'iceberg.data-file-written:2',
    'iceberg.delete-file-written:1',
    'iceberg.delete-file-written:2',
    'iceberg.manifest-written:2',
    'iceberg.manifest-written:3',
    'iceberg.manifest-list-written:2',
    'iceberg.metadata-written:3',
    'iceberg.before-swap:3',
    'iceberg.swapped:3',
  ],
  position: [
    'iceberg.delete-file-written:1',
    'iceberg.delete-file-written:2',
    'iceberg.manifest-written:4',
    'iceberg.swapped:3',
  ],
  copy_on_write: [
    'iceberg.data-file-written:3',
    'iceberg.data-file-written:4',
    'iceberg.manifest-written:3',
    'iceberg.swapped:3',
  ],
};

describe('an upsert that is killed', () => {
  for (const [mode, point] of deleteModes.flatMap((one) => points[one].map((at) => [one, at] as const))) {
    it(`by ${mode} at ${point} is made whole by the next attempt, once, and leaves no file`, async (t) => {
      const lake = await openLake();
      t.after(() => lake.close());
      const script = fileURLToPath(new URL('./upsert.test-support.ts', import.meta.url));
      const child = spawn(process.execPath, [script, lake.folder, point, mode], { stdio: 'inherit' });
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL', 'the point is reached');
      await upsertToTheEnd(lake, mode);
      const table = (await loadTable({ ...lake, name }))!;
      const rows = await readIndependently(table.metadata);
      assert.deepEqual(rows.map((row) => [row['_olake_id'], row['amount']]).sort(), [
        ['a', 1n],
        ['b', 3n],
        ['c', 3n],
        ['d', 2n],
      ]);
      const found = (await lake.storage.list(table.metadata.location)).map((path) => basename(path));
      assert.deepEqual(found.toSorted(), [...(await referencedFiles(lake.storage, table))].toSorted());
    });
  }
});

describe('a table of keys', () => {
  it('tells them apart however many there are, and keeps a number with each', () => {
    const keys = createKeyTable();
    const put = (text: string): number => keys.put(Buffer.from(`<${text}>`), 1, text.length + 1);
    for (let at = 0; at < 10_000; at++) {
      assert.equal(put(`id-${at}`), at);
      keys.set(at, at * 2);
    }
    assert.equal(put('id-77'), 77);
    assert.equal(keys.get(77), 154);
    assert.equal(put(''), 10_000);
    assert.equal(keys.size, 10_001);
    assert.equal(keys.find(Buffer.from('id-9999'), 0, 7), 9_999);
    assert.equal(keys.find(Buffer.from('id-10000'), 0, 8), -1);
    assert.equal(Buffer.from(keys.heap.subarray(keys.start(42), keys.start(43))).toString(), 'id-42');
    assert.equal(keys.bytes, keys.start(10_001));
  });
});
