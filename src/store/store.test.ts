import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { sql } from 'kysely';
import { startTestPostgres } from '../../test/support/postgres.ts';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { createWorld } from '../world.ts';
import { connectStore } from './connect.ts';
import { withDatabase } from './embedded/index.ts';
import type { EmbeddedPostgres } from './embedded/index.ts';
import { migrate, readMigrations } from './migrate.ts';
import type { Migration } from './migrate.ts';
import { openStore } from './open.ts';
import type { Store } from './types.ts';

const servers = [
  { name: 'the embedded PostgreSQL 18 through its socket', version: 18 },
  { name: 'an external PostgreSQL 15 by URL', version: 15, listen: { port: 0 } },
] as const;

/** Awaits a condition that another process makes true. */
async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 30_000; !(await isTrue()); await delay(10)) {
    assert.ok(performance.now() < end, `never came true: ${what}`);
  }
}

function migration(number: number, text: string): Migration {
  return { number, name: `step_${number}`, checksum: `sum of ${text}`, sql: text };
}

for (const { name, ...options } of servers) {
  describe(`the store on ${name}`, () => {
    let server: EmbeddedPostgres;
    let test: TestStore;
    let store: Store;
    let databases = 0;

    before(async () => {
      server = await startTestPostgres(options);
      test = await createTestStore({ serverUrl: server.url });
      store = test.store;
      await store.pool.query('create table counter (id int primary key, value int not null)');
    });
    after(async () => {
      await test?.close();
      await server?.stop();
    });

    /** An empty database, not migrated. */
    async function emptyStore(): Promise<Store> {
      const database = `empty_${++databases}`;
      await store.pool.query(`create database ${database}`);
      return connectStore({ url: withDatabase(server.url, database), world: createWorld() });
    }

    it('opens migrated by its URL and says which migrations it has', async () => {
      await store.pool.query('create database opened');
      const config = { databaseUrl: withDatabase(server.url, 'opened'), dataDir: '/nowhere', pgBin: null };
      const opened = await openStore(config, createWorld());
      const applied = await opened.pool.query('select number, checksum from store_migration order by number');
      await opened.close();
      assert.deepEqual(
        applied.rows,
        (await readMigrations()).map(({ number, checksum }) => ({ number, checksum })),
      );
    });

    it('refuses a wrong address, a wrong database and a wrong password with a kind that says so', async () => {
      const open = (databaseUrl: string): Promise<Store> =>
        openStore({ databaseUrl, dataDir: '/nowhere', pgBin: null }, createWorld());
      await assert.rejects(open('postgresql://nobody@127.0.0.1:1/none'), { kind: 'unreachable' });
      await assert.rejects(open(withDatabase(server.url, 'absent')), { kind: 'configuration_invalid' });
      if (!server.url.includes('127.0.0.1')) return;
      const wrong = server.url.replace(/:[^:@/]+@/, ':secret-of-mine@');
      await assert.rejects(open(wrong), (error: Error & { kind: string }) => {
        return error.kind === 'credentials_refused' && !error.message.includes('secret-of-mine');
      });
    });

    it('reads identities as numbers, larger ones as text, times as dates and decimals exactly', async () => {
      const { rows } = await store.pool.query(
        `select 7::bigint as id, 9007199254740993::bigint as big, 'epoch'::timestamptz as at, 0.10::numeric as exact,
         date '2024-02-29' as day`,
      );
      assert.deepEqual(rows, [{ id: 7, big: '9007199254740993', at: new Date(0), exact: '0.10', day: '2024-02-29' }]);
    });

    it('keeps all of a transaction or nothing', async () => {
      const failure = store.transaction(async (tx) => {
        await sql`insert into counter values (100, 1)`.execute(tx);
        throw new Error('changed my mind');
      });
      await assert.rejects(failure, /changed my mind/);
      await store.transaction((tx) => sql`insert into counter values (101, 1)`.execute(tx));
      const { rows } = await store.pool.query('select id from counter where id >= 100');
      assert.deepEqual(rows, [{ id: 101 }]);
    });

    it('repeats a transaction until it does not collide any more', async () => {
      await store.pool.query('insert into counter values (1, 0)');
      let tries = 0;
      let read = 0;
      const add = (): Promise<void> =>
        store.transaction(async (tx) => {
          tries++;
          await sql`set transaction isolation level serializable`.execute(tx);
          const { rows } = await sql<{ value: number }>`select value from counter where id = 1`.execute(tx);
          read++;
          await until(() => read >= 2, 'two have read the same value');
          await sql`update counter set value = ${rows[0]!.value + 1} where id = 1`.execute(tx);
        });
      await Promise.all([add(), add(), add(), add()]);
      const { rows } = await store.pool.query('select value from counter where id = 1');
      assert.equal(rows[0].value, 4);
      assert.ok(tries > 4, 'no collision happened, so nothing was proven');
    });

    it('repeats a transaction that a deadlock ended', async () => {
      await store.pool.query('insert into counter values (2, 0), (3, 0)');
      const both = { met: 0 };
      const take = (first: number, second: number): Promise<void> =>
        store.transaction(async (tx) => {
          await sql`update counter set value = value + 1 where id = ${first}`.execute(tx);
          both.met++;
          await until(() => both.met >= 2, 'both hold a row');
          await sql`update counter set value = value + 1 where id = ${second}`.execute(tx);
        });
      await Promise.all([take(2, 3), take(3, 2)]);
      const { rows } = await store.pool.query('select value from counter where id in (2, 3)');
      assert.deepEqual(rows, [{ value: 2 }, { value: 2 }]);
    });

    it('gives up a transaction that collides every time, and never repeats other errors', async () => {
      let tries = 0;
      const fail = (code: string): Promise<void> =>
        store.transaction(async (tx) => {
          tries++;
          await sql.raw(`do $$ begin raise exception 'collision' using errcode = '${code}'; end $$`).execute(tx);
        });
      await assert.rejects(fail('40001'), { code: '40001' });
      assert.equal(tries, 12);
      await assert.rejects(fail('23505'), { code: '23505' });
      assert.equal(tries, 13);
    });

    it('notifies after the commit, and never for a transaction that failed', async () => {
      const got: string[] = [];
      const stop = await store.listen('Any "channel"', (payload) => got.push(payload));
      const lost = store.transaction(async (tx) => {
        await store.notify(tx, 'Any "channel"', 'lost');
        throw new Error('no');
      });
      await assert.rejects(lost);
      await store.transaction((tx) => store.notify(tx, 'Any "channel"', 'kept'));
      await until(() => got.length > 0, 'the notification arrives');
      assert.deepEqual(got, ['kept']);
      await stop();
    });

    it('listens on all channels again after its connection was cut', async () => {
      const [first, second] = [[] as string[], [] as string[]];
      const stops = [
        await store.listen('first', (payload) => first.push(payload)),
        await store.listen('second', (payload) => second.push(payload)),
      ];
      const cut = await store.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'penstock listen' and datname = current_database()`,
      );
      assert.equal(cut.rowCount, 1, 'all channels share one connection');
      await until(async () => {
        await store.notify(store.db, 'first', 'again');
        await store.notify(store.db, 'second', 'again');
        return first.length > 0 && second.length > 0;
      }, 'notifications arrive again');
      for (const stop of stops) await stop();
      const heard = first.length;
      await store.notify(store.db, 'first', 'unheard');
      await store.pool.query('select 1');
      assert.equal(first.length, heard);
    });

    it('applies migrations once, in order, and a failing one leaves nothing', async () => {
      const empty = await emptyStore();
      const steps = [
        migration(1, 'create table a (x int)'),
        migration(2, 'alter table a add y int; insert into a values (1, 2)'),
      ];
      const broken = migration(3, 'create table b (x int); select no_such_function()');
      await assert.rejects(migrate(empty.pool, [...steps, broken]), /no_such_function/);
      await migrate(empty.pool, steps);
      const { rows } = await empty.pool.query(
        `select x, y, to_regclass('b') as b, (select count(*)::int from store_migration) as applied from a`,
      );
      await empty.close();
      assert.deepEqual(rows, [{ x: 1, y: 2, b: null, applied: 2 }]);
    });

    it('refuses an applied migration whose text has changed, and a database that is newer', async () => {
      const empty = await emptyStore();
      const [first, second] = [migration(1, 'create table a (x int)'), migration(2, 'create table b (x int)')];
      await migrate(empty.pool, [first, second]);
      await assert.rejects(migrate(empty.pool, [migration(1, 'create table a (x bigint)'), second]), {
        kind: 'configuration_invalid',
        message: /0001_step_1 was changed/,
      });
      await assert.rejects(migrate(empty.pool, [first]), {
        kind: 'configuration_invalid',
        message: /newer than this Penstock.*0002_step_2/,
      });
      await empty.close();
    });

    it('is migrated once when several processes start together', async () => {
      const empty = await emptyStore();
      const program = `
        import { openStore } from ${JSON.stringify(new URL('open.ts', import.meta.url).href)};
        import { createWorld } from ${JSON.stringify(new URL('../world.ts', import.meta.url).href)};
        const store = await openStore({ databaseUrl: ${JSON.stringify(empty.url)}, dataDir: '/nowhere', pgBin: null }, createWorld());
        await store.close();`;
      const ends = [1, 2, 3, 4].map(async () => {
        const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: 'inherit' });
        return (await once(child, 'exit'))[0] as number;
      });
      assert.deepEqual(await Promise.all(ends), [0, 0, 0, 0]);
      const { rows } = await empty.pool.query('select number from store_migration order by number');
      await empty.close();
      assert.deepEqual(
        rows.map((row: { number: number }) => row.number),
        (await readMigrations()).map(({ number }) => number),
      );
    });

    it('fails a transaction whose connection is cut, and works on', async () => {
      const cut = store.transaction(async (tx) => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
        await store.pool.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
        // Idle inside the transaction while the connection breaks: no statement is there to take the error.
        await until(async () => {
          const alive = await store.pool.query('select 1 from pg_stat_activity where pid = $1', [rows[0]!.pid]);
          return alive.rowCount === 0;
        }, 'the session ends');
        await delay(20);
        await sql`insert into counter values (200, 1)`.execute(tx);
      });
      await assert.rejects(cut);
      const { rows } = await store.pool.query('select id from counter where id = 200');
      assert.deepEqual(rows, []);
    });

    it('survives the loss of its idle connections', async () => {
      const admin = new Client({ connectionString: server.url });
      await admin.connect();
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'penstock'`);
      await admin.end();
      await until(
        async () =>
          store.pool.query('select 1').then(
            () => true,
            () => false,
          ),
        'the pool works again',
      );
    });
  });
}
