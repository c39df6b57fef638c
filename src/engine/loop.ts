import { createWaiter } from './signals.ts';

export interface Loop {
  /** Ends the present wait, or the next one. */
  wake(): void;
  /** Resolves when the pass that runs now has ended; there is no further one. */
  stop(): Promise<void>;
}

/**
 * Repeats `pass` until it is stopped. A pass answers after how many milliseconds the next one is to begin at the
 * latest; 0 = at once. One that throws is told to `onError`, and followed by the next after `pauseMs`.
 */
export function startLoop(
  pass: () => Promise<number>,
  options: { pauseMs: number; onError: (error: unknown) => void },
): Loop {
  const waiter = createWaiter();
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      let waitMs = options.pauseMs;
      try {
        waitMs = await pass();
      } catch (error) {
        options.onError(error);
      }
      if (waitMs > 0 && !stopping.signal.aborted) await waiter.wait(waitMs);
    }
  };
  const running = run();
  return {
    wake: waiter.wake,
    stop() {
      stopping.abort();
      waiter.wake();
      return running;
    },
  };
}
