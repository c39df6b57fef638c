import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { Failure } from '../errors.ts';
import type { Transaction } from '../store/index.ts';
import type { Caller } from './types.ts';

export interface KeyedRequest {
  readonly caller: Caller;
  /** What is asked for, without the mount: `/run`. The same key may be used for other paths. */
  readonly path: string;
  readonly body: unknown;
}

/**
 * Makes something once for the idempotency key of its request: within 24 hours the same key, token, path and body get
 * the id that was made first; another body is a `conflict`. Two requests at once meet in the database, and the second
 * waits for the first. Without a key, simply makes it. `make` works in the same transaction and answers the id.
 */
export async function makeOnce(
  tx: Transaction,
  request: KeyedRequest,
  make: () => Promise<string>,
): Promise<{ readonly made: string; readonly isRepeat: boolean }> {
  const key = request.caller.idempotencyKey;
  if (key === undefined) return { made: await make(), isRepeat: false };
  await removeOld(tx);
  const place = { token: request.caller.token.id, path: request.path, key, hash: hashOf(request.body) };
  const former = await reserve(tx, place);
  if (former === undefined) {
    const made = await make();
    await sql`update orchestration_request set made = ${made}
      where token_id = ${place.token} and path = ${place.path} and key = ${key}`.execute(tx);
    return { made, isRepeat: false };
  }
  if (former.hash === place.hash) return { made: former.made, isRepeat: true };
  throw new Failure('conflict', 'This idempotency key was used before with another body; send a new key.');
}

interface Place {
  readonly token: number;
  readonly path: string;
  readonly key: string;
  readonly hash: string;
}

/** Takes the key; answers who has it, if somebody does. */
async function reserve(tx: Transaction, place: Place): Promise<{ hash: string; made: string } | undefined> {
  const { rows: taken } = await sql`
    insert into orchestration_request (token_id, path, key, body_hash, made)
    values (${place.token}, ${place.path}, ${place.key}, ${place.hash}, '')
    on conflict (token_id, path, key)
      do update set body_hash = excluded.body_hash, made = '', created_at = excluded.created_at
      where orchestration_request.created_at < clock_timestamp() - interval '24 hours'
    returning 1`.execute(tx);
  if (taken.length > 0) return undefined;
  const { rows } = await sql<{ hash: string; made: string }>`
    select body_hash as hash, made from orchestration_request
    where token_id = ${place.token} and path = ${place.path} and key = ${place.key}`.execute(tx);
  return rows[0];
}

async function removeOld(tx: Transaction): Promise<void> {
  await sql`
    delete from orchestration_request where ctid = any(array(
      select ctid from orchestration_request where created_at < clock_timestamp() - interval '24 hours'
      order by created_at limit 100 for update skip locked))`.execute(tx);
}

/** The same for bodies that differ only in the order of keys. */
function hashOf(body: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(body)) ?? '')
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
