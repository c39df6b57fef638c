import type { Attempt } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';

/** Waiting that ends with its attempt or with the time limit of its task. */
export interface Limit {
  /** Its reason says which: `timed_out` is the limit of the task. */
  readonly signal: AbortSignal;
  clear(): void;
}

export interface LimitSettings {
  readonly now: () => Date;
  /** Length of a minute in milliseconds; only tests shorten it. */
  readonly minuteMs: number;
}

/** Counts from the task's first start, over all its attempts (7.5). */
export function startLimit(attempt: Attempt, minutes: number | null, { now, minuteMs }: LimitSettings): Limit {
  if (minutes === null) return { signal: attempt.signal, clear: () => {} };
  const own = new AbortController();
  const begun = attempt.task.startedAt?.getTime() ?? now().getTime();
  // Never longer than a timer can be: timeoutMinutes is at most a week.
  const left = Math.max(0, begun + minutes * minuteMs - now().getTime());
  const timer = setTimeout(() => own.abort(new Failure('timed_out', `Task timeout after ${minutes} minute(s)`)), left);
  return { signal: AbortSignal.any([attempt.signal, own.signal]), clear: () => clearTimeout(timer) };
}

/** Whether what waited is to be ended for good, and not to be gone on with by another attempt. */
export function isFinal(reason: unknown): reason is Failure {
  return reason instanceof Failure && (reason.kind === 'timed_out' || reason.kind === 'cancelled');
}
