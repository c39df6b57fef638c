import { Kysely, PostgresDialect, sql } from 'kysely';
import { Pool, TypeOverrides, types } from 'pg';
import { Failure } from '../errors.ts';
import type { World } from '../world.ts';
import { addressOptions } from './address.ts';
import { keepPlans } from './keep-plan.ts';
import { createListener } from './listen.ts';
import { createTransaction } from './transaction.ts';
import type { Database, Db, Store } from './types.ts';

const LOWEST_VERSION = 150_000;
const POOL_SIZE = 10;
/** Clients of the API give up after ten seconds: whoever waits for a connection is told before. */
const CONNECT_WITHIN_MS = 5000;
/** A plan that is kept (`keep-plan.ts`) was made for the sizes that tables had then: it goes with its connection. */
const LONGEST_LIFE_SECONDS = 120;
/** A database that is asleep may take longer the first time. */
const FIRST_TRIES = 3;

export interface ConnectOptions {
  readonly url: string;
  readonly world: World;
  readonly log?: (message: string) => void;
  /** After the connections are closed. */
  readonly onClose?: () => Promise<void>;
}

/**
 * How values arrive: `bigint` as a number when a number holds it exactly, else as text; `numeric` as text;
 * `timestamptz` as a `Date`. Dates without a time zone stay text: they are no points in time.
 */
function readValues(): TypeOverrides {
  const overrides = new TypeOverrides();
  overrides.setTypeParser(types.builtins.INT8, (text) => {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : text;
  });
  overrides.setTypeParser(types.builtins.DATE, (text) => text);
  overrides.setTypeParser(types.builtins.TIMESTAMP, (text) => text);
  return overrides;
}

/** Opens connections to a database and checks that it answers and is new enough. Changes nothing in it. */
export async function connectStore(options: ConnectOptions): Promise<Store> {
  const pool = new Pool({
    ...addressOptions(options.url),
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    maxLifetimeSeconds: LONGEST_LIFE_SECONDS,
    application_name: 'penstock',
    types: readValues(),
  });
  // A connection that breaks fails its statement and is replaced at the next use. Without handlers, of the pool for the
  // idle ones and of each connection for those in use, it would end the process.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    keepPlans(client);
  });
  pool.on('error', (error) => options.log?.(`a database connection broke: ${error.message}`));
  try {
    await requireVersion(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  const db: Db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const listener = createListener(options);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await listener.close();
    await db.destroy();
    // Kysely ends the pool only when it has used it.
    if (!pool.ended) await pool.end();
    await options.onClose?.();
  };
  return {
    db,
    pool,
    url: options.url,
    transaction: createTransaction(db, options.world),
    notify: async (tx, channel, payload) => {
      await sql`select pg_notify(${channel}, ${payload})`.execute(tx);
    },
    listen: listener.listen,
    close: () => (closing ??= close()),
  };
}

async function requireVersion(pool: Pool): Promise<void> {
  const found = await askVersion(pool, FIRST_TRIES);
  const version = Number(found.rows[0]?.server_version_num);
  if (version < LOWEST_VERSION) {
    throw new Failure(
      'configuration_invalid',
      `the database is PostgreSQL ${Math.floor(version / 10_000)}; 15 is needed`,
    );
  }
}

async function askVersion(pool: Pool, tries: number): Promise<{ rows: { server_version_num: string }[] }> {
  try {
    return await pool.query<{ server_version_num: string }>('show server_version_num');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined && tries > 1) return askVersion(pool, tries - 1);
    throw connectFailure(error as Error & { code?: string });
  }
}

/** Class 28 is a refused login, 3D000 a database that does not exist; the rest is a server that cannot be reached. */
function connectFailure(error: Error & { code?: string }): Failure {
  const where = 'the database of Penstock';
  if (error.code?.startsWith('28'))
    return new Failure('credentials_refused', `${where} refused the login`, { cause: error });
  if (error.code === '3D000') return new Failure('configuration_invalid', `${where} does not exist`, { cause: error });
  const reason = error.code ?? 'no answer in time';
  return new Failure('unreachable', `${where} cannot be reached (${reason})`, { cause: error });
}
