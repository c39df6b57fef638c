import { sql } from 'kysely';
import { toFailure } from '../errors.ts';
import type { Store, Transaction } from '../store/index.ts';
import { checkZone, lastFire, nextFire, parseFrequency } from './frequency.ts';
import type { Frequency } from './frequency.ts';
import {
  claimDue,
  deleteSchedule,
  moveOn,
  msUntilDue,
  readClock,
  readSchedule,
  updateSwitches,
  upsertSchedule,
} from './tables.ts';
import type { ScheduleRow } from './tables.ts';

export type { ScheduleRow } from './tables.ts';

/** Starts what is due, inside the transaction that moves the schedule on: both happen, or neither. */
export type OnFire = (tx: Transaction, schedule: ScheduleRow, dueAt: Date) => Promise<void>;

export interface SchedulerOptions {
  readonly store: Store;
  /** By the part of a key before the slash. A process leaves other keys to others. */
  readonly onFire: Readonly<Record<string, OnFire>>;
  /** Missed instants are made up for by one run when the newest of them is younger than this. */
  readonly catchUpMinutes: number;
  readonly log?: (level: 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export interface ScheduleSetting {
  readonly key: string;
  readonly frequency: string;
  /** IANA name; default UTC. */
  readonly zone?: string;
  readonly catchUp?: 'once' | 'none';
}

export interface Scheduler {
  /** Creates or changes a schedule; the next instant is counted from now. Throws `bad_request` for a bad frequency. */
  set(tx: Transaction, setting: ScheduleSetting): Promise<void>;
  /** Switched off by a person: what passes meanwhile is not made up for. */
  pause(tx: Transaction, key: string): Promise<void>;
  /** Counts the next instant from now. */
  resume(tx: Transaction, key: string): Promise<void>;
  /** Like pause and resume, but for the time of some work; independent of them. */
  hold(tx: Transaction, key: string): Promise<void>;
  release(tx: Transaction, key: string): Promise<void>;
  remove(tx: Transaction, key: string): Promise<void>;
  get(key: string): Promise<ScheduleRow | undefined>;
  /** Fires what is due now; answers how many schedules were moved on. */
  tick(): Promise<number>;
  /** Ticks at each due instant until stopped. */
  start(): { stop(): Promise<void> };
}

const POLL_MS = 1000;
/** A tick this late is on time, whatever the catch-up setting. */
const LATENESS_MS = 60_000;

/** The idempotency key of the run that an instant starts. */
export function fireKey(schedule: { readonly key: string }, dueAt: Date): string {
  return `${schedule.key}@${dueAt.toISOString()}`;
}

/** A scheduler on the shared table; any number of processes may tick, and each instant fires at most once. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { store } = options;
  const change = async (
    tx: Transaction,
    key: string,
    switches: { paused?: boolean; held?: boolean },
  ): Promise<void> => {
    const isOn = switches.paused === false || switches.held === false;
    const nextFireAt = isOn ? await nextFromNow(tx, key) : undefined;
    await updateSwitches(tx, { key, ...switches, nextFireAt });
  };
  const tick = async (): Promise<number> => {
    let moved = 0;
    while (await store.transaction((tx) => fireOne(options, tx))) moved += 1;
    return moved;
  };
  return {
    async set(tx, { key, frequency, zone = 'UTC', catchUp = 'once' }) {
      checkZone(zone);
      const nextFireAt = nextFire(parseFrequency(frequency), await readClock(tx), zone) ?? null;
      await upsertSchedule(tx, { key, frequency, zone, catchUp, nextFireAt });
    },
    pause: (tx, key) => change(tx, key, { paused: true }),
    resume: (tx, key) => change(tx, key, { paused: false }),
    hold: (tx, key) => change(tx, key, { held: true }),
    release: (tx, key) => change(tx, key, { held: false }),
    remove: deleteSchedule,
    get: (key) => readSchedule(store.db, key),
    tick,
    start: () => startTicking(options, tick),
  };
}

async function nextFromNow(tx: Transaction, key: string): Promise<Date | null> {
  const schedule = await readSchedule(tx, key);
  if (schedule === undefined) return null;
  return nextFire(parseFrequency(schedule.frequency), await readClock(tx), schedule.zone) ?? null;
}

/** Claims one due schedule, fires its newest instant unless that is too old, and moves it on. False when none is due. */
async function fireOne(options: SchedulerOptions, tx: Transaction): Promise<boolean> {
  const schedule = await claimDue(tx, Object.keys(options.onFire));
  if (schedule === undefined) return false;
  const { now, zone, key } = schedule;
  const frequency = readStored(schedule);
  if (frequency === undefined) {
    await moveOn(tx, { key, nextFireAt: null, firedAt: null, error: 'the frequency is not understood any more' });
    return true;
  }
  // Never before the stored instant: what was due earlier has fired, or was switched off.
  const newest = Math.max(lastFire(frequency, now, zone)?.getTime() ?? 0, schedule.nextFireAt?.getTime() ?? 0);
  const dueAt = new Date(newest);
  const patienceMs = schedule.catchUp === 'once' ? Math.max(options.catchUpMinutes * 60_000, LATENESS_MS) : LATENESS_MS;
  const isFresh = now.getTime() - newest <= patienceMs;
  const error = isFresh ? await fire(options, tx, { schedule, dueAt }) : null;
  const nextFireAt = nextFire(frequency, now, zone) ?? null;
  await moveOn(tx, { key, nextFireAt, firedAt: isFresh ? dueAt : null, error });
  return true;
}

function readStored(schedule: ScheduleRow): Frequency | undefined {
  try {
    return parseFrequency(schedule.frequency);
  } catch {
    return undefined;
  }
}

/** A handler that fails must not stop the schedule: its writes are undone, the failure is kept on the row. */
async function fire(
  options: SchedulerOptions,
  tx: Transaction,
  due: { schedule: ScheduleRow; dueAt: Date },
): Promise<string | null> {
  const { key } = due.schedule;
  await sql`savepoint fire`.execute(tx);
  try {
    await options.onFire[key.split('/', 1)[0]!]!(tx, due.schedule, due.dueAt);
    await sql`release savepoint fire`.execute(tx);
    return null;
  } catch (thrown) {
    const code = (thrown as { code?: unknown } | null)?.code;
    if (code === '40001' || code === '40P01') throw thrown;
    await sql`rollback to savepoint fire`.execute(tx);
    const message = toFailure(thrown).message.replaceAll('\0', '');
    options.log?.('error', 'a schedule could not start its run', {
      key,
      dueAt: due.dueAt.toISOString(),
      error: message,
    });
    return message;
  }
}

function startTicking(options: SchedulerOptions, tick: () => Promise<number>): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const prefixes = Object.keys(options.onFire);
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      let waitMs = POLL_MS;
      try {
        await tick();
        waitMs = Math.min(POLL_MS, (await msUntilDue(options.store.db, prefixes)) ?? POLL_MS);
      } catch (error) {
        options.log?.('warn', 'schedules could not be read; trying again', { error: String(error) });
      }
      await pause(Math.max(waitMs, 10), signal);
    }
  };
  const running = run();
  return {
    stop() {
      stopping.abort();
      return running;
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
