import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/store/index.ts';
import type { EmbeddedPostgres } from '../../src/store/index.ts';
import { testOptions } from '../support/postgres.ts';
import { createJob } from './sync-support.ts';
import type { LakeJob } from './sync-support.ts';

// Servers that were one once: each goes on from what both have, and looks like the other to whoever only compares places.

const START = {
  durable: false,
  listen: { port: 0 },
  // Recovery that finds no more log takes over, as a standby does that is told to.
  settings: { wal_level: 'logical', restore_command: 'false', max_connections: '50' },
} as const;

const start = (folder: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ ...testOptions(folder), ...START });

const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', from, to]);

async function run(server: EmbeddedPostgres, sql: string): Promise<void> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

const configOf = ({ url }: EmbeddedPostgres): Record<string, unknown> => {
  const { hostname, port, pathname, username, password } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    database: pathname.slice(1),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
};

const words = async (job: LakeJob): Promise<string[]> =>
  (await job.read('facts'))
    .filter((row) => row['_op_type'] !== 'd')
    .map((row) => String(row['word']))
    .toSorted();

test('a job goes on from a server that took over with all of the log, and loads anew where one lacks what was read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-courses-'));
  const [old, taker, backup] = [join(folder, 'old'), join(folder, 'taker'), join(folder, 'backup')];
  let first = await start(old);
  const servers = [first];
  let job: LakeJob | undefined;
  try {
    await run(
      first,
      `create table facts (id serial primary key, word text); insert into facts (word) values ('one');
       create publication lake_tables for all tables`,
    );
    await run(first, `select pg_create_logical_replication_slot('lake', 'pgoutput')`);
    const method = { type: 'CDC', replication_slot: 'lake', publication: 'lake_tables', initial_wait_time: 120 };
    const config: Record<string, unknown> = { ...configOf(first), update_method: method };
    const connection = { type: 'postgres', config };
    job = await createJob(connection, { destination: 'iceberg', mode: 'cdc', streams: ['facts'], connection });
    const sync = async (): Promise<string> => {
      const { failure, lines } = await job!.attempt();
      assert.equal(failure, undefined, failure?.message);
      return lines.map(({ message }) => message).join('\n');
    };
    await sync();
    await run(first, `insert into facts (word) values ('two')`);
    await sync();
    await first.stop();
    await copy(old, taker);
    await copy(old, backup);
    await writeFile(join(first.clusterDir.replace(old, taker), 'recovery.signal'), '');
    const second = await start(taker);
    servers.push(second);
    await run(second, `insert into facts (word) values ('three, of the new one')`);
    Object.assign(config, configOf(second));
    assert.doesNotMatch(await sync(), /loaded again/);
    assert.deepEqual(await words(job), ['one', 'three, of the new one', 'two']);
    assert.match(job.state, /"timeline":2/);

    // The old one was not gone, and has written more than the new one by now.
    first = await start(old);
    servers.push(first);
    const further = `select pg_switch_wal(); insert into facts (word) values ('filler')`;
    for (let file = 0; file < 3; file++) await run(first, further);
    await run(first, `insert into facts (word) values ('four, of the old one')`);
    Object.assign(config, configOf(first));
    assert.match(await sync(), /facts: the source no longer has the changes after .*; it is loaded again/);
    assert.deepEqual(await words(job), ['filler', 'filler', 'filler', 'four, of the old one', 'one', 'two']);
    assert.doesNotMatch(await sync(), /loaded again/);

    // The old one is put back to where it was, without its log.
    await first.stop();
    await rm(old, { recursive: true });
    await copy(backup, old);
    first = await start(old);
    servers.push(first);
    Object.assign(config, configOf(first));
    assert.match(await sync(), /facts: the log of the source ends before .*; it is loaded again/);
    assert.deepEqual(await words(job), ['one', 'two']);
    await run(first, `insert into facts (word) values ('five, of the old one')`);
    await sync();

    // Back on the new one, which never had what the old one wrote after it took over.
    for (let file = 0; file < 6; file++) await run(second, further);
    Object.assign(config, configOf(second));
    assert.match(await sync(), /no longer has the changes after .*; it is loaded again/);
    assert.ok(!(await words(job)).includes('five, of the old one'));
  } finally {
    await job?.remove();
    for (const server of servers) {
      await server.stop();
      if (server.socketDir !== null) await rm(server.socketDir, { recursive: true, force: true });
    }
    await rm(folder, { recursive: true, force: true });
  }
});
