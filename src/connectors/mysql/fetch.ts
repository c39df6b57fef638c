import type { SampledRow } from '../kit/index.ts';
import { canonicalOfText } from './canonical.ts';
import type { Query, Relation } from './catalog.ts';
import { quoteName } from './quote.ts';
import { columnOf, literal, quoteRelation } from './select.ts';
import type { ChosenColumn } from './selection.ts';

interface FetchWork {
  readonly columns: readonly ChosenColumn[];
  readonly primaryKey: readonly string[];
  readonly keys: readonly (readonly string[])[];
}

const KEYS_PER_QUERY = 500;

/**
 * Rows by primary key, in canonical text. Goes by the text protocol and the server's printed values, not by the binary
 * reader, so that it can prove that reader wrong.
 */
export async function fetchRows(query: Query, relation: Relation, work: FetchWork): Promise<SampledRow[]> {
  const { columns, primaryKey, keys } = work;
  if (primaryKey.length === 0 || keys.length === 0) return [];
  const key = primaryKey.map((name) => columnOf(relation, name));
  const names = key.map(({ name }) => quoteName(name));
  const list = columns.map(({ name, reading }) => reading.printed(quoteName(name))).join(', ');
  const rows: SampledRow[] = [];
  for (let start = 0; start < keys.length; start += KEYS_PER_QUERY) {
    const wanted = keys
      .slice(start, start + KEYS_PER_QUERY)
      .map((values) => `(${key.map((column, at) => literal(column, values[at] ?? '')).join(', ')})`);
    const found = await query(
      `select ${list} from ${quoteRelation(relation)} where (${names.join(', ')}) in (${wanted.join(', ')})`,
    );
    for (const row of found) {
      rows.push({ values: row.map((text, index) => canonicalValue(columns[index] as ChosenColumn, text)) });
    }
  }
  return rows;
}

function canonicalValue(column: ChosenColumn, text: string | null): string | null {
  return text === null ? null : canonicalOfText(column.reading.type, text);
}
