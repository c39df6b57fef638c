import type { Queryable } from '../../store/index.ts';

/** Records the server key of this database if none is recorded, and answers the recorded one. */
export async function claimServerKey(db: Queryable, keyId: string): Promise<string> {
  const tables = db;
  await tables
    .insertInto('server_key')
    .values({ key_id: keyId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await tables.selectFrom('server_key').select('key_id').executeTakeFirstOrThrow();
  return row.key_id;
}
