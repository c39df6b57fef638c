import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type { Column } from '../../columns/index.ts';
import type { DeleteMode } from './delete-mode.ts';
import { deleteModes } from './delete-mode.ts';
import { currentSnapshot } from './metadata.ts';
import { createLiveReader } from './live-files.ts';
import type { IcebergTable, IcebergTableOptions } from './state.ts';
import type { Lake, Row } from './table.test-support.ts';
import { batchOf, checkpoint, openLake, orderColumns, readIndependently } from './table.test-support.ts';

const regionColumns: Column[] = [...orderColumns, { name: 'region', type: { kind: 'string' }, nullable: true }];

async function lakeFor(context: TestContext): Promise<Lake> {
  const lake = await openLake();
  context.after(() => lake.close());
  return lake;
}

const shape = (deleteMode: DeleteMode): Pick<IcebergTableOptions, 'identifier' | 'deleteMode'> => ({
  identifier: '_olake_id',
  deleteMode,
});

async function write(
  table: IcebergTable,
  rows: readonly Row[],
  given: { seq: number; effect?: 'append' | 'upsert' },
): Promise<void> {
  const unit = table.beginUnit();
  const columns = rows[0]!.length === 3 ? regionColumns : orderColumns;
  await unit.write(batchOf(columns, rows));
  const told = await unit.commit(given.effect ?? 'upsert', checkpoint(given.seq));
  assert.equal(told.tableRows, table.rows);
}

const pairs = async (table: IcebergTable): Promise<unknown[][]> =>
  (await readIndependently(table.metadata)).map((row) => [row['_olake_id'], row['amount']]).sort();

async function deletesOf(lake: Lake, table: IcebergTable): Promise<number[]> {
  const { deletes } = await createLiveReader(lake.storage).read(table.metadata);
  return deletes.map((one) => one.entry.file.content);
}

const load: Row[] = ['a', 'b', 'c', 'd'].map((id) => [id, 1n]);
const story = async (table: IcebergTable): Promise<void> => {
  await write(table, load, { seq: 1, effect: 'append' });
  await write(
    table,
    [
      ['b', 2n],
      ['e', 2n],
      ['b', 3n],
    ],
    { seq: 2 },
  );
  await write(table, [['b', 4n]], { seq: 3 });
  await write(
    table,
    [
      ['a', 5n],
      ['e', 5n],
    ],
    { seq: 4 },
  );
};
const ending = [
  ['a', 5n],
  ['b', 4n],
  ['c', 1n],
  ['d', 1n],
  ['e', 5n],
];

describe('how an upsert removes older rows', () => {
  for (const mode of deleteModes) {
    it(`by ${mode}: readers see one row of each id`, async (t) => {
      const lake = await lakeFor(t);
      const table = await lake.open(shape(mode));
      await story(table);
      assert.deepEqual(await pairs(table), ending);
      const found = new Set(await deletesOf(lake, table));
      const expected = { equality: [1, 2], position: [1], copy_on_write: [] }[mode];
      assert.deepEqual([...found].sort(), expected, 'only the kinds of deletes that the mode allows');
      if (mode !== 'equality') assert.equal(table.rows, 5, 'rows are counted exactly');
      await table.close();
    });
  }

  it('by position: a row is deleted once, however often its id comes again', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open(shape('position'));
    await write(table, load, { seq: 1, effect: 'append' });
    for (let seq = 2; seq <= 6; seq++) await write(table, [['a', BigInt(seq)]], { seq });
    assert.equal(currentSnapshot(table.metadata)!.summary['total-position-deletes'], '5');
    await table.close();
    const again = await lake.open(shape('position'));
    await write(again, [['a', 9n]], { seq: 7 });
    assert.equal(currentSnapshot(again.metadata)!.summary['total-position-deletes'], '6');
    assert.deepEqual((await pairs(again))[0], ['a', 9n]);
  });

  it('by position and by copy across partitions: a row that moves leaves its old partition', async (t) => {
    const lake = await lakeFor(t);
    for (const mode of ['position', 'copy_on_write'] as const) {
      const table = await lake.open({
        ...shape(mode),
        name: { database: 'shop', table: mode },
        location: `${lake.folder}/shop/${mode}`,
        columns: regionColumns,
        partition: '/{region, identity}',
      });
      const rows: Row[] = [
        ['a', 1n, 'eu'],
        ['b', 1n, 'us'],
        ['c', 1n, null],
      ];
      await write(table, rows, { seq: 1, effect: 'append' });
      const moves: Row[] = [
        ['a', 2n, 'us'],
        ['c', 2n, 'eu'],
        ['a', 3n, null],
      ];
      await write(table, moves, { seq: 2 });
      assert.deepEqual(await pairs(table), [
        ['a', 3n],
        ['b', 1n],
        ['c', 2n],
      ]);
      await table.close();
    }
  });

  it('may be changed from equality to the others and back', async (t) => {
    const lake = await lakeFor(t);
    const expected = new Map(load.map(([id]) => [id, 1n]));
    let seq = 1;
    for (const mode of ['equality', 'position', 'equality', 'copy_on_write', 'position'] as const) {
      const table = await lake.open(shape(mode));
      if (seq === 1) await write(table, load, { seq: seq++, effect: 'append' });
      for (const id of ['b', 'd']) {
        expected.set(id, BigInt(seq));
        await write(table, [[id, BigInt(seq)]], { seq: seq++ });
      }
      assert.deepEqual(await pairs(table), [...expected].sort());
      await table.close();
    }
  });

  it('finds rows that another writer adds between the search and the commit', async (t) => {
    for (const mode of ['position', 'copy_on_write'] as const) {
      const lake = await lakeFor(t);
      const first = await lake.open(shape(mode));
      await write(first, load, { seq: 1, effect: 'append' });
      const second = await lake.open({ ...shape(mode), checkpointKey: 'p/2/public.orders' });
      await write(second, [['z', 1n]], { seq: 1, effect: 'append' });
      await write(second, [['b', 7n]], { seq: 2 });
      await write(
        first,
        [
          ['z', 8n],
          ['b', 8n],
        ],
        { seq: 2 },
      );
      assert.deepEqual(await pairs(first), [
        ['a', 1n],
        ['b', 8n],
        ['c', 1n],
        ['d', 1n],
        ['z', 8n],
      ]);
    }
  });
});
