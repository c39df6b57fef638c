import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { EmbeddedPostgres } from '../../../src/store/index.ts';
import { startEmbeddedPostgres } from '../../../src/store/index.ts';
import { testOptions } from '../../support/postgres.ts';
import type { TestSource } from '../../support/source.ts';

/** A PostgreSQL server that can die and come back on the same port with the same data. */
export interface MortalPostgres extends TestSource {
  /** Kills the server's first process with SIGKILL; its sessions end with it. */
  kill(): void;
  /** Starts it again; it recovers from its log. */
  revive(): Promise<void>;
}

export async function startMortalPostgres(): Promise<MortalPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-test-mortal-'));
  const settings = { wal_level: 'logical', max_connections: '100', synchronous_commit: 'on' };
  const start = (port: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({ ...testOptions(folder), durable: false, settings, listen: { port } });
  let server = await start(0);
  const url = new URL(server.url);
  const config = {
    host: url.hostname,
    port: Number(url.port),
    database: url.pathname.slice(1) || 'postgres',
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
  return {
    url: server.url,
    config,
    async run(sql) {
      const client = new Client({ connectionString: url.href });
      await client.connect();
      try {
        const result: unknown = await client.query(sql);
        // The server of tests flushes late what it commits, and logs are read as far as they are flushed.
        await client.query('checkpoint');
        return (Array.isArray(result) ? result.at(-1) : result).rows as Record<string, unknown>[];
      } finally {
        await client.end();
      }
    },
    kill: () => process.kill(server.pid()!, 'SIGKILL'),
    async revive() {
      // Lets go of the folder; there is nothing left to be stopped.
      await server.stop();
      server = await start(config.port);
    },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
      if (server.socketDir) await rm(server.socketDir, { recursive: true, force: true });
    },
  };
}
