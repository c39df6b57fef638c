import { sql, type RawBuilder } from 'kysely';

export type Columns = readonly { readonly name: string; readonly type: string }[];

/** Columns of rows to send, as `name type, name type`. */
export function readColumns(text: string): Columns {
  return text.split(/,\s+/).map((column) => {
    const [name = '', type = ''] = column.split(' ');
    return { name, type };
  });
}

/**
 * Rows for a statement's `from`, named `x`: an array for each column, which the database reads in a fifth of the time that
 * JSON takes. Values are texts, numbers, booleans and instants; null, or left out, is null. What goes to a `json` column is given
 * as JSON text.
 */
export function rowsOf(columns: Columns, rows: readonly object[]): RawBuilder<unknown> {
  const arrays = columns.map(({ name, type }) => sql`${toArray(rows, name)}::${sql.raw(type)}[]`);
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  return sql`unnest(${sql.join(arrays)}) as x (${sql.raw(names)})`;
}

/** One column as PostgreSQL writes arrays. Many columns hold the same value in each row. */
function toArray(rows: readonly object[], name: string): string {
  let text = '{';
  let last: unknown;
  let element = 'NULL';
  for (const [place, row] of rows.entries()) {
    const value = (row as Readonly<Record<string, unknown>>)[name];
    if (value !== last) {
      element = toElement(value);
      last = value;
    }
    text += place === 0 ? element : `,${element}`;
  }
  return `${text}}`;
}

function toElement(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (value instanceof Date) return `"${value.toISOString()}"`;
  if (typeof value !== 'string') return String(value);
  return `"${/["\\]/.test(value) ? value.replaceAll(/["\\]/g, String.raw`\$&`) : value}"`;
}
