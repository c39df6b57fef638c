import type { Queryable } from '../../store/index.ts';

/** Those of the ids that are runs. */
export async function findRunIds(db: Queryable, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('run').select('id').where('id', 'in', ids).execute();
  return new Set(rows.map(({ id }) => id));
}
