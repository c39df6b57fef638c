import { sql } from 'kysely';
import type { Queryable } from '../../store/index.ts';

const WINDOW = sql.lit('5 minutes');

/** Notes a failed sign-in and answers its id. */
export async function insertFailure(db: Queryable, origin: Buffer): Promise<number> {
  const row = await db.insertInto('sign_in_failures').values({ origin }).returning('id').executeTakeFirstOrThrow();
  return Number(row.id);
}

/** Failures of this origin in the last five minutes. */
export async function countFailures(db: Queryable, origin: Buffer): Promise<number> {
  const row = await db
    .selectFrom('sign_in_failures')
    .select((select) => select.fn.countAll().as('total'))
    .where('origin', '=', origin)
    .where('failed_at', '>', sql<Date>`now() - interval ${WINDOW}`)
    .executeTakeFirstOrThrow();
  return Number(row.total);
}

export async function removeFailure(db: Queryable, id: number): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('id', '=', id).execute();
}

export async function removeFailuresOf(db: Queryable, origin: Buffer): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('origin', '=', origin).execute();
}

export async function removeOldFailures(db: Queryable): Promise<void> {
  await db
    .deleteFrom('sign_in_failures')
    .where('failed_at', '<=', sql<Date>`now() - interval ${WINDOW}`)
    .execute();
}
