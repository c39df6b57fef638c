import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Column, ColumnType } from '../../columns/index.ts';
import { createWorld } from '../../world.ts';
import { createPointerTables } from '../catalog/index.ts';
import { compactAll, maintain } from '../maintain/maintain.test-support.ts';
import type { CommitPorts } from './committer.ts';
import { renameColumn } from './evolve.ts';
import { createLiveReader } from './live-files.ts';
import type { IcebergTable } from './state.ts';
import type { Lake, OpeningChanges, Row } from './table.test-support.ts';
import { batchOf, checkpoint, name, openLake, readIndependently } from './table.test-support.ts';

const column = (of: string, type: ColumnType, nullable = true): Column => ({ name: of, type, nullable });
const id = column('_olake_id', { kind: 'string' }, false);
const first: readonly Column[] = [
  id,
  column('count', { kind: 'int' }),
  column('ratio', { kind: 'float' }),
  column('price', { kind: 'decimal', precision: 9, scale: 2 }),
  column('note', { kind: 'string' }),
];
const wider: readonly Column[] = [
  id,
  column('count', { kind: 'long' }),
  column('ratio', { kind: 'double' }),
  column('price', { kind: 'decimal', precision: 20, scale: 2 }),
  column('added', { kind: 'boolean' }),
];

async function lakeFor(context: TestContext): Promise<Lake> {
  const lake = await openLake();
  context.after(() => lake.close());
  return lake;
}

async function write(lake: Lake, rows: readonly Row[], shape: OpeningChanges & { columns: readonly Column[] }) {
  const table = await lake.open({ identifier: '_olake_id', ...shape });
  const unit = table.beginUnit();
  await unit.write(batchOf(shape.columns, rows));
  await unit.commit('upsert', checkpoint((table.checkpoint?.seq ?? 0) + 1));
  await table.close();
  return table;
}

const portsOf = (lake: Lake): CommitPorts => {
  const { storage, catalog } = lake;
  const world = createWorld();
  return { storage, world, name, guard: async () => {}, catalog: createPointerTables({ storage, world, catalog }) };
};

const valuesOf = async (table: IcebergTable): Promise<unknown[][]> =>
  (await readIndependently(table.metadata)).map((row) => Object.values(row).map((one) => one ?? null)).sort();

/** All data files read by DuckDB, columns found by field id as the table's schema says. */
async function readByFieldId(lake: Lake): Promise<unknown[][]> {
  const { metadata } = (await portsOf(lake).catalog.load(name))!;
  const { data } = await createLiveReader(lake.storage).read(metadata);
  const schema = metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id'])!;
  const types: Record<string, string> = { string: 'VARCHAR', long: 'BIGINT', double: 'DOUBLE', boolean: 'BOOLEAN' };
  const fields = schema.fields.map((field) => {
    const type = types[String(field.type)] ?? String(field.type).toUpperCase();
    return `${field.id}: {name: '${field.name}', type: '${type}', default_value: NULL}`;
  });
  const instance = await DuckDBInstance.create(':memory:');
  const duck = await instance.connect();
  try {
    const list = data.map(({ entry }) => `'${entry.file.path}'`).join();
    const answer = await duck.runAndReadAll(
      `SELECT * FROM read_parquet([${list}], schema = MAP {${fields.join()}}) ORDER BY 1`,
    );
    return answer
      .getRows()
      .map((row) => row.map((value) => (typeof value === 'object' && value ? String(value) : value)));
  } finally {
    duck.closeSync();
    instance.closeSync();
  }
}

describe('a table whose columns change', () => {
  it('widens types, adds columns and keeps those that are missing, before and after compaction', async (t) => {
    const lake = await lakeFor(t);
    await write(
      lake,
      [
        ['a', 1, 1.5, 150n, 'x'],
        ['b', 2, 2.5, 250n, 'y'],
      ],
      { columns: first },
    );
    const table = await write(lake, [['b', 2n ** 40n, 0.1, 10n ** 19n, true]], { columns: wider });
    const seen = (await valuesOf(table)).map(([key, count, , , note, added]) => [key, Number(count), note, added]);
    assert.deepEqual(seen, [
      ['a', 1, 'x', null],
      ['b', 2 ** 40, null, true],
    ]);
    await maintain(lake, compactAll);
    assert.deepEqual(await readByFieldId(lake), [
      ['a', 1n, 1.5, '1.50', 'x', null],
      ['b', 2n ** 40n, 0.1, '100000000000000000.00', null, true],
    ]);
  });

  it('renames a column by its id: older files keep telling its values', async (t) => {
    const lake = await lakeFor(t);
    await write(lake, [['a', 1, 1.5, 150n, 'x']], { columns: first });
    assert.equal(await renameColumn(portsOf(lake), { from: 'note', to: 'remark' }), true);
    const columns = first.map((one) => (one.name === 'note' ? { ...one, name: 'remark' } : one));
    const table = await write(lake, [['b', 2, 2.5, 250n, 'y']], { columns });
    const rows = await readIndependently(table.metadata);
    assert.deepEqual(rows.map((row) => row['remark']).sort(), ['x', 'y']);
    assert.ok(rows.every((row) => !('note' in row)));
    await maintain(lake, compactAll);
    const compacted = (await portsOf(lake).catalog.load(name))!;
    assert.deepEqual((await readIndependently(compacted.metadata)).map((row) => row['remark']).sort(), ['x', 'y']);
    await assert.rejects(renameColumn(portsOf(lake), { from: 'note', to: 'other' }), { kind: 'object_missing' });
    await assert.rejects(renameColumn(portsOf(lake), { from: 'count', to: 'price' }), {
      kind: 'configuration_invalid',
    });
    const nowhere = { ...portsOf(lake), name: { ...name, table: 'none' } };
    assert.equal(await renameColumn(nowhere, { from: 'a', to: 'b' }), false);
  });

  it('is partitioned anew: rows of both specs are replaced, and compacted where they lie', async (t) => {
    const lake = await lakeFor(t);
    for (const deleteMode of ['equality', 'position', 'copy_on_write'] as const) {
      const place = { name: { ...name, table: deleteMode }, location: `${lake.folder}/shop/${deleteMode}`, deleteMode };
      const columns = [id, column('region', { kind: 'string' })];
      await write(
        lake,
        [
          ['a', 'eu'],
          ['b', 'us'],
        ],
        { ...place, columns },
      );
      await write(
        lake,
        [
          ['c', 'eu'],
          ['a', 'us'],
        ],
        { ...place, columns, partition: '/{region, identity}' },
      );
      const table = await write(
        lake,
        [
          ['b', null],
          ['c', 'us'],
        ],
        { ...place, columns, partition: '/{region, truncate[1]}' },
      );
      const expected = [
        ['a', 'us'],
        ['b', null],
        ['c', 'us'],
      ];
      assert.deepEqual(await valuesOf(table), expected, deleteMode);
      await maintain(lake, compactAll, { name: place.name });
      const after = (await portsOf(lake).catalog.load(place.name))!;
      const rows = await readIndependently(after.metadata);
      assert.deepEqual(rows.map((row) => [row['_olake_id'], row['region'] ?? null]).sort(), expected, deleteMode);
      const live = await createLiveReader(lake.storage).read(after.metadata);
      assert.equal(live.deletes.length, 0);
    }
  });
});
