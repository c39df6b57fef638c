import { DuckDBInstance } from '@duckdb/node-api';
import type { World } from '../../world.ts';
import type { TableCatalog } from '../catalog/index.ts';
import { createPointerTables } from '../catalog/index.ts';
import { createLiveReader } from '../iceberg/live-files.ts';
import type { IcebergTable } from '../iceberg/state.ts';
import type { Lake, Row } from '../iceberg/table.test-support.ts';
import { batchOf, checkpoint, name, orderColumns, readIndependently } from '../iceberg/table.test-support.ts';
import { maintainIcebergTable } from './maintain.ts';
import type { UpkeepOptions, UpkeepPolicy, UpkeepResult } from './types.ts';

const tablesOf = ({ storage, world, catalog }: Lake, other: World = world): TableCatalog =>
  createPointerTables({ storage, world: other, catalog });

export const compactAll: UpkeepPolicy = { compact: { targetFileBytes: 64 << 20, minInputFiles: 2 } };

export async function maintain(
  lake: Lake,
  policy: UpkeepPolicy,
  changes: Partial<UpkeepOptions> = {},
): Promise<UpkeepResult> {
  const { storage, world } = lake;
  const guard = async (): Promise<void> => {};
  const { signal } = new AbortController();
  const options = {
    storage,
    catalog: tablesOf(lake, changes.world),
    world,
    name,
    guard,
    codec: 'zstd',
    signal,
    policy,
  } as const;
  return (await maintainIcebergTable({ ...options, ...changes }))!;
}

export async function write(
  table: IcebergTable,
  rows: readonly Row[],
  effect: 'append' | 'upsert' = 'upsert',
): Promise<void> {
  const unit = table.beginUnit();
  await unit.write(batchOf(orderColumns, rows));
  await unit.commit(effect, checkpoint((table.checkpoint?.seq ?? 0) + 1));
}

/** What icebird reads: `[id, amount]`, sorted. */
export async function pairs(lake: Lake): Promise<unknown[][]> {
  const table = (await tablesOf(lake).load(name))!;
  const rows = await readIndependently(table.metadata);
  return rows.map((row) => [row['_olake_id'], row['amount']]).sort();
}

/** What DuckDB reads in the table's data files alone, deletes left out of account. */
export async function rawPairs(lake: Lake): Promise<unknown[][]> {
  const table = (await tablesOf(lake).load(name))!;
  const { data } = await createLiveReader(lake.storage).read(table.metadata);
  const instance = await DuckDBInstance.create(':memory:');
  const duck = await instance.connect();
  try {
    const list = data.map(({ entry }) => `'${entry.file.path}'`).join();
    const answer = await duck.runAndReadAll(`SELECT _olake_id, amount FROM read_parquet([${list}]) ORDER BY ALL`);
    return answer.getRows().map((row) => [...row]);
  } finally {
    duck.closeSync();
    instance.closeSync();
  }
}

/** How many data and delete files the table shows. */
export async function fileCounts(lake: Lake): Promise<{ data: number; deletes: number }> {
  const table = (await tablesOf(lake).load(name))!;
  const live = await createLiveReader(lake.storage).read(table.metadata);
  return { data: live.data.length, deletes: live.deletes.length };
}
