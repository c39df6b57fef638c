import { sql } from 'kysely';
import { toFailure } from '../errors.ts';
import type { Store, Transaction } from '../store/index.ts';
import type { ScheduleKind, Tick } from './kinds.ts';
import { claimDue, moveOn, type Claimed, type Move } from './tables.ts';

/** Schedules claimed, fired and moved on in one transaction. */
export const BATCH = 400;

export interface Firing {
  readonly store: Store;
  /** By the part of a key before the slash. */
  readonly kinds: ReadonlyMap<string, ScheduleKind>;
  readonly log?:
    | ((level: 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void)
    | undefined;
}

/**
 * Claims schedules that are due, fires the newest instant of each, and moves them on. Answers how many of both; as soon as
 * a batch is full, so that more may be due, `whenFull` is called.
 */
export function fireBatch(
  firing: Firing,
  whenFull: () => void,
): Promise<{ readonly claimed: number; readonly moved: number }> {
  return firing.store.transaction(async (tx) => {
    const claimed = await claimDue(tx, [...firing.kinds.keys()], BATCH);
    if (claimed.length === BATCH) whenFull();
    const moves: Move[] = [];
    for (const [prefix, schedules] of Map.groupBy(claimed, prefixOf)) {
      moves.push(...(await fireKind(firing, tx, { kind: firing.kinds.get(prefix)!, schedules })));
    }
    if (moves.length > 0) await moveOn(tx, moves);
    return { claimed: claimed.length, moved: moves.length };
  });
}

/** The part of a key before the slash: who sees to its schedule. */
export function prefixOf({ key }: { readonly key: string }): string {
  return key.split('/', 1)[0]!;
}

async function fireKind(
  firing: Firing,
  tx: Transaction,
  { kind, schedules }: { readonly kind: ScheduleKind; readonly schedules: readonly Claimed[] },
): Promise<readonly Move[]> {
  const moves: Move[] = [];
  const ticks: Tick[] = [];
  for (const schedule of schedules) {
    const tick = readTick(kind, schedule);
    if (tick !== undefined) ticks.push(tick);
    else moves.push(moveOf(schedule.key, { error: 'the frequency is not understood any more' }));
  }
  const ends = ticks.length === 0 ? [] : await fireTogether(firing, tx, { kind, ticks });
  for (const { tick, error } of ends) {
    const { key } = tick.schedule;
    moves.push(moveOf(key, { nextFireAt: tick.nextFireAt, firedAt: error === null ? tick.dueAt : null, error }));
  }
  return moves;
}

function moveOf(key: string, move: Partial<Move>): Move {
  return { key, nextFireAt: null, firedAt: null, error: null, ...move };
}

/** The newest instant that has passed. Never before the stored one: what was due earlier has fired, or was switched off. */
function readTick({ calendar }: ScheduleKind, schedule: Claimed): Tick | undefined {
  const { now, nextFireAt: firstDueAt } = schedule;
  try {
    let dueAt = firstDueAt;
    let next = calendar.next(schedule, firstDueAt);
    if (next !== undefined && next <= now) {
      const last = calendar.last(schedule, now);
      if (last !== undefined && last > firstDueAt) dueAt = last;
      next = calendar.next(schedule, now);
    }
    return { schedule, dueAt, firstDueAt, nextFireAt: next ?? null, lateMs: now.getTime() - dueAt.getTime() };
  } catch {
    return undefined;
  }
}

interface FireEnd {
  readonly tick: Tick;
  readonly error: string | null;
}

/** All at once; if that fails, in halves, until the tick that fails is alone: its writes are undone, its row says why. */
async function fireTogether(
  firing: Firing,
  tx: Transaction,
  { kind, ticks }: { readonly kind: ScheduleKind; readonly ticks: readonly Tick[] },
): Promise<readonly FireEnd[]> {
  await sql`savepoint fire`.execute(tx);
  try {
    const held = new Set(await kind.fireAll(tx, ticks));
    await sql`release savepoint fire`.execute(tx);
    return ticks.filter(({ schedule }) => !held.has(schedule.key)).map((tick) => ({ tick, error: null }));
  } catch (thrown) {
    if (isCollision(thrown)) throw thrown;
    await sql`rollback to savepoint fire`.execute(tx);
    await sql`release savepoint fire`.execute(tx);
    const [tick] = ticks;
    if (ticks.length === 1) {
      const error = tell(firing, tick!, thrown);
      return isPassing(thrown) ? [] : [{ tick: tick!, error }];
    }
    const middle = Math.ceil(ticks.length / 2);
    const [one, other] = [ticks.slice(0, middle), ticks.slice(middle)];
    return [
      ...(await fireTogether(firing, tx, { kind, ticks: one })),
      ...(await fireTogether(firing, tx, { kind, ticks: other })),
    ];
  }
}

/** The whole transaction is repeated. */
function isCollision(thrown: unknown): boolean {
  const code = (thrown as { code?: unknown } | null)?.code;
  return code === '40001' || code === '40P01';
}

/** The database has no room or took too long, which says nothing about the tick: it stays due. */
function isPassing(thrown: unknown): boolean {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^(53...|58...|57014|55P03)$/.test(code);
}

function tell({ log }: Firing, { schedule, dueAt }: Tick, thrown: unknown): string {
  const error = toFailure(thrown).message.replaceAll('\0', '');
  log?.('error', 'a schedule could not start its run', { key: schedule.key, dueAt: dueAt.toISOString(), error });
  return error;
}
