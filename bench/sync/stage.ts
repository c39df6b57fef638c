import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as Postgres } from 'pg';
import { type Client, signIn } from '../../examples/demo/client.ts';
import { type RunningServer, startServer } from '../../examples/demo/server.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres, withDatabase } from '../../src/store/index.ts';

const PASSWORD = 'bench-password';

/** A Penstock server as a user starts it, and folders for one run of the bench. */
export interface Stage {
  readonly home: string;
  readonly server: RunningServer;
  readonly client: Client;
  /** Reads a path outside of the OLake face; undefined when nothing is there. */
  get<T>(path: string): Promise<T | undefined>;
  /** The one PostgreSQL that is read from, started when it is first asked for. */
  source(): Promise<EmbeddedPostgres>;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const home = await mkdtemp(join(tmpdir(), 'penstock-bench-'));
  const server = await startServer({ dataDir: join(home, 'penstock'), port: 0, password: PASSWORD });
  const login = { username: 'admin', password: PASSWORD };
  const client = await signIn(server.url, login);
  const answer = await fetch(`${server.url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(login),
  });
  const { token } = ((await answer.json()) as { data: { token: string } }).data;
  let source: Promise<EmbeddedPostgres> | undefined;
  return {
    home,
    server,
    client,
    async get(path) {
      const response = await fetch(`${server.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`${path} answered ${response.status}`);
      return (await response.json()) as never;
    },
    source: () => (source ??= startSource(home)),
    async close() {
      await server.stop();
      await (await source)?.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A database of a real PostgreSQL to read from, with a client that stays connected. */
export interface PostgresSource {
  readonly url: string;
  readonly postgres: Postgres;
  /** Drops the database and what reads it. */
  stop(): Promise<void>;
}

function startSource(home: string): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({
    dataDir: join(home, 'source'),
    listen: { port: 0 },
    settings: { shared_buffers: '512MB', wal_level: 'logical', max_wal_size: '4GB' },
  });
}

/** A database of its own on the one source server of the stage. */
export async function openPostgres(stage: Stage, name: string): Promise<PostgresSource> {
  const server = await stage.source();
  await onServer(server.url, (owner) => owner.query(`create database ${name}`));
  const url = withDatabase(server.url, name);
  const postgres = new Postgres(url);
  await postgres.connect();
  return {
    url,
    postgres,
    async stop() {
      await postgres.end();
      await onServer(server.url, (owner) => dropDatabase(owner, name));
    },
  };
}

async function onServer(url: string, work: (owner: Postgres) => Promise<unknown>): Promise<void> {
  const owner = new Postgres(url);
  await owner.connect();
  try {
    await work(owner);
  } finally {
    await owner.end();
  }
}

/** Slots go first: they hold the database, and the log of all. */
async function dropDatabase(owner: Postgres, name: string): Promise<void> {
  const slots = 'from pg_replication_slots where database = $1';
  await owner.query(`select pg_terminate_backend(active_pid, 5000) ${slots} and active`, [name]);
  await owner.query(`select pg_drop_replication_slot(slot_name) ${slots}`, [name]);
  await owner.query(`drop database ${name} with (force)`);
}

/** Settings of a postgres source that reaches the server. */
export function postgresConfig(url: string): Record<string, unknown> {
  const at = new URL(url);
  return {
    host: at.hostname,
    port: Number(at.port),
    database: at.pathname.slice(1),
    username: at.username,
    password: decodeURIComponent(at.password),
  };
}
