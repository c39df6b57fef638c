import type { Column } from '../../columns/index.ts';
import { readRowTexts } from '../parquet/index.ts';
import type { Storage } from '../storage/types.ts';
import { createLiveReader } from './live-files.ts';
import type { TableMetadata } from './model.ts';
import type { RowLocation } from './unit-files.ts';

interface RowPorts {
  readonly storage: Storage;
  readonly columns: readonly Column[];
  /** The table as the catalog has it now. */
  present(): Promise<TableMetadata | undefined>;
}

/**
 * Rows at the given places as canonical text in column order, in the order of the places. A column that the file does not
 * have is null, as the table says for files older than a column. Undefined where the file is gone and the table does not
 * need it any more: an upsert or upkeep wrote its rows anew.
 */
export async function readRowsAt(
  { storage, columns, present }: RowPorts,
  places: readonly RowLocation[],
): Promise<((string | null)[] | undefined)[]> {
  const result: ((string | null)[] | undefined)[] = Array.from({ length: places.length });
  for (const [path, wanted] of Map.groupBy(places.entries(), ([, place]) => place.file)) {
    if ((await storage.size(path)) === undefined && !(await isNeeded(storage, await present(), path))) continue;
    const rows = wanted.map(([, place]) => place.row);
    const texts = await readRowTexts(storage, { path, rows }, columns);
    for (const [at, [index]] of wanted.entries()) result[index] = texts[at]!;
  }
  return result;
}

async function isNeeded(storage: Storage, metadata: TableMetadata | undefined, path: string): Promise<boolean> {
  if (metadata === undefined) return false;
  const { data } = await createLiveReader(storage).read(metadata);
  return data.some(({ entry }) => entry.file.path === path);
}
