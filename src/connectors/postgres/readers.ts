import type { ConnectorContext } from '../kit/index.ts';
import { Failure } from '../../errors.ts';
import type { PostgresConfig } from './config.ts';
import { connect, type Connection } from './connect.ts';
import { cancelledFailure } from './failures.ts';

/**
 * The connections of one session: at most `maxThreads` readers, plus one that holds the snapshot open while a load is read. A reader that
 * met a failure is abandoned, never reused.
 */
export interface Readers {
  /** Lends a connection; inside the shared snapshot when one is held. Waits while all are lent. */
  use<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Takes the snapshot that all later work of this session sees. Idempotent. */
  holdSnapshot(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface Reader {
  readonly connection: Connection;
  inSnapshot: boolean;
}

const BEGIN = 'begin isolation level repeatable read read only';

export function createReaders(config: PostgresConfig, context: ConnectorContext): Readers {
  const ended = new AbortController();
  const idle: Reader[] = [];
  const waiting: (() => void)[] = [];
  let lent = 0;
  let holding: Promise<Holder> | undefined;
  const open = new Set<Connection>();
  const stop = (): void => ended.abort();
  context.signal.addEventListener('abort', stop, { once: true });

  async function take(signal: AbortSignal): Promise<Reader> {
    while (lent >= config.maxThreads) await nextFree(waiting, signal);
    if (signal.aborted) throw cancelledFailure();
    lent++;
    try {
      let reader = idle.pop();
      while (reader && (reader.connection.broken() || reader.connection.socket().destroyed)) {
        open.delete(reader.connection);
        reader = idle.pop();
      }
      if (reader) return reader;
      const connection = await connect(config, signal);
      open.add(connection);
      return { connection, inSnapshot: false };
    } catch (error) {
      give();
      throw error;
    }
  }
  function give(): void {
    lent--;
    waiting.shift()?.();
  }
  async function enterSnapshot(reader: Reader): Promise<void> {
    if (!holding || reader.inSnapshot) return;
    const { snapshot, connection } = await holding;
    const broken = connection.broken();
    if (broken)
      throw new Failure('connection_lost', `the connection that held the snapshot is gone: ${broken.message}`);
    await reader.connection.query(`${BEGIN};${snapshot ? `set transaction snapshot '${snapshot}'` : 'select 1'}`);
    reader.inSnapshot = true;
  }

  return {
    async use(given, work) {
      const signal = AbortSignal.any([given, ended.signal]);
      const reader = await take(signal);
      const onAbort = (): void => reader.connection.abandon();
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        if (signal.aborted) throw cancelledFailure();
        await enterSnapshot(reader);
        const result = await work(reader.connection);
        idle.push(reader);
        return result;
      } catch (error) {
        reader.connection.abandon();
        open.delete(reader.connection);
        throw signal.aborted ? cancelledFailure() : error;
      } finally {
        signal.removeEventListener('abort', onAbort);
        give();
      }
    },
    async holdSnapshot(given) {
      const signal = AbortSignal.any([given, ended.signal]);
      holding ??= openHolder(config, signal, context.log);
      try {
        open.add((await holding).connection);
      } catch (error) {
        holding = undefined;
        throw error;
      }
    },
    async close() {
      context.signal.removeEventListener('abort', stop);
      const atWork = lent > 0;
      ended.abort();
      const holder = await holding?.catch(() => undefined);
      if (holder) open.add(holder.connection);
      const connections = [...open];
      open.clear();
      await Promise.all(connections.map((connection) => (atWork ? connection.abandon() : connection.close())));
    },
  };
}

interface Holder {
  readonly connection: Connection;
  /** Undefined when the server cannot share one: then each reader sees its own moment. */
  readonly snapshot: string | undefined;
}

async function openHolder(config: PostgresConfig, signal: AbortSignal, log: ConnectorContext['log']): Promise<Holder> {
  const connection = await connect(config, signal);
  try {
    const rows = await connection.query(`${BEGIN};select pg_catalog.pg_export_snapshot()`);
    return { connection, snapshot: rows[0]?.[0] ?? undefined };
  } catch (error) {
    if (connection.broken()) throw error;
    log({ level: 'warn', message: 'the server cannot share a snapshot; each reader sees its own moment' });
    return { connection, snapshot: undefined };
  }
}

function nextFree(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
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
