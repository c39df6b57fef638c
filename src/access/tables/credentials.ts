import { sql } from 'kysely';
import type { Queryable, Store } from '../../store/index.ts';
import type { CredentialRow } from '../rows.ts';
import type { Role } from '../types.ts';

const LIFE = sql.lit('30 days');
// A session is prolonged at most once an hour, so that reading does not write each time.
const STALE = `s.expires_at < now() + interval '30 days' - interval '1 hour'`;

// These two run for every request: as fixed text straight through the pool they cost half of a built statement.
const SESSION = `select u.id, u.username, u.role, s.id as session_id, ${STALE} as stale
from sessions s join users u on u.id = s.user_id where s.id = $1 and s.expires_at > now()`;

const TOKEN = `select u.id, u.username, u.role, t.session_id, coalesce(${STALE}, false) as stale, t.token_hash
from tokens t join users u on u.id = t.user_id left join sessions s on s.id = t.session_id
where t.id = $1 and (t.session_id is null or s.expires_at > now())`;

type Pool = Store['pool'];

interface RawCredential {
  readonly id: number | string;
  readonly username: string;
  readonly role: Role;
  readonly session_id: string | null;
  readonly stale: boolean;
}

export async function findSession(pool: Pool, sessionId: string): Promise<CredentialRow | undefined> {
  const { rows } = await pool.query<RawCredential>(SESSION, [sessionId]);
  return rows[0] && toCredential(rows[0]);
}

/** The token's stored hash comes with it: whoever asks compares it in constant time. */
export async function findToken(
  pool: Pool,
  id: string,
): Promise<(CredentialRow & { readonly tokenHash: Buffer }) | undefined> {
  const { rows } = await pool.query<RawCredential & { token_hash: Buffer }>(TOKEN, [id]);
  return rows[0] && { ...toCredential(rows[0]), tokenHash: rows[0].token_hash };
}

export async function insertSession(tx: Queryable, session: { id: string; userId: number }): Promise<void> {
  await tx
    .insertInto('sessions')
    .values({ id: session.id, user_id: session.userId, expires_at: sql<Date>`now() + interval ${LIFE}` })
    .execute();
}

/** Keeps the newest `most` sessions of the user. */
export async function removeOldestSessions(tx: Queryable, userId: number, most: number): Promise<void> {
  const oldest = tx
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', userId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .offset(most);
  await tx.deleteFrom('sessions').where('id', 'in', oldest).execute();
}

export async function prolongSession(db: Queryable, id: string): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ expires_at: sql<Date>`now() + interval ${LIFE}` })
    .where('id', '=', id)
    .execute();
}

/** Tokens bound to the session go with it. */
export async function removeSession(db: Queryable, id: string): Promise<void> {
  await db.deleteFrom('sessions').where('id', '=', id).execute();
}

export async function removeSessionsOf(tx: Queryable, userId: number): Promise<void> {
  await tx.deleteFrom('sessions').where('user_id', '=', userId).execute();
}

export async function removeExpiredSessions(db: Queryable): Promise<void> {
  await db
    .deleteFrom('sessions')
    .where('expires_at', '<=', sql<Date>`now()`)
    .execute();
}

export async function insertToken(
  tx: Queryable,
  token: { id: string; userId: number; sessionId: string | null; name: string; hash: Buffer },
): Promise<void> {
  await tx
    .insertInto('tokens')
    .values({
      id: token.id,
      user_id: token.userId,
      session_id: token.sessionId,
      name: token.name,
      token_hash: token.hash,
    })
    .execute();
}

function toCredential(row: RawCredential): CredentialRow {
  return {
    userId: Number(row.id),
    username: row.username,
    role: row.role,
    sessionId: row.session_id,
    stale: row.stale,
  };
}
