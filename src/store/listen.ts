import { Client, escapeIdentifier } from 'pg';
import { addressOptions } from './address.ts';

type Handler = (payload: string) => void;
type Handlers = Map<string, Set<Handler>>;
interface Origin {
  readonly url: string;
  readonly log?: (message: string) => void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
const CONNECT_WITHIN_MS = 5000;

export interface Listener {
  /** Notifications sent after this returns arrive, but for those sent while a broken connection is being renewed. */
  listen(channel: string, handler: Handler): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** One connection for all channels, opened at the first, renewed with every channel when it breaks. */
export function createListener(origin: Origin): Listener {
  const handlers: Handlers = new Map();
  const connection = keepConnection(origin, handlers);

  const forget = async (channel: string, handler: Handler): Promise<void> => {
    const all = handlers.get(channel);
    if (!all?.delete(handler) || all.size > 0) return;
    handlers.delete(channel);
    const client = await connection.current();
    if (!handlers.has(channel)) await client?.query(`unlisten ${escapeIdentifier(channel)}`).catch(() => undefined);
  };

  return {
    async listen(channel, handler) {
      const all = handlers.get(channel) ?? new Set();
      handlers.set(channel, all.add(handler));
      try {
        const client = await connection.get();
        await client.query(`listen ${escapeIdentifier(channel)}`);
      } catch (error) {
        await forget(channel, handler);
        throw error;
      }
      return () => forget(channel, handler);
    },
    async close() {
      handlers.clear();
      await connection.close();
    },
  };
}

interface Connection {
  /** Opens it when there is none. */
  get(): Promise<Client>;
  current(): Promise<Client | undefined>;
  close(): Promise<void>;
}

function keepConnection(origin: Origin, handlers: Handlers): Connection {
  let opening: Promise<Client> | undefined;
  let pause = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const get = (): Promise<Client> => {
    opening ??= open(origin, handlers, renew).then(
      (client) => {
        pause = FIRST_PAUSE_MS;
        return client;
      },
      (error: Error) => {
        opening = undefined;
        throw error;
      },
    );
    return opening;
  };

  const renew = (): void => {
    opening = undefined;
    if (closed || handlers.size === 0) return;
    clearTimeout(timer);
    timer = setTimeout(() => void get().catch(renew), pause).unref();
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  };

  const current = async (): Promise<Client | undefined> => opening?.catch(() => undefined);

  return {
    get,
    current,
    async close() {
      closed = true;
      clearTimeout(timer);
      const client = await current();
      await client?.end().catch(() => undefined);
    },
  };
}

/** A connection that listens on every channel known; `onEnd` is called once if it breaks after that. */
async function open(origin: Origin, handlers: Handlers, onEnd: () => void): Promise<Client> {
  const client = new Client({
    ...addressOptions(origin.url),
    application_name: 'penstock listen',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
  });
  client.on('error', (error) => origin.log?.(`the notification connection broke: ${error.message}`));
  client.on('notification', ({ channel, payload }) => {
    for (const handler of handlers.get(channel) ?? []) handler(payload ?? '');
  });
  await client.connect();
  try {
    for (const channel of handlers.keys()) await client.query(`listen ${escapeIdentifier(channel)}`);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  client.on('end', onEnd);
  return client;
}
