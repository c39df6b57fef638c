import { Failure } from '../../errors.ts';
import type { MysqlConfig } from './config.ts';
import { connect, type Connection } from './connect.ts';
import { cancelledFailure } from './failures.ts';

/** Connections to be lent; callers beyond their number wait. */
export interface Pool {
  take(signal: AbortSignal): Promise<Connection>;
  /** Returns a sound connection. */
  putBack(connection: Connection): void;
  /** Ends one that met a failure. */
  discard(connection: Connection): void;
  /** True when none is left and none can be made. */
  readonly isSpent: boolean;
  /** Closes what is idle, and from now on what is returned. */
  close(): Promise<void>;
}

/**
 * A pool that makes its connections when they are asked for, at most `maxThreads`; or, when `members` are given, one that
 * lends only these, because they are inside a snapshot that others cannot enter.
 */
export function createPool(config: MysqlConfig, members?: readonly Connection[]): Pool {
  const idle: Connection[] = [...(members ?? [])];
  const waiting = new Set<() => void>();
  let limit = members?.length ?? config.maxThreads;
  let lent = 0;
  let isClosed = false;

  const isExhausted = (): boolean => lent >= limit && limit > 0;
  const returned = (): void => {
    lent--;
    for (const turn of waiting) turn();
  };
  const lose = (connection: Connection): void => {
    connection.abandon();
    if (members) limit--;
  };
  return {
    async take(signal) {
      while (isExhausted()) await nextTurn(waiting, signal);
      if (signal.aborted) throw cancelledFailure();
      lent++;
      try {
        let connection = idle.pop();
        while (connection && isBroken(connection)) {
          lose(connection);
          connection = idle.pop();
        }
        if (connection) return connection;
        if (members) {
          const reason = 'the snapshot of this load is gone: the connections that held it were lost';
          throw new Failure('connection_lost', reason);
        }
        return await connect(config, signal);
      } catch (error) {
        returned();
        throw error;
      }
    },
    putBack(connection) {
      if (isClosed) connection.abandon();
      else idle.push(connection);
      returned();
    },
    discard(connection) {
      lose(connection);
      returned();
    },
    get isSpent() {
      return members !== undefined && idle.filter(isBroken).length === limit;
    },
    async close() {
      isClosed = true;
      await Promise.all(idle.splice(0).map((connection) => connection.close()));
    },
  };
}

function isBroken(connection: Connection): boolean {
  return connection.broken() !== undefined || connection.socket().destroyed;
}

/** Waits until some connection came back. */
function nextTurn(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      waiting.delete(turn);
      settle();
    };
    const turn = (): void => end(resolve);
    const onAbort = (): void => end(() => reject(cancelledFailure()));
    if (signal.aborted) {
      reject(cancelledFailure());
      return;
    }
    waiting.add(turn);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
