import type { Column, ColumnBatch, ColumnValue } from '../../../columns/index.ts';
import { createColumnBuilder } from '../../../columns/index.ts';
import type { Checkpoint, OpenTable } from '../index.ts';

/** The table that the conformance suite writes: an identifier, a number, a text, an exact amount. */
export const conformanceColumns: readonly Column[] = [
  { name: '_olake_id', type: { kind: 'string' }, nullable: false },
  { name: 'id', type: { kind: 'int' }, nullable: true },
  { name: 'name', type: { kind: 'string' }, nullable: true },
  { name: 'amount', type: { kind: 'decimal', precision: 10, scale: 2 }, nullable: true },
];

export interface ConformanceRow {
  readonly id: number;
  readonly name: string | null;
}

/** Rows with ids from `first`, each with a name that tells its writer. */
export function rowsFrom(first: number, count: number, writer: string): ConformanceRow[] {
  return Array.from({ length: count }, (_, at) => ({ id: first + at, name: `${writer}-${first + at}` }));
}

/** The rows as a batch of the given columns; columns beyond the first four get the id's text or number. */
export function batchOf(rows: readonly ConformanceRow[], columns: readonly Column[] = conformanceColumns): ColumnBatch {
  const vectors = columns.map((column) => {
    const builder = createColumnBuilder(column, rows.length);
    for (const row of rows) builder.append(valueOf(column, row));
    return builder.finish();
  });
  return { rows: rows.length, columns: vectors };
}

function valueOf(column: Column, row: ConformanceRow): ColumnValue | null {
  if (column.name === '_olake_id') return String(row.id);
  if (column.name === 'name') return row.name;
  if (column.name === 'amount') return row.id % 3 === 0 ? null : BigInt(row.id) * 101n;
  if (column.type.kind === 'string') return String(row.id);
  return column.type.kind === 'long' ? BigInt(row.id) : row.id;
}

const key = 'project/1/public.rows';

/** How the suite opens its table. */
export function conformanceTable(changes: Partial<OpenTable> = {}): OpenTable {
  return {
    name: { database: 'conformance', table: 'rows' },
    columns: conformanceColumns,
    checkpointKey: key,
    run: 'r_conformance',
    identifier: '_olake_id',
    ...changes,
  };
}

export function checkpointOf(seq: number): Checkpoint {
  return { v: 1, job: 'project/1', stream: 'public.rows', run: 'r_conformance', seq, mode: 'full_refresh' };
}

/** Rows read back, as sorted words `id:name`, for comparison. */
export function wordsOf(rows: readonly { readonly id?: unknown; readonly name?: unknown }[]): string[] {
  return rows.map((row) => `${String(row.id)}:${String(row.name)}`).sort();
}
