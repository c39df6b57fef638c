import { sql } from 'kysely';
import { readColumns, rowsOf, type Queryable, type Transaction } from '../store/index.ts';

export interface ScheduleRow {
  readonly key: string;
  readonly frequency: string;
  readonly zone: string;
  readonly nextFireAt: Date | null;
  readonly paused: boolean;
  readonly held: boolean;
  readonly catchUp: 'once' | 'none';
  readonly overlap: 'skip';
  /** Why the last instant could not be seen to. */
  readonly lastError: string | null;
}

const columns = sql`key, frequency, zone, next_fire_at as "nextFireAt", paused, held, catch_up as "catchUp", overlap,
  last_error as "lastError"`;

/** The database's clock. */
export async function readClock(db: Queryable): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
  return rows[0]!.now;
}

/** One schedule by its key; locked for the transaction when asked. */
export async function readSchedule(db: Queryable, key: string): Promise<ScheduleRow | undefined> {
  const { rows } = await sql<ScheduleRow>`select ${columns} from schedule where key = ${key}`.execute(db);
  return rows[0];
}

/** Writes frequency, zone and the next instant; a schedule that is paused or held stays so. */
export async function upsertSchedule(
  tx: Transaction,
  schedule: { key: string; frequency: string; zone: string; catchUp: 'once' | 'none'; nextFireAt: Date | null },
): Promise<void> {
  await sql`
    insert into schedule (key, frequency, zone, catch_up, next_fire_at)
    values (${schedule.key}, ${schedule.frequency}, ${schedule.zone}, ${schedule.catchUp}, ${schedule.nextFireAt})
    on conflict (key) do update set frequency = excluded.frequency, zone = excluded.zone, catch_up = excluded.catch_up,
      next_fire_at = excluded.next_fire_at, last_error = null`.execute(tx);
}

/** Switches a schedule off or on, or holds it back or lets it go; `nextFireAt` replaces the instant. */
export async function updateSwitches(
  tx: Transaction,
  change: { key: string; paused?: boolean; held?: boolean; nextFireAt?: Date | null },
): Promise<void> {
  await sql`
    update schedule set paused = coalesce(${change.paused ?? null}::boolean, paused),
      held = coalesce(${change.held ?? null}::boolean, held),
      next_fire_at = case when ${change.nextFireAt !== undefined}::boolean then ${change.nextFireAt ?? null}::timestamptz
        else next_fire_at end
    where key = ${change.key}`.execute(tx);
}

/** Removes a schedule; nothing when there is none. */
export async function deleteSchedule(tx: Transaction, key: string): Promise<void> {
  await sql`delete from schedule where key = ${key}`.execute(tx);
}

/** A schedule that is due. */
export interface Claimed extends ScheduleRow {
  readonly nextFireAt: Date;
  /** The database's clock. */
  readonly now: Date;
}

/** Locks schedules that are due, of those with these prefixes; ones that another process holds are passed over. */
export async function claimDue(
  tx: Transaction,
  prefixes: readonly string[],
  limit: number,
): Promise<readonly Claimed[]> {
  const { rows } = await sql<Claimed>`
    select ${columns}, clock_timestamp() as now from schedule
    where next_fire_at <= now() and not paused and not held and split_part(key, '/', 1) = any(${prefixes})
    order by next_fire_at limit ${limit} for update skip locked`.execute(tx);
  return rows;
}

export interface Move {
  readonly key: string;
  readonly nextFireAt: Date | null;
  /** The instant that was seen to, if one was. */
  readonly firedAt: Date | null;
  readonly error: string | null;
}

const MOVE_COLUMNS = readColumns('key text, nextFireAt timestamptz, firedAt timestamptz, error text');

/** Moves schedules on. */
export async function moveOn(tx: Transaction, moves: readonly Move[]): Promise<void> {
  await sql`
    update schedule set next_fire_at = x."nextFireAt", last_fire_at = coalesce(x."firedAt", last_fire_at),
      last_error = x.error
    from ${rowsOf(MOVE_COLUMNS, moves)} where schedule.key = x.key`.execute(tx);
}

/** Milliseconds until the next instant of a schedule with these prefixes; undefined when there is none. */
export async function msUntilDue(db: Queryable, prefixes: readonly string[]): Promise<number | undefined> {
  const { rows } = await sql<{ ms: number | null }>`
    select (extract(epoch from min(next_fire_at) - clock_timestamp()) * 1000)::float8 as ms from schedule
    where next_fire_at is not null and not paused and not held and split_part(key, '/', 1) = any(${prefixes})
  `.execute(db);
  return rows[0]?.ms ?? undefined;
}
