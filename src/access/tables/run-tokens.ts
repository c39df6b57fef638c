import { sql } from 'kysely';
import type { Queryable } from '../../store/index.ts';

const AFTER_RUN = sql.lit('1 hour');

export async function insertRunToken(
  tx: Queryable,
  token: { hash: Buffer; tokenId: number; runId: string; isRestricted: boolean },
): Promise<void> {
  await tx
    .insertInto('storage_run_token')
    .values({
      token_hash: token.hash,
      token_id: token.tokenId,
      run_id: token.runId,
      is_restricted: token.isRestricted,
    })
    .execute();
}

/** The run is over: components that still report get an hour. */
export async function expireRunTokens(tx: Queryable, runId: string): Promise<void> {
  await tx
    .updateTable('storage_run_token')
    .set({ expires_at: sql<Date>`now() + interval ${AFTER_RUN}` })
    .where('run_id', '=', runId)
    .where('expires_at', 'is', null)
    .execute();
}

/** Also those that an attempt made while its run was being ended. */
export async function removeEndedRunTokens(db: Queryable): Promise<void> {
  await sql`delete from storage_run_token t where t.expires_at <= now()
    or (t.expires_at is null and exists (
      select from run r where r.id = t.run_id and r.ended_at < now() - interval ${AFTER_RUN}))`.execute(db);
}
