import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { PoolClient } from 'pg';

/** `keepPlan` as text, for statements that are. */
export const KEEP_PLAN = '/* keep plan */';

/**
 * Put at the very start of a statement, lets each connection plan it once and not every time: for short ones whose text
 * is always the same, that find rows by their keys, and of which planning would be the larger part.
 */
export const keepPlan = sql.raw(KEEP_PLAN);

const names = new Map<string, string>();

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `kept_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
  names.set(text, name);
  return name;
}

/** Makes a new connection prepare, under a name, what is marked. */
export function keepPlans(client: PoolClient): void {
  const query = client.query.bind(client) as (...given: unknown[]) => unknown;
  const keeping = (text: unknown, values: unknown, ...rest: unknown[]): unknown => {
    const isMarked = typeof text === 'string' && text.startsWith(KEEP_PLAN);
    return isMarked ? query({ name: nameOf(text), text, values }, ...rest) : query(text, values, ...rest);
  };
  client.query = keeping as typeof client.query;
}
