import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { referencedFiles } from './recovery.ts';
import { createRowIds } from './row-ids.ts';
import { name, openLake, readIndependently } from './table.test-support.ts';
import { loadTable } from '../catalog/index.ts';
import { upsertToTheEnd } from './upsert.test-support.ts';

const points = [
  'iceberg.data-file-written:2',
  'iceberg.delete-file-written:1',
  'iceberg.delete-file-written:2',
  'iceberg.manifest-written:2',
  'iceberg.manifest-written:3',
  'iceberg.manifest-list-written:2',
  'iceberg.metadata-written:3',
  'iceberg.before-swap:3',
  'iceberg.swapped:3',
];

describe('an upsert that is killed', () => {
  for (const point of points) {
    it(`at ${point} is made whole by the next attempt, once, and leaves no file`, async (t) => {
      const lake = await openLake();
      t.after(() => lake.close());
      const script = fileURLToPath(new URL('./upsert.test-support.ts', import.meta.url));
      const child = spawn(process.execPath, [script, lake.folder, point], { stdio: 'inherit' });
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL', 'the point is reached');
      await upsertToTheEnd(lake);
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

describe('row identifiers of a unit', () => {
  it('are told apart however many there are, and the last row of each is known', () => {
    const ids = createRowIds();
    for (let row = 0; row < 10_000; row++) assert.equal(ids.add(Buffer.from(`id-${row}`)), -1);
    assert.equal(ids.add(Buffer.from('id-77')), 77);
    assert.equal(ids.add(Buffer.from('id-77')), 10_000);
    assert.equal(ids.add(Buffer.from('')), -1);
    assert.equal(ids.distinct, 10_001);
    assert.equal(ids.lastRow(77), 10_001);
    const { offsets, heap } = ids.slice(9_999, 10_001);
    assert.equal(Buffer.from(heap.subarray(offsets[0]!, offsets[1]!)).toString(), 'id-9999');
    assert.equal(offsets[2]! - offsets[1]!, 0);
  });
});
