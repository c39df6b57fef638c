import type { Query, Relation } from './catalog.ts';
import { quoteRelation } from './select.ts';

/** Views compute their rows and foreign tables keep theirs elsewhere: neither says who wrote them. */
const UNMARKED = ['v', 'f'];

/**
 * The oldest transaction that may still run in this snapshot: a row written after it bears this number or a later one.
 * Null where rows bear no such number.
 */
export async function readChangeMark(query: Query, relation: Relation): Promise<string | null> {
  if (UNMARKED.includes(relation.kind)) return null;
  const rows = await query('select pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())');
  return rows[0]?.[0] ?? null;
}

/**
 * True when no row of this snapshot was inserted or updated since the mark; deleted rows show in the count. One scan, no
 * row leaves the server. Row numbers have 32 bits and go round, so they are compared on the circle, as the server does;
 * numbers below 3 are the server's own. A doubt counts as a change.
 */
export async function isUnchangedSince(query: Query, relation: Relation, mark: string): Promise<boolean> {
  if (UNMARKED.includes(relation.kind) || !/^\d+$/.test(mark)) return false;
  const origin = BigInt(mark) & 0xffff_ffffn;
  const number = 'xmin::pg_catalog.text::pg_catalog.int8';
  const rows = await query(
    `select not exists (select 1 from ${quoteRelation(relation)}
       where ${number} >= 3 and (${number} - ${origin} + 4294967296) % 4294967296 < 2147483648)`,
  );
  return rows[0]?.[0] === 't';
}
