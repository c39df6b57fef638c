import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { PgBoss } from 'pg-boss';
import { createTestStore } from '../../../test/support/database.ts';
import type { TestStore } from '../../../test/support/database.ts';
import { startTestPostgres } from '../../../test/support/postgres.ts';
import { createWorld } from '../../world.ts';
import type { EmbeddedPostgres } from '../embedded/index.ts';
import type { Store } from '../types.ts';
import { backup, restore } from './index.ts';
import { labelOf, quoted, readSequences, readTables } from './tables.ts';

const world = createWorld();

/** The queue's own tables, as the engine installs them. */
async function installQueueTables(store: Store): Promise<void> {
  const boss = new PgBoss({ connectionString: store.url, schema: 'pgboss', supervise: false, schedule: false });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue('task');
  await boss.stop({ graceful: false });
}

/** One hash per table over all of its rows, and what every sequence gives out next. */
async function fingerprint(store: Store): Promise<Record<string, string>> {
  const client = await store.pool.connect();
  try {
    await client.query("set timezone = 'UTC'");
    const result: Record<string, string> = {};
    for (const table of await readTables(client)) {
      const columns = table.columns.map((column) => `t.${column}`).join(', ');
      const { rows } = await client.query<{ hash: string }>(
        `select count(*) || ' ' || coalesce(md5(string_agg(row, chr(10) order by row collate "C")), '') as hash
         from (select row(${columns})::text as row from ${quoted(table)} t) r`,
      );
      result[labelOf(table)] = rows[0]!.hash;
    }
    for (const { name, next } of await readSequences(client)) result[name] = next;
    return result;
  } finally {
    client.release();
  }
}

/** Rows with everything that a text form could spoil. */
async function fillStore(store: Store): Promise<void> {
  const nasty = 'tab\t newline\n backslash\\ \\N quote" \u{1F40A} \\. end';
  await store.pool.query(
    `insert into users (username, email, role, password_hash) select 'user ' || n, n || '@example.org', 'viewer', $1
     from generate_series(1, 500) n`,
    [nasty],
  );
  await store.pool.query(
    `insert into run (id, path, project, kind, state, trigger, snapshot, created_by, started_at)
     select 'r_' || n, n::text, '123', 'sync', 'failed', 'manual', $1, '', now() - n * interval '1.000001 s' from generate_series(1, 2000) n`,
    [JSON.stringify({ nasty, nested: [1, null, { deep: 0.1 }] })],
  );
  await store.pool.query(
    `insert into tokens (id, user_id, name, token_hash) select 't' || id, id, '', sha256(username::bytea) from users`,
  );
  await store.pool.query(`select nextval('attempt_fence') from generate_series(1, 41)`);
  const boss = new PgBoss({ connectionString: store.url, schema: 'pgboss', supervise: false, schedule: false });
  await boss.start();
  await boss.send('task', { nasty });
  await boss.stop({ graceful: false });
}

describe('a backup', () => {
  let folder: string;
  let external: EmbeddedPostgres;
  const stores: TestStore[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'penstock-backup-'));
    external = await startTestPostgres({ version: 15, listen: { port: 0 } });
  });
  after(async () => {
    for (const { close } of stores) await close();
    await external?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(serverUrl?: string): Promise<Store> {
    const test = await createTestStore({ prepare: installQueueTables, ...(serverUrl ? { serverUrl } : {}) });
    stores.push(test);
    return test.store;
  }

  const file = (name: string): string => join(folder, name);

  it('restores to the same content, from 18 to an external 15 and back', async () => {
    const [origin, other, back] = [await open(), await open(external.url), await open()];
    await fillStore(origin);
    const expected = await fingerprint(origin);
    assert.match(expected['public.run']!, /^2000 /);
    assert.match(expected['pgboss.job']!, /^1 /);
    assert.equal(expected['public.attempt_fence'], '42');
    const rows = await backup(origin, file('first'), world);
    assert.equal(rows['public.users'], 500);
    assert.deepEqual(await restore(other, file('first')), rows);
    assert.deepEqual(await fingerprint(other), expected);
    await backup(other, file('second'), world);
    await restore(back, file('second'));
    assert.deepEqual(await fingerprint(back), expected);
    const added = await back.pool.query(
      `insert into users (username, email, role, password_hash) values ('new', 'new', 'viewer', '') returning id`,
    );
    assert.deepEqual(added.rows, [{ id: 501 }]);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.endsWith('.part')),
      [],
    );
  });

  it('holds one moment although rows are written meanwhile', async () => {
    const [origin, copy] = [await open(), await open()];
    await fillStore(origin);
    const done = new AbortController();
    const writer = (async () => {
      for (let n = 0; !done.signal.aborted; n++) {
        // Both rows or none: a backup that mixed moments would hold a token without its user, which restore refuses.
        await origin.transaction(async (tx) => {
          const user = await tx
            .insertInto('users')
            .values({ username: `late ${n}`, email: `late ${n}`, role: 'viewer', password_hash: '' })
            .returning('id')
            .executeTakeFirstOrThrow();
          await tx
            .insertInto('tokens')
            .values({ id: `late ${n}`, user_id: user.id, name: '', token_hash: Buffer.alloc(32) })
            .execute();
        });
      }
    })();
    const rows = await backup(origin, file('moving'), world);
    done.abort();
    await writer;
    assert.equal(rows['public.users'], rows['public.tokens']);
    assert.deepEqual(await restore(copy, file('moving')), rows);
  });

  it('refuses a file that is cut short, altered or something else, and changes nothing', async () => {
    const [origin, target] = [await open(), await open()];
    await fillStore(origin);
    await backup(origin, file('whole'), world);
    const bytes = await readFile(file('whole'));
    await writeFile(file('cut'), bytes);
    await truncate(file('cut'), Math.floor(bytes.length * 0.9));
    const content = gunzipSync(bytes);
    const altered = Buffer.from(content);
    altered[altered.indexOf('user 77')] = 'U'.charCodeAt(0);
    await writeFile(file('altered'), gzipSync(altered));
    await writeFile(file('headless'), gzipSync(content.subarray(0, 3)));
    await writeFile(file('appended'), gzipSync(Buffer.concat([content, Buffer.from('more')])));
    await writeFile(file('text'), 'no backup at all');
    await writeFile(file('empty'), '');
    const present = await fingerprint(target);
    for (const name of ['cut', 'altered', 'headless', 'appended', 'text', 'empty']) {
      await assert.rejects(restore(target, file(name)), { name: 'Failure', kind: 'unprocessable' }, name);
    }
    await assert.rejects(restore(target, file('absent')), { kind: 'not_found' });
    assert.deepEqual(await fingerprint(target), present);
    await restore(target, file('whole'));
  });

  it('goes into a database with content only by force, and then replaces all of it', async () => {
    const [origin, target] = [await open(), await open()];
    await fillStore(origin);
    await backup(origin, file('forced'), world);
    await target.pool.query(
      `insert into users (username, email, role, password_hash) values ('present', 'present', 'admin', '')`,
    );
    await assert.rejects(restore(target, file('forced')), { kind: 'conflict', message: /users has rows/ });
    await restore(target, file('forced'), { force: true });
    assert.deepEqual(await fingerprint(target), await fingerprint(origin));
  });

  it('is refused by a database of another schema version, even by force', async () => {
    const [origin, target] = [await open(), await open()];
    await backup(origin, file('version'), world);
    await target.pool.query(`insert into store_migration (number, name, checksum) values (9999, 'later', 'x')`);
    await assert.rejects(restore(target, file('version'), { force: true }), {
      kind: 'conflict',
      message: /another schema version/,
    });
  });

  it('leaves no file behind when it fails', async () => {
    const origin = await open();
    await assert.rejects(backup(origin, join(folder, 'absent', 'file'), world));
    await origin.pool.query('drop table store_migration');
    await assert.rejects(backup(origin, file('failing'), world));
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('failing')),
      [],
    );
  });

  it('is written and read in bounded memory', async () => {
    const [origin, target] = [await open(), await open()];
    // 200 MB, many times what may be in memory.
    await origin.pool.query(
      `insert into users (username, email, role, password_hash)
       select n, n, 'viewer', repeat(md5(n::text), 310)
       from generate_series(1, 20000) n`,
    );
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20);
    const start = process.memoryUsage.rss();
    await backup(origin, file('large'), world);
    await restore(target, file('large'));
    clearInterval(watch);
    assert.ok(peak - start < 120e6, `memory grew by ${Math.round((peak - start) / 1e6)} MB`);
  });
});
