import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from './postmaster.ts';
import type { Postmaster } from './postmaster.ts';

const LOOK_EVERY_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

interface Supervision {
  readonly start: () => Promise<Postmaster>;
  readonly log: ((message: string) => void) | undefined;
  readonly active: boolean;
}

export interface Supervised {
  current(): Postmaster;
  /** Ends the watch; the server that runs then, after a restart under way is through. */
  settle(): Promise<Postmaster>;
}

/** Watches a server and starts it again when it dies, for as long as it takes. Keeps no process alive by itself. */
export function supervise(first: Postmaster, { start, log, active }: Supervision): Supervised {
  let postmaster = first;
  let restarting: Promise<void> | undefined;
  const ended = new AbortController();
  if (!active) ended.abort();
  const restart = async (): Promise<void> => {
    log?.('the embedded database died; starting it again');
    for (let pause = 100; !ended.signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        postmaster = await start();
        return;
      } catch (error) {
        log?.(`${(error as Error).message}; trying again in ${pause} ms`);
        await delay(pause, undefined, { ref: false });
      }
    }
  };
  const timer = setInterval(() => {
    if (ended.signal.aborted || restarting || isAlive(postmaster.pid)) return;
    restarting = restart().finally(() => (restarting = undefined));
  }, LOOK_EVERY_MS).unref();
  if (!active) clearInterval(timer);
  return {
    current: () => postmaster,
    async settle() {
      ended.abort();
      clearInterval(timer);
      await restarting;
      return postmaster;
    },
  };
}
