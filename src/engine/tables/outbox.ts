import { sql } from 'kysely';
import type { Queryable, Transaction } from '../../store/index.ts';
import type { OutboxMessage, OutboxState } from '../types.ts';
import { toJson } from './rows.ts';

export interface OutboxRow {
  readonly id: string;
  readonly key: string;
  readonly topic: string;
  readonly payload: unknown;
  readonly attempt: number;
  readonly ageSeconds: number;
}

/** Adds a message; one with the same key that is there already stays as it is. */
export async function insertMessage(tx: Transaction, message: OutboxMessage): Promise<void> {
  await sql`
    insert into outbox (key, topic, payload, due_at, not_before)
    values (${message.key}, ${message.topic}, ${toJson(message.payload)}::json,
      coalesce(${message.dueAt ?? null}::timestamptz, now()), ${message.dueAt ?? null}::timestamptz)
    on conflict (key) do nothing`.execute(tx);
}

/** Takes due messages for delivery. Nobody else gets them for `holdSeconds`; a sender that dies loses only time. */
export async function claimMessages(
  db: Queryable,
  order: { topics: readonly string[]; limit: number; holdSeconds: number },
): Promise<readonly OutboxRow[]> {
  const { rows } = await sql<OutboxRow>`
    update outbox set attempt = attempt + 1, due_at = now() + make_interval(secs => ${order.holdSeconds})
    where id in (
      select id from outbox where due_at <= now() and topic = any(${order.topics})
      order by due_at, id limit ${order.limit} for update skip locked)
    returning id::text, key, topic, payload, attempt,
      extract(epoch from now() - coalesce(not_before, created_at))::float8 as "ageSeconds"`.execute(db);
  return rows;
}

/** Marks a message as delivered by this attempt. */
export async function markDelivered(db: Queryable, delivery: { id: string; attempt: number }): Promise<void> {
  await sql`
    update outbox set delivered_at = now(), due_at = null, last_error = null
    where id = ${delivery.id}::bigint and delivered_at is null and attempt = ${delivery.attempt}`.execute(db);
}

/** Sets the next delivery of a message, or gives it up when there is none. */
export async function markUndelivered(
  db: Queryable,
  delivery: { id: string; attempt: number; error: string; retryInSeconds: number | undefined },
): Promise<void> {
  const retry = delivery.retryInSeconds ?? null;
  await sql`
    update outbox set last_error = ${delivery.error},
      due_at = now() + make_interval(secs => ${retry}::float8),
      dead_at = case when ${retry}::float8 is null then now() end
    where id = ${delivery.id}::bigint and delivered_at is null and attempt = ${delivery.attempt}`.execute(db);
}

/** Removes messages that were delivered a day ago, or given up a month ago. */
export async function pruneOutbox(db: Queryable): Promise<void> {
  await sql`
    delete from outbox where id in (
      select id from outbox where delivered_at < now() - interval '1 day' or dead_at < now() - interval '30 days'
      limit 1000 for update skip locked)`.execute(db);
}

/** What became of a message. */
export async function readMessageState(db: Queryable, key: string): Promise<OutboxState | undefined> {
  const { rows } = await sql<OutboxState>`
    select case when delivered_at is not null then 'delivered' when dead_at is not null then 'dead'
        else 'waiting' end as state, attempt as attempts, due_at as "dueAt", last_error as "lastError"
    from outbox where key = ${key}`.execute(db);
  return rows[0];
}

/** Seconds until the next message is due; undefined when none waits. */
export async function findNextDue(db: Queryable, topics: readonly string[]): Promise<number | undefined> {
  const { rows } = await sql<{ seconds: number | null }>`
    select extract(epoch from min(due_at) - now())::float8 as seconds from outbox
    where due_at is not null and topic = any(${topics})`.execute(db);
  return rows[0]?.seconds ?? undefined;
}

/** Messages that are not delivered yet, and how long the oldest due one waits. */
export async function measureOutbox(db: Queryable): Promise<{ depth: number; oldestMs: number }> {
  const { rows } = await sql<{ depth: number; oldestMs: number }>`
    select count(*)::float8 as depth,
      coalesce(greatest(extract(epoch from now() - min(due_at)) * 1000, 0), 0)::float8 as "oldestMs"
    from outbox where due_at is not null`.execute(db);
  return rows[0] ?? { depth: 0, oldestMs: 0 };
}
