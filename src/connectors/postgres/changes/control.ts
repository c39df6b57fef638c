import { cancelledFailure } from '../failures.ts';
import type { PostgresConfig } from '../config.ts';
import { connect, type Connection } from '../connect.ts';

/** One connection outside of any snapshot, for questions about the log and for rows as they are now. */
export interface Control {
  /** Runs the work when those before it are done; connects when there is no sound connection. */
  use<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function createControl(config: PostgresConfig, session: AbortSignal): Control {
  let connection: Connection | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  const run = async <T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> => {
    if (isClosed || signal.aborted) throw cancelledFailure();
    if (connection && (connection.broken() || connection.socket().destroyed)) connection = undefined;
    connection ??= await connect(config, signal);
    const used = connection;
    const onAbort = (): void => void used.abandon();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await work(used);
    } catch (error) {
      throw signal.aborted ? cancelledFailure() : error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  };
  return {
    use(signal, work) {
      const running = last.then(() => run(AbortSignal.any([signal, session]), work));
      last = running.catch(() => undefined);
      return running;
    },
    async close() {
      isClosed = true;
      await last;
      await connection?.close();
    },
  };
}
