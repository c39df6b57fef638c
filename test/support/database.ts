import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { Failure } from '../../src/errors.ts';
import {
  connectEmbedded,
  connectStore,
  migrate,
  readMigrations,
  startEmbeddedPostgres,
  withDatabase,
} from '../../src/store/index.ts';
import type { Store } from '../../src/store/index.ts';
import { createWorld } from '../../src/world.ts';
import { SHARED_FOLDER, testOptions } from './postgres.ts';

export interface TestStore {
  readonly store: Store;
  /** Closes the store and drops its database. */
  readonly close: () => Promise<void>;
}

export interface TestStoreOptions {
  /** Runs once per template, after the migrations: what every database of it shall hold. */
  readonly prepare?: (store: Store) => Promise<void>;
  /** Another server than the shared one. */
  readonly serverUrl?: string;
}

let count = 0;
const swept = new Set<string>();

/** A migrated, empty database of its own on the shared test server, cloned from a template in some tens of ms. */
export async function createTestStore(options: TestStoreOptions = {}): Promise<TestStore> {
  const serverUrl = options.serverUrl ?? (await sharedServerUrl());
  const name = `test_${process.pid}_${++count}_${createWorld().random(3).toString('hex')}`;
  await onServer(serverUrl, async (client) => {
    if (!swept.has(serverUrl)) await dropLeftOvers(client);
    swept.add(serverUrl);
    const template = await ensureTemplate(client, serverUrl, options.prepare);
    await client.query(`create database ${name} template ${template}`);
  });
  const store = await connectStore({ url: withDatabase(serverUrl, name), world: createWorld() });
  const close = async (): Promise<void> => {
    await store.close();
    await onServer(serverUrl, (client) => client.query(`drop database if exists ${name} with (force)`));
  };
  return { store, close };
}

/** `TEST_POSTGRES_URL`, else a long-lived server of this user, started by whichever test process needs it first. */
export async function sharedServerUrl(): Promise<string> {
  const given = process.env['TEST_POSTGRES_URL'];
  if (given) return given;
  for (;;) {
    const running = await connectEmbedded(SHARED_FOLDER, 0).catch(() => undefined);
    if (running) return running.url;
    try {
      const settings = { max_connections: '300' };
      const server = await startEmbeddedPostgres({ ...testOptions(SHARED_FOLDER), durable: false, settings });
      await server.leave();
      return server.url;
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'conflict') throw error;
      await delay(100);
    }
  }
}

async function onServer<T>(serverUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: withDatabase(serverUrl, 'postgres') });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The name of a database with all migrations and `prepare` done, made by the first who asks. */
async function ensureTemplate(
  client: Client,
  serverUrl: string,
  prepare: TestStoreOptions['prepare'],
): Promise<string> {
  const migrations = await readMigrations();
  const queue = createRequire(import.meta.url).resolve('pg-boss');
  const parts = [...migrations.map((one) => one.checksum), prepare?.toString() ?? '', await queueVersion(queue)];
  const name = `template_${createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 20)}`;
  const exists = async (): Promise<boolean> =>
    (await client.query('select 1 from pg_database where datname = $1', [name])).rowCount === 1;
  if (await exists()) return name;
  await client.query('select pg_advisory_lock(720)');
  try {
    if (await exists()) return name;
    const draft = `${name}_draft`;
    await client.query(`drop database if exists ${draft} with (force)`);
    await client.query(`create database ${draft}`);
    const store = await connectStore({ url: withDatabase(serverUrl, draft), world: createWorld() });
    try {
      await migrate(store.pool, migrations);
      await prepare?.(store);
    } finally {
      await store.close();
    }
    await client.query(`alter database ${draft} rename to ${name}`);
    await client.query(`alter database ${name} allow_connections false`);
    return name;
  } finally {
    await client.query('select pg_advisory_unlock(720)');
  }
}

async function queueVersion(entry: string): Promise<string> {
  const root = entry.slice(0, entry.lastIndexOf('pg-boss') + 'pg-boss'.length);
  return (JSON.parse(await readFile(`${root}/package.json`, 'utf8')) as { version: string }).version;
}

/** Databases of test processes that were killed. */
async function dropLeftOvers(client: Client): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    `select datname from pg_database where datname like 'test\\_%'`,
  );
  for (const { datname } of rows) {
    const pid = Number(datname.split('_')[1]);
    if (!Number.isInteger(pid) || isRunning(pid)) continue;
    await client.query(`drop database if exists "${datname}" with (force)`);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
