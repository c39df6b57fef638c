import { Failure } from '../../errors.ts';
import type { ConnectorContext } from '../kit/index.ts';
import type { MysqlConfig } from './config.ts';
import { connect, type Connection } from './connect.ts';
import { cancelledFailure } from './failures.ts';
import { openSnapshots, type SnapshotFacts } from './snapshot.ts';

/** The connections of one session: at most `maxThreads` readers. */
export interface Readers {
  /** Lends a connection; inside the snapshot once one is held. Waits while all are lent. */
  use<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Takes the snapshot that all later work of this session sees. Taken once; the first is described ever after. */
  holdSnapshot(signal: AbortSignal): Promise<SnapshotFacts>;
  /** Ends work in progress as cancelled and closes every connection. */
  close(): Promise<void>;
}

/** Connections that may be lent; `limit` falls when one that cannot be replaced is lost. */
interface Pool {
  readonly idle: Connection[];
  limit: number;
  lent: number;
  /** Only what is idle may be lent: the connections are inside a snapshot. */
  readonly closedSet: boolean;
}

export function createReaders(config: MysqlConfig, context: ConnectorContext): Readers {
  const closed = new AbortController();
  const ended = AbortSignal.any([context.signal, closed.signal]);
  const waiting = new Set<() => void>();
  const running = new Set<Promise<unknown>>();
  let pool: Pool = { idle: [], limit: config.maxThreads, lent: 0, closedSet: false };
  let facts: SnapshotFacts | undefined;
  let holding: Promise<SnapshotFacts> | undefined;

  const wake = (): void => {
    for (const turn of waiting) turn();
  };
  const discard = (from: Pool, connection: Connection): void => {
    connection.abandon();
    if (from.closedSet) from.limit--;
  };

  async function take(from: Pool, signal: AbortSignal): Promise<Connection> {
    while (from.lent >= from.limit && from.limit > 0) await nextTurn(waiting, signal);
    if (signal.aborted) throw cancelledFailure();
    from.lent++;
    try {
      let connection = from.idle.pop();
      while (connection && isBroken(connection)) {
        discard(from, connection);
        connection = from.idle.pop();
      }
      if (connection) return connection;
      if (from.closedSet) {
        throw new Failure(
          'connection_lost',
          'the snapshot of this load is gone: the connections that held it were lost',
        );
      }
      return await connect(config, signal);
    } catch (error) {
      from.lent--;
      wake();
      throw error;
    }
  }

  async function lend<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
    const from = pool;
    const connection = await take(from, signal);
    const onAbort = (): void => connection.abandon();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) throw cancelledFailure();
      const result = await work(connection);
      // A snapshot was taken in the meantime: what is outside of it is of no use any more.
      if (from === pool) from.idle.push(connection);
      else await connection.close();
      return result;
    } catch (error) {
      discard(from, connection);
      throw signal.aborted ? cancelledFailure() : error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      from.lent--;
      wake();
    }
  }

  async function takeSnapshot(signal: AbortSignal): Promise<SnapshotFacts> {
    const opened: Connection[] = [];
    const open = async (): Promise<void> => void opened.push(await connect(config, signal));
    const abandonAll = (): void => opened.forEach((connection) => connection.abandon());
    signal.addEventListener('abort', abandonAll, { once: true });
    try {
      await Promise.all(Array.from({ length: config.maxThreads + 1 }, open));
      const [control, ...members] = opened as [Connection, ...Connection[]];
      const taken = await openSnapshots(members, control, context.log);
      const before = pool;
      pool = { idle: members, limit: members.length, lent: 0, closedSet: true };
      await Promise.all([control.close(), ...before.idle.splice(0).map((connection) => connection.close())]);
      return taken;
    } catch (error) {
      abandonAll();
      throw signal.aborted ? cancelledFailure() : error;
    } finally {
      signal.removeEventListener('abort', abandonAll);
    }
  }

  return {
    async use(signal, work) {
      const lending = lend(AbortSignal.any([signal, ended]), work);
      const settled = lending.catch(() => undefined).finally(() => running.delete(settled));
      running.add(settled);
      return lending;
    },
    async holdSnapshot(signal) {
      if (pool.closedSet && pool.limit === 0) holding = undefined;
      holding ??= takeSnapshot(AbortSignal.any([signal, ended]));
      try {
        // The earliest place stays the mark of the load: what was read before belongs to it.
        facts ??= await holding;
        await holding;
        return facts;
      } catch (error) {
        holding = undefined;
        throw error;
      }
    },
    async close() {
      closed.abort();
      await Promise.all([...running, holding?.catch(() => undefined)]);
      await Promise.all(pool.idle.splice(0).map((connection) => connection.close()));
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
