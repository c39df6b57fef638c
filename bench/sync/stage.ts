import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as Postgres } from 'pg';
import { type Client, signIn } from '../../examples/demo/client.ts';
import { type RunningServer, startServer } from '../../examples/demo/server.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/store/index.ts';

const PASSWORD = 'bench-password';

/** A Penstock server as a user starts it, and folders for one run of the bench. */
export interface Stage {
  readonly home: string;
  readonly server: RunningServer;
  readonly client: Client;
  /** Reads a path outside of the OLake face; undefined when nothing is there. */
  get<T>(path: string): Promise<T | undefined>;
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
    async close() {
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** A real PostgreSQL to read from, with a client that stays connected. */
export interface PostgresSource {
  readonly url: string;
  readonly postgres: Postgres;
  stop(): Promise<void>;
}

export async function openPostgres(stage: Stage, name: string): Promise<PostgresSource> {
  const server: EmbeddedPostgres = await startEmbeddedPostgres({
    dataDir: join(stage.home, name),
    listen: { port: 0 },
    settings: { shared_buffers: '512MB', wal_level: 'logical', max_wal_size: '4GB' },
  });
  const postgres = new Postgres(server.url);
  await postgres.connect();
  return {
    url: server.url,
    postgres,
    async stop() {
      await postgres.end();
      await server.stop();
    },
  };
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
