import type { PostgresConfig } from './config.ts';
import { connect, type Connection } from './connect.ts';
import { cancelledFailure } from './failures.ts';

/** A connection as the pool lends it; `inSnapshot` is kept by the borrower. */
export interface Reader {
  readonly connection: Connection;
  inSnapshot: boolean;
}

/** At most `maxThreads` connections; callers beyond that wait in order. */
export interface Pool {
  readonly lent: number;
  take(signal: AbortSignal): Promise<Reader>;
  /** Returns a sound connection. */
  putBack(reader: Reader): void;
  /** Ends one that met a failure; its place becomes free. */
  discard(reader: Reader): void;
  close(): Promise<void>;
}

export function createPool(config: PostgresConfig): Pool {
  const idle: Reader[] = [];
  const waiting: (() => void)[] = [];
  let lent = 0;

  const free = (): void => {
    lent--;
    waiting.shift()?.();
  };
  return {
    get lent() {
      return lent;
    },
    async take(signal) {
      while (lent >= config.maxThreads) await nextTurn(waiting, signal);
      if (signal.aborted) throw cancelledFailure();
      lent++;
      try {
        let reader = idle.pop();
        while (reader && isBroken(reader)) reader = idle.pop();
        return reader ?? { connection: await connect(config, signal), inSnapshot: false };
      } catch (error) {
        free();
        throw error;
      }
    },
    putBack(reader) {
      idle.push(reader);
      free();
    },
    discard(reader) {
      reader.connection.abandon();
      free();
    },
    async close() {
      await Promise.all(idle.splice(0).map((reader) => reader.connection.close()));
    },
  };
}

function isBroken({ connection }: Reader): boolean {
  return connection.broken() !== undefined || connection.socket().destroyed;
}

function nextTurn(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const turn = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      const place = waiting.indexOf(turn);
      if (place >= 0) waiting.splice(place, 1);
      reject(cancelledFailure());
    };
    if (signal.aborted) {
      reject(cancelledFailure());
      return;
    }
    waiting.push(turn);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
