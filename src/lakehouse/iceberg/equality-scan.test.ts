import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type { Column } from '../../columns/index.ts';
import { createDataFileWriter } from './data-file.ts';
import type { DeadByFile } from './dead-rows.ts';
import { scanEqualityDeletes } from './equality-scan.ts';
import type { LiveFile } from './live-files.ts';
import { applies, createLiveReader } from './live-files.ts';
import { addedStatus, equalityDeletes } from './model.ts';
import type { IcebergTable } from './state.ts';
import type { Lake, Row } from './table.test-support.ts';
import { batchOf, checkpoint, openLake } from './table.test-support.ts';

const columns: readonly Column[] = [
  { name: '_olake_id', type: { kind: 'string' }, nullable: false },
  { name: 'number', type: { kind: 'long' }, nullable: true },
  { name: 'text', type: { kind: 'string' }, nullable: true },
];

async function lakeWith(context: TestContext, commits: readonly (readonly Row[])[]): Promise<[Lake, IcebergTable]> {
  const lake = await openLake();
  context.after(() => lake.close());
  const table = await lake.open({ columns });
  for (const [at, rows] of commits.entries()) {
    const unit = table.beginUnit();
    await unit.write(batchOf(columns, rows));
    await unit.commit('append', checkpoint(at + 1));
  }
  return [lake, table];
}

/** Deletes as another engine writes them, on any columns. */
async function writeDeletes(
  lake: Lake,
  rows: readonly Row[],
  { ids, sequence }: { readonly ids: readonly number[]; readonly sequence: number },
): Promise<LiveFile> {
  const keys = ids.map((fieldId) => ({ column: { ...columns[fieldId - 1]!, nullable: true }, fieldId }));
  const path = `${lake.folder}/deletes-${sequence}-${ids.join('-')}.parquet`;
  const partition = new Map();
  const ports = { storage: lake.storage, world: lake.world, codec: 'zstd' as const };
  const file = { path, columns: keys, partition, content: equalityDeletes, equalityIds: ids };
  const writer = await createDataFileWriter(ports, file);
  for (const row of rows) {
    await writer.write(
      batchOf(
        keys.map(({ column }) => column),
        [row],
      ),
    );
  }
  const entry = { status: addedStatus, snapshotId: 1, sequence, fileSequence: sequence, file: await writer.close() };
  return { entry, specId: 0, partition: '[0]', isGlobal: true };
}

async function deadOf(
  lake: Lake,
  table: IcebergTable,
  { deletes, keyBytes }: { readonly deletes: readonly LiveFile[]; readonly keyBytes?: number },
): Promise<number[][]> {
  const { data } = await createLiveReader(lake.storage).read(table.metadata);
  const ordered = data.toSorted((left, right) => left.entry.sequence! - right.entry.sequence!);
  const dead: DeadByFile = new Map();
  await scanEqualityDeletes({ storage: lake.storage, keyBytes }, table.metadata, { data: ordered, deletes, dead });
  return ordered.map(({ entry }) => [...(dead.get(entry.file.path)?.rows() ?? [])]);
}

describe('equality deletes of any writer', () => {
  it('hold for rows of lower sequence numbers, whichever columns they name, nulls included', async (t) => {
    const rows: Row[] = [
      ['a', 1n, 'x'],
      ['b', null, 'x'],
      ['c', 1n, null],
      ['d', null, null],
      ['e', 1n, ''],
    ];
    const [lake, table] = await lakeWith(t, [rows, rows]);
    const both = await writeDeletes(
      lake,
      [
        [1n, 'x'],
        [null, null],
      ],
      { ids: [2, 3], sequence: 2 },
    );
    assert.deepEqual(await deadOf(lake, table, { deletes: [both] }), [[0, 3], []]);
    const text = await writeDeletes(lake, [[null], ['']], { ids: [3], sequence: 3 });
    assert.deepEqual(await deadOf(lake, table, { deletes: [text] }), [
      [2, 3, 4],
      [2, 3, 4],
    ]);
    assert.deepEqual(await deadOf(lake, table, { deletes: [both, text] }), [
      [0, 2, 3, 4],
      [2, 3, 4],
    ]);
  });

  it('are gone through in several passes when their keys do not fit into memory', async (t) => {
    const rows: Row[] = Array.from({ length: 300 }, (_, at) => [`id-${at}`, BigInt(at), null]);
    const [lake, table] = await lakeWith(t, [rows]);
    const keys: Row[] = Array.from({ length: 60 }, (_, at) => [`id-${at * 5}`]);
    const deletes = [await writeDeletes(lake, keys, { ids: [1], sequence: 2 })];
    const expected = keys.map((_, at) => at * 5);
    assert.deepEqual(await deadOf(lake, table, { deletes }), [expected]);
    assert.deepEqual(await deadOf(lake, table, { deletes, keyBytes: 200 }), [expected]);
  });

  it('hold inside their own partition, unless they have none', () => {
    const file = (
      content: number,
      sequence: number,
      [partition, isGlobal = false]: readonly [string, boolean?],
    ): LiveFile => ({ entry: { sequence, file: { content } }, specId: 1, partition, isGlobal }) as unknown as LiveFile;
    const data = file(0, 5, ['p']);
    assert.deepEqual(
      [
        applies(file(2, 6, ['p']), data),
        applies(file(2, 5, ['p']), data),
        applies(file(2, 6, ['q']), data),
        applies(file(2, 6, ['q', true]), data),
        applies(file(1, 5, ['p']), data),
        applies(file(1, 4, ['p']), data),
        applies(file(1, 6, ['q', true]), data),
      ],
      [true, false, false, true, true, false, false],
    );
  });
});
