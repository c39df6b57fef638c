import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestMariadb, type TestMariadb } from '../../../test/support/mariadb.ts';
import { collect, openSource, readAll } from '../../../test/support/source.ts';
import { connector } from './index.ts';

const { signal } = new AbortController();

let source: TestMariadb;

before(async () => {
  source = await startTestMariadb({ settings: { 'max-allowed-packet': '256M' } });
  await source.run(`create table many (id int primary key, filler varchar(400));
    insert into many select seq, repeat(md5(seq), 10) from seq_1_to_100000; analyze table many`);
});
after(() => source?.stop());

/** Waits until a query answers 1; the condition is the server's, not the clock's. */
async function until(sql: string): Promise<void> {
  for (;;) {
    const [row] = await source.run(`select (${sql}) as done`);
    if (String(row?.['done']) === '1') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const others = 'from information_schema.processlist where user = current_user_name() and id <> connection_id()'.replace(
  'current_user_name()',
  "'penstock'",
);
const none = `select count(*) = 0 ${others}`;

describe('a source that fails while it is read', () => {
  it('ends the read as connection_lost when the server ends the connection, and leaves none behind', async () => {
    const { session, stream } = await openSource(connector, source.config);
    let batches = 0;
    const reading = readAll(session, await stream('many'), {
      sink: async () => {
        if (++batches !== 2) return;
        const [row] = await source.run(`select id ${others} and info like 'select%filler%'`);
        await source.run(`kill ${String(row?.['id'])}`);
      },
    });
    await assert.rejects(reading, { kind: 'connection_lost' });
    await session.close();
    await until(none);
  });

  it('says that the snapshot is gone when all connections inside it are lost, and can take another', async () => {
    const { session, stream } = await openSource(connector, { ...source.config, max_threads: 1 });
    const selection = await stream('many');
    await session.planLoad(selection, { targetBytes: 2 ** 31, signal });
    for (const row of await source.run(`select id ${others}`)) await source.run(`kill ${String(row['id'])}`);
    await until(none);
    await assert.rejects(session.countRows(selection, { signal }), { kind: 'connection_lost' });
    assert.equal((await readAll(session, selection)).rows.length, 100_000);
    await session.close();
  });

  it('tells that a table was altered under a snapshot as a loss that another attempt repairs', async () => {
    await source.run('create table shifty (id int primary key); insert into shifty values (1)');
    const { session, stream } = await openSource(connector, source.config);
    const selection = await stream('shifty');
    await session.planLoad(await stream('many'), { targetBytes: 2 ** 31, signal });
    await source.run('alter table shifty add column more int, force');
    await assert.rejects(session.countRows(selection, { signal }), { kind: 'connection_lost', message: /altered/ });
    await session.close();
  });

  it('ends the read with the failure of the sink', async () => {
    const { session, stream } = await openSource(connector, source.config);
    const wrong = new Error('the disk is full');
    await assert.rejects(readAll(session, await stream('many'), { sink: () => Promise.reject(wrong) }), {
      message: wrong.message,
    });
    await session.close();
    await until(none);
  });

  it('ends when it is cancelled while a lock is waited for, and when the session is closed', async () => {
    await source.run('create table locked (id int primary key)');
    const { session, stream } = await openSource(connector, source.config);
    const selection = await stream('locked');
    await source.run('lock tables locked write');
    const control = new AbortController();
    const counting = session.countRows(selection, { signal: control.signal });
    await until(`select count(*) = 1 ${others} and state like 'Waiting for table metadata lock'`);
    control.abort();
    await assert.rejects(counting, { kind: 'cancelled' });
    await until(`select count(*) = 0 ${others} and state like 'Waiting%'`);
    await source.run('unlock tables');
    let closing: Promise<void> | undefined;
    const reading = readAll(session, await stream('many'), {
      sink: async () => {
        closing ??= session.close();
      },
    });
    await assert.rejects(reading, { kind: 'cancelled' });
    await closing;
    await until(none);
  });

  it('reads rows that are longer than a packet beside short ones', async () => {
    await source.run(`create table wide (id int primary key, a longtext, b longblob);
      insert into wide values (1, 'x', null), (2, repeat('ab', 9000000), repeat('c', 3000000)), (3, '', '')`);
    const { session, stream } = await openSource(connector, source.config);
    const { rows } = await readAll(session, await stream('wide'), { batchBytes: 1 << 20 });
    assert.deepEqual(
      rows.map(([id, a, b]) => [id, a?.length, b?.length]),
      [
        ['1', 1, undefined],
        ['2', 18_000_000, 4_000_000],
        ['3', 0, 0],
      ],
    );
    await session.close();
  });

  it('pauses the server while the sink is busy, so that memory does not grow with the table', async () => {
    const { session, stream } = await openSource(connector, source.config);
    const blocked = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const options = collect({
      sink: async () => {
        begun.resolve();
        await blocked.promise;
      },
    });
    const selection = await stream('many');
    const [chunk] = (await session.planLoad(selection, { targetBytes: 2 ** 31, signal })).chunks;
    const reading = session.readChunk(selection, { ...options, chunk: chunk! });
    await begun.promise;
    await until(
      `select count(*) = 1 ${others} and state in ('Writing to net', 'Sending data') and info like 'select%filler%'`,
    );
    blocked.resolve();
    await reading;
    await session.close();
  });

  it('ends as connection_lost when the server dies, and as unreachable afterwards', async () => {
    const victim = await startTestMariadb();
    await victim.run(
      'create table t (id int primary key, v varchar(400)); insert into t select seq, repeat(md5(seq), 10) from seq_1_to_50000',
    );
    const { session, stream } = await openSource(connector, victim.config);
    const selection = await stream('t');
    await assert.rejects(readAll(session, selection, { sink: () => victim.kill() }), { kind: 'connection_lost' });
    await session.close();
    const later = await openSource(connector, victim.config);
    await assert.rejects(later.stream('t'), { kind: 'unreachable' });
    await later.session.close();
    await victim.stop();
  });
});
