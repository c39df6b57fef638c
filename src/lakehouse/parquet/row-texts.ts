import type { Column } from '../../columns/index.ts';
import { canonicalText, readRows, selectRows } from '../../columns/index.ts';
import type { Storage } from '../storage/types.ts';
import { openVectorReader } from './vectors.ts';

/**
 * Canonical texts of single rows of a file, in the order asked for. `columns` names them with the type whose text is
 * wanted (a table's present type may be wider than the file's); null where the file has no such column. Decodes each row
 * group at most once, and holds one of its columns at a time.
 */
export async function readRowTexts(
  storage: Storage,
  { path, rows }: { readonly path: string; readonly rows: readonly number[] },
  columns: readonly Pick<Column, 'name' | 'type'>[],
): Promise<(string | null)[][]> {
  const file = await openVectorReader(storage, path);
  const texts: (string | null)[][] = Array.from({ length: rows.length }, () => columns.map(() => null));
  let start = 0;
  for (const [group, { rows: groupRows }] of file.groups.entries()) {
    const from = start;
    start += groupRows;
    const wanted = [...rows.entries()].filter(([, row]) => row >= from && row < from + groupRows);
    if (wanted.length === 0) continue;
    const picks = wanted.map(([, row]) => row - from);
    for (const [at, { name, type }] of columns.entries()) {
      const stored = file.columns.find((column) => column.name === name);
      if (!stored) continue;
      const column = { name, type: stored.type, nullable: true };
      const batch = await file.readGroup(group, [{ column, fieldId: stored.fieldId ?? -1 }]);
      const values = readRows(selectRows(batch.columns[0]!, groupRows, picks), picks.length);
      for (const [pick, [index]] of wanted.entries()) {
        const value = values[pick]!;
        texts[index]![at] = value === null ? null : canonicalText(type, value);
      }
    }
  }
  return texts;
}
