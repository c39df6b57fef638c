import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setUp, tableName } from './destination-bench.ts';
import type { ConformanceOptions } from './destination-place.ts';
import { batchOf, checkpointOf, conformanceColumns, conformanceTable, rowsFrom, wordsOf } from './destination-rows.ts';
import { tellStory } from './destination-story.ts';

/** Reading back, and schemas that change. */
export function tableTests(options: ConformanceOptions): void {
  it('rows are read back at the places that their batches were given', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const unit = table.beginUnit();
    const first = await unit.write(batchOf(rowsFrom(0, 100, 'w')));
    const second = await unit.write(batchOf(rowsFrom(100, 100, 'w')));
    await unit.commit('append', checkpointOf(1));
    const places = [
      { file: second.file, row: second.firstRow + 50 },
      { file: first.file, row: first.firstRow + 1 },
    ];
    assert.deepEqual(await table.readRows(places), [
      ['150', '150', 'w-150', null],
      ['1', '1', 'w-1', '1.01'],
    ]);
    await table.close();
  });

  it('a new column and a wider type appear; older rows have null', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    const before = await session.openTable(conformanceTable());
    const old = before.beginUnit();
    await old.write(batchOf(rowsFrom(1, 1, 'old')));
    await old.commit('append', checkpointOf(1));
    await before.close();
    const columns = conformanceColumns.map((column) =>
      column.name === 'id' ? ({ ...column, type: { kind: 'long' } } as const) : column,
    );
    const wider = [...columns, { name: 'extra', type: { kind: 'string' }, nullable: true } as const];
    const after = await session.openTable(conformanceTable({ columns: wider }));
    const fresh = after.beginUnit();
    await fresh.write(batchOf(rowsFrom(2, 1, 'new'), wider));
    await fresh.commit('append', checkpointOf(2));
    await after.close();
    const rows = [...(await bench.place.readRows(tableName))].sort((x, y) => Number(x.id) - Number(y.id));
    assert.deepEqual(wordsOf(rows), ['1:old-1', '2:new-2']);
    assert.deepEqual(
      rows.map((row) => row.extra ?? null),
      [null, '2'],
    );
  });
}

/** Partitions, and the end of a table. */
export function partitionTests(options: ConformanceOptions): void {
  it('partitioned rows are all there, once, and are found again at their places', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable({ partition: options.partition }));
    const rows = rowsFrom(0, 30, 'w').map(({ id }) => ({ id, name: id % 4 === 3 ? null : `group ${id % 4}/` }));
    const unit = table.beginUnit();
    const place = await unit.write(batchOf(rows));
    const placeOf = place.placeOf ?? ((row: number) => ({ file: place.file, row: place.firstRow + row }));
    const places = [7, 0, 29].map(placeOf);
    await unit.commit('append', checkpointOf(1));
    assert.deepEqual(await bench.words(), wordsOf(rows));
    const texts = await table.readRows(places);
    assert.deepEqual(
      texts.map((row) => row?.slice(1, 3)),
      [
        ['7', null],
        ['0', 'group 0/'],
        ['29', 'group 1/'],
      ],
    );
    await table.close();
    await bench.assertTidy();
  });

  it('a partition over a column that does not exist is refused before anything is written', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    const partition = options.partition.replace('name', 'nowhere');
    await assert.rejects(session.openTable(conformanceTable({ partition })), { kind: 'configuration_invalid' });
    assert.deepEqual(await bench.words(), []);
  });

  it('a dropped table is gone, and dropping it again says so', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    await tellStory(session);
    assert.equal(await session.dropTable(tableName), true);
    assert.deepEqual(await bench.words(), []);
    assert.equal(await session.dropTable(tableName), false);
    const table = await session.openTable(conformanceTable());
    assert.deepEqual([table.checkpoint, table.rows], [undefined, 0]);
    await table.close();
  });
}
