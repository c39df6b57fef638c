import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { icebergRead } from 'icebird';
import { withLocalFiles } from '../../../test/support/local-files.ts';
import type { Column, ColumnBatch, ColumnValue } from '../../columns/index.ts';
import { createColumnBuilder } from '../../columns/index.ts';
import { createWorld } from '../../world.ts';
import type { World } from '../../world.ts';
import type { CatalogPort } from '../catalog/index.ts';
import { createPointerTables, openJdbcCatalog } from '../catalog/index.ts';
import type { Storage } from '../storage/index.ts';
import { createLocalStorage } from '../storage/index.ts';
import type { CommitCheckpoint } from './checkpoint.ts';
import type { TableMetadata } from './model.ts';
import type { IcebergTable, IcebergTableOptions } from './state.ts';
import { openIcebergTable } from './table.ts';

export interface Lake {
  readonly folder: string;
  readonly storage: Storage;
  readonly world: World;
  readonly catalog: CatalogPort;
  open(changes?: OpeningChanges): Promise<IcebergTable>;
  close(): Promise<void>;
}

/** Options of an opening; the catalog is one of names of metadata files. */
export type OpeningChanges = Partial<Omit<IcebergTableOptions, 'catalog'>> & { readonly catalog?: CatalogPort };

export const name = { database: 'shop', table: 'orders' };

/** A warehouse in a folder with a SQLite catalog beside it; another process may open the same folder. */
export async function openLake(given?: { folder: string; world?: World }): Promise<Lake> {
  const folder = given?.folder ?? (await mkdtemp(join(tmpdir(), 'lake-')));
  const world = given?.world ?? createWorld();
  const storage = createLocalStorage(world);
  const owned = await openJdbcCatalog({
    url: `jdbc:sqlite:${folder}/catalog.db`,
    catalogName: 'lake',
    allowPath: () => {},
  });
  const { catalog } = owned;
  return {
    folder,
    storage,
    world,
    catalog,
    open: ({ catalog: pointers = catalog, ...changes } = {}) =>
      openIcebergTable({
        storage,
        world,
        catalog: createPointerTables({ storage, world: changes.world ?? world, catalog: pointers }),
        name,
        guard: async () => {},
        location: `${folder}/shop/orders`,
        columns: orderColumns,
        identifierFields: true,
        checkpointKey: 'p/1/public.orders',
        run: 'run-1',
        codec: 'zstd',
        targetFileBytes: 64 << 20,
        ...changes,
      }),
    async close() {
      await owned.close();
      if (!given) await rm(folder, { recursive: true, force: true });
    },
  };
}

const column = (of: string, type: Column['type'], nullable = true): Column => ({ name: of, type, nullable });

export const orderColumns: readonly Column[] = [
  column('_olake_id', { kind: 'string' }, false),
  column('amount', { kind: 'long' }),
];

export type Row = readonly (ColumnValue | null)[];

export function batchOf(columns: readonly Column[], rows: readonly Row[]): ColumnBatch {
  const vectors = columns.map((one, at) => {
    const builder = createColumnBuilder(one, rows.length);
    for (const row of rows) builder.append(row[at]!);
    return builder.finish();
  });
  return { rows: rows.length, columns: vectors };
}

export function checkpoint(seq: number, more: Record<string, unknown> = {}): CommitCheckpoint {
  return { v: 1, job: 'p/1', stream: 'public.orders', run: 'run-1', seq, mode: 'full_refresh', ...more };
}

/** Reads a table by icebird, an implementation that shares no code with ours. */
export async function readIndependently(metadata: TableMetadata): Promise<Record<string, unknown>[]> {
  if (metadata['current-snapshot-id'] === undefined) return [];
  try {
    const plain = JSON.parse(JSON.stringify(metadata)) as never;
    return await withLocalFiles(() => icebergRead({ tableUrl: metadata.location, metadata: plain }));
  } catch (error) {
    // icebird refuses tables whose snapshot lists no data file.
    if (String(error).includes('No data manifest files')) return [];
    throw error;
  }
}
