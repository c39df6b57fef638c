import { setTimeout as sleep } from 'node:timers/promises';
import type { OutboundAnswer } from '../../outbound/index.ts';
import type { World } from '../../world.ts';

/** Waits; rejects with the signal's reason as soon as it aborts. */
export type Pause = (ms: number, signal?: AbortSignal) => Promise<void>;

/** Section 19, and how long one request of each sort may take. */
export const START_ATTEMPTS = 12;
export const POLL_FAILURES = 10;
export const FIRST_POLL_MS = 200;
export const LONGEST_POLL_MS = 5000;
export const KILL_MS = 30_000;
/** A component may work while we wait for its answer; the limit of the task usually comes first. */
export const START_REQUEST_MS = 24 * 3_600_000;
export const POLL_REQUEST_MS = 60_000;
export const KILL_REQUEST_MS = 10_000;

const POLL_FACTOR = 1.5;
const FIRST_START_MS = 1000;
const LONGEST_START_MS = 60_000;
/** What another server asks for binds us no longer than this. */
const LONGEST_ASKED_MS = 3_600_000;

export const pauseForReal: Pause = async (ms, signal) => {
  try {
    await sleep(ms, undefined, signal && { signal });
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
};

/** The wait after the n-th attempt to start failed: 1, 2, 4 … 60 s. */
export function startDelay(attempt: number): number {
  return Math.min(FIRST_START_MS * 2 ** (attempt - 1), LONGEST_START_MS);
}

/** The wait after a wait of this length: half as long again, up to 5 s. */
export function nextPollDelay(ms: number): number {
  return Math.min(ms * POLL_FACTOR, LONGEST_POLL_MS);
}

/** `Retry-After` as seconds or as a date, in milliseconds: at least 0.2 s, at most an hour. Undefined when absent. */
export function askedDelay({ headers }: OutboundAnswer, world: World): number | undefined {
  const text = headers['retry-after']?.trim() ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - world.now().getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, FIRST_POLL_MS), LONGEST_ASKED_MS);
}
