import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { EmbeddedPostgres } from '../../../src/store/index.ts';
import { startEmbeddedPostgres } from '../../../src/store/index.ts';
import { testOptions } from '../../support/postgres.ts';
import { until } from '../../support/waiting.ts';

/** One PostgreSQL of a pair. */
export interface PairedPostgres {
  readonly config: Readonly<Record<string, unknown>> & { readonly port: number };
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends the server at once; `start` brings it back. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

/** A primary, and a standby that streams from it and can take its slots over. */
export interface PostgresPair {
  readonly primary: PairedPostgres;
  readonly standby: PairedPostgres;
  /** Waits until the standby has replayed what the primary has written. */
  caughtUp(): Promise<void>;
  remove(): Promise<void>;
}

const SETTINGS = { wal_level: 'logical', hot_standby_feedback: 'on', synchronous_commit: 'on' };

export async function startPostgresPair(): Promise<PostgresPair> {
  const folders = await Promise.all(
    ['primary', 'standby'].map((name) => mkdtemp(join(tmpdir(), `penstock-test-${name}-`))),
  );
  const [primaryFolder, standbyFolder] = folders as [string, string];
  const primary = await startServer(primaryFolder, SETTINGS);
  const standby = await startStandby(primary, primaryFolder, standbyFolder).catch(async (error: unknown) => {
    await primary.remove();
    throw error;
  });
  return {
    primary,
    standby,
    async caughtUp() {
      const [row] = await primary.run('select pg_current_wal_flush_lsn()::text as lsn');
      const replayed = `select pg_last_wal_replay_lsn() >= '${String(row!['lsn'])}'::pg_lsn as done`;
      await until('the standby has replayed all', async () => (await standby.run(replayed))[0]!['done'] === true);
    },
    async remove() {
      await Promise.all([primary.remove(), standby.remove()]);
    },
  };
}

async function startStandby(primary: PairedPostgres, from: string, to: string): Promise<PairedPostgres> {
  await primary.run(`select pg_create_physical_replication_slot('standby', true)`);
  await copyCluster(primary, from, to);
  const { host, port, username, password, database } = primary.config;
  const source = `host=${host} port=${port} user=${username} password=${password} dbname=${database}`;
  const follows = { primary_conninfo: source, primary_slot_name: 'standby', sync_replication_slots: 'on' };
  return startServer(to, { ...SETTINGS, ...follows });
}

/** A base backup: files as they are, told by the label where recovery must begin. */
async function copyCluster(primary: PairedPostgres, from: string, to: string): Promise<void> {
  const client = new Client(clientOptions(primary.config));
  await client.connect();
  try {
    await client.query(`select pg_backup_start('pair', true)`);
    // Files may vanish while they are copied; owners must stay.
    await promisify(execFile)('cp', ['-a', join(from, 'postgres'), to]).catch(() => undefined);
    const stopped = await client.query('select labelfile from pg_backup_stop(false)');
    const cluster = join(to, 'postgres', 'cluster');
    // What belongs to the primary alone.
    await rm(join(cluster, 'postmaster.pid'), { force: true });
    for (const slot of await readdir(join(cluster, 'pg_replslot'))) {
      await rm(join(cluster, 'pg_replslot', slot), { recursive: true });
    }
    const { uid, gid } = await stat(cluster);
    const added = { backup_label: String(stopped.rows[0].labelfile), 'standby.signal': '' };
    for (const [name, text] of Object.entries(added)) {
      await writeFile(join(cluster, name), text);
      await chown(join(cluster, name), uid, gid);
    }
  } finally {
    await client.end();
  }
}

async function startServer(folder: string, settings: Record<string, string>): Promise<PairedPostgres> {
  const start = (port: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({ ...testOptions(folder), settings: { fsync: 'off', ...settings }, listen: { port } });
  let server = await start(0);
  const url = new URL(server.url);
  const config = {
    host: url.hostname,
    port: Number(url.port),
    database: url.pathname.slice(1),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
  return {
    config,
    async run(sql) {
      const client = new Client(clientOptions(config));
      await client.connect();
      try {
        const result: unknown = await client.query(sql);
        return (Array.isArray(result) ? result.at(-1) : result).rows as Record<string, unknown>[];
      } finally {
        await client.end();
      }
    },
    async kill() {
      process.kill(server.pid()!, 'SIGKILL');
      await server.stop();
    },
    async start() {
      server = await start(config.port);
    },
    async remove() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
      if (server.socketDir) await rm(server.socketDir, { recursive: true, force: true });
    },
  };
}

function clientOptions({ host, port, database, username, password }: PairedPostgres['config']) {
  return { host: String(host), port, database: String(database), user: String(username), password: String(password) };
}
