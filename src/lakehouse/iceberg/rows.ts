import type { Column } from '../../columns/index.ts';
import { readRowTexts } from '../parquet/index.ts';
import type { Storage } from '../storage/types.ts';
import type { RowLocation } from './unit-files.ts';

/**
 * Rows at the given places as canonical text in column order, in the order of the places. A column that the file does not
 * have is null, as the table says for files older than a column.
 */
export async function readRowsAt(
  storage: Storage,
  columns: readonly Column[],
  places: readonly RowLocation[],
): Promise<(string | null)[][]> {
  const result: (string | null)[][] = Array.from({ length: places.length }, () => []);
  for (const [path, wanted] of Map.groupBy(places.entries(), ([, place]) => place.file)) {
    const rows = wanted.map(([, place]) => place.row);
    const texts = await readRowTexts(storage, { path, rows }, columns);
    for (const [at, [index]] of wanted.entries()) result[index] = texts[at]!;
  }
  return result;
}
