import type { Store, Transaction } from '../store/index.ts';
import { BATCH, fireBatch, prefixOf, type Firing } from './firing.ts';
import { checkZone } from './frequency.ts';
import { kindOf, usualCalendar, type OnFire, type ScheduleKind } from './kinds.ts';
import { deleteSchedule, msUntilDue, readClock, readSchedule, updateSwitches, upsertSchedule } from './tables.ts';
import type { ScheduleRow } from './tables.ts';

export type { ScheduleRow } from './tables.ts';

export interface SchedulerOptions {
  readonly store: Store;
  /** By the part of a key before the slash. A process leaves other keys to others. */
  readonly onFire: Readonly<Record<string, OnFire | ScheduleKind>>;
  /** Instants missed by schedules that fire one by one are made up for by one run when the newest is younger than this. */
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
  /** Creates or changes a schedule, counted from now; answers the next instant. Throws `bad_request` for a bad frequency. */
  set(tx: Transaction, setting: ScheduleSetting): Promise<Date | null>;
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
const SHORTEST_PAUSE_MS = 10;
const HELD_PAUSE_MS = 50;
/** Batches at once in one process: while some wait for the database or its disk, another thinks. */
const LINES = 3;

/** The idempotency key of the run that an instant starts. */
export function fireKey(schedule: { readonly key: string }, dueAt: Date): string {
  return `${schedule.key}@${dueAt.toISOString()}`;
}

/** A scheduler on the shared table; any number of processes may tick, and each instant fires at most once. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { store, onFire, log } = options;
  const catchUpMs = options.catchUpMinutes * 60_000;
  const kinds = new Map(
    Object.entries(onFire).map(([prefix, kind]) => [
      prefix,
      typeof kind === 'function' ? kindOf(kind, { catchUpMs }) : kind,
    ]),
  );
  const firing: Firing = { store, kinds, log };
  const nextFromNow = async (tx: Transaction, timing: Timing): Promise<Date | null> => {
    const { next } = kinds.get(prefixOf(timing))?.calendar ?? usualCalendar;
    return next(timing, await readClock(tx)) ?? null;
  };
  const change = async (
    tx: Transaction,
    key: string,
    switches: { paused?: boolean; held?: boolean },
  ): Promise<void> => {
    const isOn = switches.paused === false || switches.held === false;
    const schedule = isOn ? await readSchedule(tx, key) : undefined;
    await updateSwitches(tx, { key, ...switches, ...(schedule && { nextFireAt: await nextFromNow(tx, schedule) }) });
  };
  return {
    async set(tx, { key, frequency, zone = 'UTC', catchUp = 'once' }) {
      checkZone(zone);
      const nextFireAt = await nextFromNow(tx, { key, frequency, zone });
      await upsertSchedule(tx, { key, frequency, zone, catchUp, nextFireAt });
      return nextFireAt;
    },
    pause: (tx, key) => change(tx, key, { paused: true }),
    resume: (tx, key) => change(tx, key, { paused: false }),
    hold: (tx, key) => change(tx, key, { held: true }),
    release: (tx, key) => change(tx, key, { held: false }),
    remove: deleteSchedule,
    get: (key) => readSchedule(store.db, key),
    tick: () => fireAllDue(firing),
    start: () => startTicking(firing),
  };
}

type Timing = Pick<ScheduleRow, 'key' | 'frequency' | 'zone'>;

/** Fires until nothing is due that nobody else holds; answers how many schedules were moved on. */
async function fireAllDue(firing: Firing, signal?: AbortSignal): Promise<number> {
  const others = Promise.withResolvers<number>();
  let areBegun = false;
  const beginOthers = (): void => {
    if (areBegun) return;
    areBegun = true;
    others.resolve(sumOf(Array.from({ length: LINES - 1 }, line)));
  };
  const line = async (): Promise<number> => {
    for (let moved = 0; ;) {
      const batch = await fireBatch(firing, beginOthers);
      moved += batch.moved;
      if (batch.claimed < BATCH || batch.moved === 0 || signal?.aborted) return moved;
    }
  };
  const first = line().finally(() => others.resolve(0));
  return sumOf([first, others.promise]);
}

async function sumOf(counts: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

function startTicking(firing: Firing): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const prefixes = [...firing.kinds.keys()];
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      let waitMs = POLL_MS;
      try {
        const moved = await fireAllDue(firing, signal);
        const dueInMs = (await msUntilDue(firing.store.db, prefixes)) ?? POLL_MS;
        // What is due and was not moved on is held by somebody, or cannot be seen to at this moment.
        waitMs = moved === 0 && dueInMs <= 0 ? HELD_PAUSE_MS : Math.min(POLL_MS, dueInMs);
      } catch (error) {
        firing.log?.('warn', 'schedules could not be read; trying again', { error: String(error) });
      }
      await pause(Math.max(waitMs, SHORTEST_PAUSE_MS), signal);
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
