import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Column } from '../../columns/index.ts';
import type { Lake, Row } from './table.test-support.ts';
import { batchOf, checkpoint, name, openLake, orderColumns, readIndependently } from './table.test-support.ts';
import type { IcebergTable } from './state.ts';

const regionColumns: Column[] = [...orderColumns, { name: 'region', type: { kind: 'string' }, nullable: true }];

async function append(table: IcebergTable, rows: readonly Row[], seq: number): Promise<void> {
  const columns = rows[0]!.length === 3 ? regionColumns : orderColumns;
  const unit = table.beginUnit();
  await unit.write(batchOf(columns, rows));
  await unit.commit('append', checkpoint(seq));
}

async function upsert(table: IcebergTable, rows: readonly Row[], seq: number): Promise<void> {
  const columns = rows[0]!.length === 3 ? regionColumns : orderColumns;
  const unit = table.beginUnit();
  for (const row of rows) await unit.write(batchOf(columns, [row]));
  await unit.commit('upsert', checkpoint(seq));
}

const readPairs = async (table: IcebergTable): Promise<unknown[][]> => {
  const rows = await readIndependently(table.metadata);
  return rows.map((row) => [row['_olake_id'], row['amount']]).sort();
};

describe('an Iceberg table', () => {
  let lake: Lake;
  before(async () => {
    lake = await openLake();
  });
  after(() => lake.close());

  it('shows appended rows to an independent reader, commit after commit', async () => {
    const table = await lake.open({ name: { ...name, table: 'appends' }, location: `${lake.folder}/shop/appends` });
    for (let seq = 1; seq <= 3; seq++) await append(table, [[`k${seq}`, 2n ** 62n + BigInt(seq)]], seq);
    assert.deepEqual(await readPairs(table), [
      ['k1', 2n ** 62n + 1n],
      ['k2', 2n ** 62n + 2n],
      ['k3', 2n ** 62n + 3n],
    ]);
    assert.equal(table.rows, 3);
    assert.equal(table.checkpoint?.seq, 3);
    await table.close();
  });

  it('replaces its content in one snapshot by what was staged', async () => {
    const options = { name: { ...name, table: 'replaced' }, location: `${lake.folder}/shop/replaced` };
    const table = await lake.open(options);
    await append(table, [['old', 1n]], 1);
    for (const seq of [2, 3]) {
      const unit = table.beginUnit();
      await unit.write(batchOf(orderColumns, [[`new${seq}`, 5n]]));
      const staged = await unit.commit('stage', checkpoint(seq));
      assert.equal(staged.rows, 1);
    }
    assert.deepEqual(await readPairs(table), [['old', 1n]]);
    await table.close();

    const resumed = await lake.open(options);
    assert.equal(resumed.checkpoint?.seq, 3);
    const done = await resumed.publishStaged(checkpoint(4));
    assert.deepEqual([done.rows, done.tableRows], [2, 2]);
    assert.deepEqual(await readPairs(resumed), [
      ['new2', 5n],
      ['new3', 5n],
    ]);
    const { summary } = resumed.metadata.snapshots.at(-1)!;
    assert.equal(summary['deleted-data-files'], '1');
    assert.equal(summary['deleted-records'], '1');
    assert.equal(summary['total-data-files'], '2');
    assert.equal(summary.operation, 'overwrite');
    await append(resumed, [['more', 6n]], 5);
    assert.equal((await readPairs(resumed)).length, 3);
    await resumed.close();
  });

  it('keeps one row for each identifier after upserts, the last one written', async () => {
    const table = await lake.open({
      name: { ...name, table: 'upserts' },
      location: `${lake.folder}/shop/upserts`,
      identifier: '_olake_id',
    });
    await append(
      table,
      [
        ['a', 1n],
        ['b', 1n],
        ['c', 1n],
      ],
      1,
    );
    await upsert(
      table,
      [
        ['b', 2n],
        ['d', 2n],
        ['b', 3n],
        ['b', 4n],
      ],
      2,
    );
    await upsert(table, [['d', 5n]], 3);
    assert.deepEqual(await readPairs(table), [
      ['a', 1n],
      ['b', 4n],
      ['c', 1n],
      ['d', 5n],
    ]);
    await table.close();
  });

  it('keeps one row for each identifier when an update moves it to another partition', async () => {
    const table = await lake.open({
      name: { ...name, table: 'moves' },
      location: `${lake.folder}/shop/moves`,
      identifier: '_olake_id',
      partition: '/{region, identity}/{_olake_id, bucket[4]}',
      columns: regionColumns,
    });
    await append(
      table,
      [
        ['a', 1n, 'eu'],
        ['b', 1n, null],
        ['c', 1n, 'us/é'],
      ],
      1,
    );
    const unit = table.beginUnit();
    await unit.write(
      batchOf(regionColumns, [
        ['a', 2n, 'us'],
        ['b', 2n, 'eu'],
        ['a', 3n, 'eu'],
        ['b', 3n, null],
        ['a', 4n, 'asia'],
      ]),
    );
    await unit.commit('upsert', checkpoint(2));
    const rows = await readIndependently(table.metadata);
    const told = rows.map((row) => [row['_olake_id'], row['amount'], row['region'] ?? null]).sort();
    assert.deepEqual(told, [
      ['a', 4n, 'asia'],
      ['b', 3n, null],
      ['c', 1n, 'us/é'],
    ]);
    await table.close();
  });
});
