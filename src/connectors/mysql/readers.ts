import type { ConnectorContext } from '../kit/index.ts';
import type { MysqlConfig } from './config.ts';
import { connect, type Connection } from './connect.ts';
import { cancelledFailure } from './failures.ts';
import { createPool, type Pool } from './pool.ts';
import { openSnapshots, type SnapshotFacts } from './snapshot.ts';

/** The connections of one session: at most `maxThreads` readers, and one that saw to their snapshot and stays inside it. */
export interface Readers {
  /** Lends a connection; inside the snapshot once one is held. Waits while all are lent. */
  use<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** As `use`, on the connection beside the readers where there is one: it has nothing else to do. One at a time. */
  useBeside<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T>;
  /**
   * Takes the snapshot that all later work of this session sees; again only when every connection inside it was lost. The
   * first is described ever after: what was read in it belongs to the load.
   */
  holdSnapshot(signal: AbortSignal): Promise<SnapshotFacts>;
  /** Ends work in progress as cancelled and closes every connection. */
  close(): Promise<void>;
}

export function createReaders(config: MysqlConfig, context: ConnectorContext): Readers {
  const closed = new AbortController();
  const ended = AbortSignal.any([context.signal, closed.signal]);
  const running = new Set<Promise<unknown>>();
  let pool = createPool(config);
  let beside: Pool | undefined;
  let facts: SnapshotFacts | undefined;
  let holding: Promise<SnapshotFacts> | undefined;

  async function takeSnapshot(signal: AbortSignal): Promise<SnapshotFacts> {
    const { members, control, ...taken } = await openMembers(config, signal, context.log);
    const before = [pool, beside];
    pool = createPool(config, members);
    beside = control && createPool(config, [control]);
    await Promise.all(before.map((old) => old?.close()));
    return taken;
  }

  function lendFrom<T>(lender: Pool, signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
    const lending = lend(lender, AbortSignal.any([signal, ended]), work);
    const settled = lending.catch(() => undefined).finally(() => running.delete(settled));
    running.add(settled);
    return lending;
  }

  return {
    use: (signal, work) => lendFrom(pool, signal, work),
    useBeside: (signal, work) => lendFrom(beside && !beside.isSpent ? beside : pool, signal, work),
    async holdSnapshot(signal) {
      if (holding && pool.isSpent) holding = undefined;
      holding ??= takeSnapshot(AbortSignal.any([signal, ended]));
      try {
        const taken = await holding;
        facts ??= taken;
        return facts;
      } catch (error) {
        holding = undefined;
        throw error;
      }
    },
    async close() {
      closed.abort();
      await Promise.all([...running, holding?.catch(() => undefined)]);
      await Promise.all([pool.close(), beside?.close()]);
    },
  };
}

async function lend<T>(pool: Pool, signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await pool.take(signal);
  const onAbort = (): void => connection.abandon();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) throw cancelledFailure();
    const result = await work(connection);
    pool.putBack(connection);
    return result;
  } catch (error) {
    // A snapshot that others read in must not be lost by a mistake that did the connection no harm.
    if (signal.aborted || connection.exchange.isOpen || connection.broken()) pool.discard(connection);
    else pool.putBack(connection);
    throw signal.aborted ? cancelledFailure() : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What is inside of a snapshot; `control` only where it is sure to see the same moment. */
interface Members extends SnapshotFacts {
  readonly members: readonly Connection[];
  readonly control: Connection | undefined;
}

/** Connects all readers and one that opens their snapshots. */
async function openMembers(config: MysqlConfig, signal: AbortSignal, log: ConnectorContext['log']): Promise<Members> {
  const opened: Connection[] = [];
  const abandonAll = (): void => opened.forEach((connection) => connection.abandon());
  signal.addEventListener('abort', abandonAll, { once: true });
  try {
    const open = async (): Promise<void> => void opened.push(await connect(config, signal));
    const results = await Promise.allSettled(Array.from({ length: config.maxThreads + 1 }, open));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const [control, ...members] = opened as [Connection, ...Connection[]];
    const facts = await openSnapshots(members, control, log);
    if (!facts.controlShares) await control.close();
    return { ...facts, members, control: facts.controlShares ? control : undefined };
  } catch (error) {
    abandonAll();
    throw signal.aborted ? cancelledFailure() : error;
  } finally {
    signal.removeEventListener('abort', abandonAll);
  }
}
