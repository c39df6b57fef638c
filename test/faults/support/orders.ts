import type { TestSource } from '../../support/source.ts';
import type { Row } from './lake-tables.ts';

/** What source and table are compared by, one text per row, sorted. */
export async function sourceRows(source: TestSource, table = 'orders'): Promise<string[]> {
  const rows = await source.run(
    `select id::text as id, name, amount::text as amount,
       to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at from ${table}`,
  );
  return rows.map((row) => [row['id'], row['name'], row['amount'], row['at']].join('|')).toSorted();
}

export function lakeRows(rows: readonly Row[]): string[] {
  return rows
    .map((row) => [String(row['id']), row['name'], Number(row['amount']).toFixed(2), toIso(row['at'])].join('|'))
    .toSorted();
}

/** Of rows of append-only tables, the newest per identity. */
export function newestRows(rows: readonly Row[]): Row[] {
  const newest = new Map<string, Row>();
  const time = (row: Row): string => toIso(row['_olake_timestamp']);
  for (const row of rows) {
    const id = String(row['_olake_id']);
    const other = newest.get(id);
    if (!other || time(row) > time(other)) newest.set(id, row);
  }
  return [...newest.values()];
}

/** A table of three partitions (so of three chunks) whose cursor `at` has many ties. */
export async function createOrders(source: TestSource, rows: number): Promise<void> {
  await source.run(
    `create table orders (id bigint primary key, name text, amount numeric(10,2), at timestamptz not null)
       partition by hash (id);
     create table orders_0 partition of orders for values with (modulus 3, remainder 0);
     create table orders_1 partition of orders for values with (modulus 3, remainder 1);
     create table orders_2 partition of orders for values with (modulus 3, remainder 2);
     insert into orders select i, 'name ' || i, i / 7.0, '2026-01-01Z'::timestamptz + (i / 10) * interval '1 second'
       from generate_series(1, ${rows}) as i`,
  );
}

function toIso(value: unknown): string {
  return value instanceof Date ? value.toISOString() : new Date(Number(value) / 1000).toISOString();
}
