import type { RunTools } from '../pipeline/context.ts';

/** How long nobody looks, at most, while nothing ends here. */
const PAUSE_MS = 250;
/** The same when nothing is under way here, so that all there is to wait for ends elsewhere. */
const IDLE_PAUSE_MS = 40;

/** Pieces of one kind of work, several at a time; how many, the owner decides again and again. */
export interface Lanes {
  readonly busy: number;
  /** Aborts with the run, and when a piece fails. */
  readonly signal: AbortSignal;
  /** Begins so many more; none when it is not above 0. */
  open(count: number): void;
  /** Until a piece ends, or a moment has passed: a shorter one when none is under way. */
  pause(): Promise<void>;
  /** Ends all; answers the first cause. */
  stop(cause: unknown): unknown;
  /** When none is under way any more. */
  ended(): Promise<void>;
}

export function createLanes(tools: RunTools, work: (signal: AbortSignal) => Promise<void>): Lanes {
  const failing = new AbortController();
  const signal = AbortSignal.any([tools.signal, failing.signal]);
  const running = new Set<Promise<void>>();
  let wake = (): void => {};

  function start(): void {
    const piece = async (): Promise<void> => {
      signal.throwIfAborted();
      await work(signal);
    };
    const lane = tools
      .reading(piece)
      .catch((error: unknown) => failing.abort(error))
      .finally(() => {
        running.delete(lane);
        wake();
      });
    running.add(lane);
  }
  return {
    get busy() {
      return running.size;
    },
    signal,
    open(count) {
      for (let lane = 0; lane < count; lane++) start();
    },
    pause: () =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, running.size > 0 ? PAUSE_MS : IDLE_PAUSE_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    stop(cause) {
      if (!failing.signal.aborted) failing.abort(cause);
      return failing.signal.reason;
    },
    ended: async () => void (await Promise.all(running)),
  };
}
