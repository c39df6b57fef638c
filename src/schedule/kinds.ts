import type { Transaction } from '../store/index.ts';
import { lastFire, nextFire, parseFrequency } from './frequency.ts';
import type { ScheduleRow } from './tables.ts';

/** A schedule that is due, and the newest of its instants that have passed. */
export interface Tick {
  readonly schedule: ScheduleRow;
  readonly dueAt: Date;
  /** The oldest instant that nobody has seen to; before `dueAt` when some were missed. */
  readonly firstDueAt: Date;
  /** The first instant after now; null when there is none any more. */
  readonly nextFireAt: Date | null;
  /** How long ago `dueAt` was, by the database's clock. */
  readonly lateMs: number;
}

/** Starts what is due, inside the transaction that moves the schedule on: both happen, or neither. */
export type OnFire = (tx: Transaction, schedule: ScheduleRow, dueAt: Date) => Promise<void>;

type Timing = Pick<ScheduleRow, 'frequency' | 'zone'>;

/** Reads frequencies. Throws `bad_request` for one that it does not understand. */
export interface Calendar {
  /** The first instant after `after`. */
  next(timing: Timing, after: Date): Date | undefined;
  /** The last instant at or before `at`. */
  last(timing: Timing, at: Date): Date | undefined;
}

/** Schedules with the same prefix that are fired many at once, with instants and a policy for missed ones of their own. */
export interface ScheduleKind {
  readonly calendar: Calendar;
  /**
   * Sees to ticks of different schedules inside the transaction that moves these on, late ones too. Answers the keys of
   * those that somebody else holds: they stay due. When it throws, its writes are undone, and it is called again with
   * fewer ticks, in the end with one: so a tick that cannot be seen to spoils no other.
   */
  fireAll(tx: Transaction, ticks: readonly Tick[]): Promise<readonly string[]>;
}

/** A tick this late is on time, whatever becomes of missed ones. */
export const ON_TIME_MS = 60_000;

/** Frequencies as `parseFrequency` reads them. */
export const usualCalendar: Calendar = {
  next: ({ frequency, zone }, after) => nextFire(parseFrequency(frequency), after, zone),
  last: ({ frequency, zone }, at) => lastFire(parseFrequency(frequency), at, zone),
};

/** The kind whose schedules fire one by one: once for the newest instant, unless that is too old. */
export function kindOf(fire: OnFire, { catchUpMs }: { readonly catchUpMs: number }): ScheduleKind {
  return {
    calendar: usualCalendar,
    async fireAll(tx, ticks) {
      for (const { schedule, dueAt, lateMs } of ticks) {
        const patienceMs = schedule.catchUp === 'once' ? Math.max(catchUpMs, ON_TIME_MS) : ON_TIME_MS;
        if (lateMs <= patienceMs) await fire(tx, schedule, dueAt);
      }
      return [];
    },
  };
}
