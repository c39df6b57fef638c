import { Failure } from '../../errors.ts';

export const USUAL_SECONDS = 3600;
export const LONGEST_SECONDS = 86_400;

/** Does work under a signal that aborts with the caller's, or with `timed_out` when the time is over. */
export async function withinTime<T>(
  limit: { readonly signal: AbortSignal; readonly seconds: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(timedOut(limit.seconds)), limit.seconds * 1000);
  try {
    return await work(AbortSignal.any([limit.signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

function timedOut(seconds: number): Failure {
  return new Failure('timed_out', `The statements ran longer than ${seconds} s and were ended`, {
    advice: 'Raise timeoutSeconds, or let the statements do less at a time.',
  });
}
