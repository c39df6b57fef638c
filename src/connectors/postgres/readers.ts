import type { ConnectorContext } from '../kit/index.ts';
import { Failure } from '../../errors.ts';
import type { PostgresConfig } from './config.ts';
import { connect, type Connection } from './connect.ts';
import { cancelledFailure } from './failures.ts';
import { createPool, type Reader } from './pool.ts';
import { quoteText } from './select.ts';

/** The connections of one session: at most `maxThreads` readers, and one that holds the snapshot while a load is read. */
export interface Readers {
  /** Lends a connection; inside the shared snapshot when one is held. Waits while all are lent. */
  use<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** As `use`, on the connection that holds the snapshot, when there is one: it has nothing else to do. One at a time. */
  useHolder<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Takes the snapshot that all later work of this session sees. Idempotent. */
  holdSnapshot(signal: AbortSignal): Promise<HeldSnapshot>;
  /** Ends work in progress as cancelled and closes every connection. */
  close(): Promise<void>;
}

export interface HeldSnapshot {
  /** By which other connections can see it, too; null when the server cannot share one. */
  readonly name: string | null;
  /** What the `note` query answered just before; undefined when the snapshot is held elsewhere. */
  readonly noted: string | null | undefined;
}

const BEGIN = 'begin isolation level repeatable read read only';

/** `note` = a query that is asked just before a snapshot is taken. */
export function createReaders(config: PostgresConfig, context: ConnectorContext, note?: string): Readers {
  const closed = new AbortController();
  const ended = AbortSignal.any([context.signal, closed.signal]);
  const pool = createPool(config);
  const running = new Set<Promise<unknown>>();
  const holderTurns = createTurns();
  // The moment of another session is held there; here every connection enters it from its first use.
  let holding: Promise<Holder> | undefined =
    context.moment === undefined ? undefined : Promise.resolve({ snapshot: context.moment, noted: undefined });

  async function lend<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
    const reader = await pool.take(signal);
    try {
      const result = await abandonable(reader.connection, signal, async (connection) => {
        if (holding) await enterSnapshot(reader, await holding);
        return work(connection);
      });
      pool.putBack(reader);
      return result;
    } catch (error) {
      pool.discard(reader);
      throw error;
    }
  }

  async function lendHolder<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = (await holding)?.connection;
    return connection ? holderTurns(() => abandonable(connection, signal, work)) : lend(signal, work);
  }

  function track<T>(lending: Promise<T>): Promise<T> {
    const settled = lending.catch(() => undefined).finally(() => running.delete(settled));
    running.add(settled);
    return lending;
  }

  return {
    use: (signal, work) => track(lend(AbortSignal.any([signal, ended]), work)),
    useHolder: (signal, work) => track(lendHolder(AbortSignal.any([signal, ended]), work)),
    async holdSnapshot(signal) {
      holding ??= openHolder(config, { signal: AbortSignal.any([signal, ended]), log: context.log, note });
      try {
        const { snapshot, noted } = await holding;
        return { name: snapshot ?? null, noted };
      } catch (error) {
        holding = undefined;
        throw error;
      }
    },
    async close() {
      closed.abort();
      await Promise.all(running);
      const holder = await holding?.catch(() => undefined);
      await Promise.all([pool.close(), holder?.connection?.close()]);
    },
  };
}

/** Runs the work on a connection of ours; an aborted signal ends what the server does for it, and the connection. */
async function abandonable<T>(
  connection: Connection,
  signal: AbortSignal,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const onAbort = (): void => void connection.abandon();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) throw cancelledFailure();
    return await work(connection);
  } catch (error) {
    throw signal.aborted ? cancelledFailure() : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** One piece of work after the other. */
function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

interface Holder {
  /** Absent when a session elsewhere holds the snapshot. */
  readonly connection?: Connection;
  /** Undefined when the server cannot share one: then each reader sees its own moment. */
  readonly snapshot: string | undefined;
  readonly noted: string | null | undefined;
}

interface Holding {
  readonly signal: AbortSignal;
  readonly log: ConnectorContext['log'];
  readonly note: string | undefined;
}

async function openHolder(config: PostgresConfig, { signal, log, note }: Holding): Promise<Holder> {
  const connection = await connect(config, signal);
  const noted = note === undefined ? null : ((await connection.query(note))[0]?.[0] ?? null);
  try {
    const rows = await connection.query(`${BEGIN};select pg_catalog.pg_export_snapshot()`);
    return { connection, snapshot: rows[0]?.[0] ?? undefined, noted };
  } catch (error) {
    if (connection.broken()) throw error;
    log({ level: 'warn', message: 'the server cannot share a snapshot; each reader sees its own moment' });
    return { connection, snapshot: undefined, noted };
  }
}

async function enterSnapshot(reader: Reader, { connection, snapshot }: Holder): Promise<void> {
  if (reader.inSnapshot) return;
  const broken = connection?.broken();
  if (broken) throw new Failure('connection_lost', `the snapshot of this load is gone: ${broken.message}`);
  await reader.connection.query(
    `${BEGIN};${snapshot ? `set transaction snapshot ${quoteText(snapshot)}` : 'select 1'}`,
  );
  reader.inSnapshot = true;
}
