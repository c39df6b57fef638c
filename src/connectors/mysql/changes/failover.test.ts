import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { startTestMariadb, type TestMariadb } from '../../../../test/support/mariadb.ts';
import { openSource, type OpenedSource } from '../../../../test/support/source.ts';
import { keepChanges, streamAfter, type KeptChanges } from '../../kit/conformance/changes-place.ts';
import { connector } from '../index.ts';

const { signal } = new AbortController();
const servers: TestMariadb[] = [];

after(async () => {
  for (const server of servers) await server.stop();
});

interface Pair {
  readonly primary: TestMariadb;
  readonly replica: TestMariadb;
}

/** A server and a replica of it that writes a log of its own. */
async function startPair(): Promise<Pair> {
  const start = async (id: string): Promise<TestMariadb> => {
    const server = await startTestMariadb({ settings: { 'server-id': id, 'log-slave-updates': '' } });
    servers.push(server);
    await server.run('reset master');
    return server;
  };
  const [primary, replica] = await Promise.all([start('81'), start('82')]);
  const { port, username, password } = primary.config;
  await replica.run(`change master to master_host = '127.0.0.1', master_port = ${port}, master_user = '${username}',
    master_password = '${password.replaceAll("'", "''")}', master_use_gtid = slave_pos; start slave`);
  return { primary, replica };
}

async function catchUp({ primary, replica }: Pair): Promise<void> {
  const [state] = await primary.run('select @@global.gtid_binlog_pos as pos');
  const [waited] = await replica.run(`select master_gtid_wait('${String(state!['pos'])}', 60) as waited`);
  assert.equal(Number(waited!['waited']), 0);
}

/** The primary is gone; the replica takes over. */
async function promote({ primary, replica }: Pair): Promise<void> {
  await primary.kill();
  await replica.run('stop slave; reset slave all');
}

async function inSession<T>(server: TestMariadb, work: (opened: OpenedSource) => Promise<T>): Promise<T> {
  const opened = await openSource(connector, { ...server.config, update_method: { type: 'CDC' } });
  try {
    return await work(opened);
  } finally {
    await opened.session.close();
  }
}

interface Work {
  readonly from: string;
  /** Where each table is known up to; `from` when absent. */
  readonly after?: Readonly<Record<string, string>>;
}

/** Reads the tables up to the end of the server's log. */
const readOn = (server: TestMariadb, tables: readonly string[], { from, after: known = {} }: Work) =>
  inSession(server, async ({ session, stream }): Promise<KeptChanges & { readonly position: string }> => {
    const log = session.changeLog!;
    const streams = [];
    for (const table of tables) streams.push(streamAfter(await stream(table), known[table] ?? from));
    const kept = keepChanges({ streams, from, upTo: await log.end({ signal }) });
    assert.deepEqual(await log.read(kept), { reason: 'reached', streams: [] });
    return { ...kept, position: kept.boundaries.at(-1)!.position };
  });

const endOf = (server: TestMariadb): Promise<string> =>
  inSession(server, ({ session }) => session.changeLog!.end({ signal }));
const rowsOf = ({ changes }: KeptChanges): string[] =>
  changes.map(({ stream, operation, row }) => `${stream} ${operation} ${row.join('|')}`);

/** How the server sees the position: by where its log begins, and by where it ends. */
const seenFrom = (server: TestMariadb, position: string): Promise<[number, number]> =>
  inSession(server, async ({ session }) => {
    const log = session.changeLog!;
    const start = await log.start({ signal });
    const fromStart = log.compare(position, start);
    assert.equal(Math.sign(log.compare(start, position)), -Math.sign(fromStart));
    return [Math.sign(fromStart), fromStart < 0 ? -1 : Math.sign(log.compare(position, await log.end({ signal })))];
  });

describe('a replica that takes over from a lost server', () => {
  it('brings every change once, whatever was read before it was lost', async () => {
    const pair = await startPair();
    const { primary, replica } = pair;
    await primary.run('create table a (id int primary key); create table b (id int primary key); flush binary logs');
    await catchUp(pair);
    const from = await endOf(primary);
    await primary.run('insert into a values (1); insert into b values (1); insert into a values (2)');
    const first = await readOn(primary, ['a', 'b'], { from });
    assert.deepEqual(rowsOf(first), ['0 inserted 1', '1 inserted 1', '0 inserted 2']);
    await primary.run(
      'insert into a values (3); begin; insert into b values (3), (4); update a set id = 5 where id = 3; commit',
    );
    await catchUp(pair);
    await promote(pair);
    // Its log has files and places of its own.
    await replica.run('flush binary logs; insert into a values (6); insert into b values (6)');
    assert.deepEqual(await seenFrom(replica, first.position), [1, -1]);

    const later = first.boundaries.find(({ changes }) => changes === 2)!.position;
    const second = await readOn(replica, ['a', 'b'], { from: later, after: { b: first.position } });
    // Batches of several tables come one after the other.
    const all = ['0 deleted 3', '0 inserted 2', '0 inserted 3', '0 inserted 5', '0 inserted 6'];
    assert.deepEqual(rowsOf(second).toSorted(), [...all, '1 inserted 3', '1 inserted 4', '1 inserted 6']);
    for (const { position, changes } of second.boundaries) {
      const rest = await readOn(replica, ['a', 'b'], { from: position });
      assert.deepEqual(rowsOf(rest).toSorted(), rowsOf(second).slice(changes).toSorted());
    }
    await replica.run('insert into b values (7)');
    const third = await readOn(replica, ['a', 'b'], { from: second.position });
    assert.deepEqual(rowsOf(third), ['1 inserted 7']);
    assert.deepEqual(await seenFrom(replica, third.position), [1, 0]);
  });

  it('is followed from a load of the lost server, and by a state file', async () => {
    const pair = await startPair();
    const { primary, replica } = pair;
    await primary.run('create table a (id int primary key); insert into a values (1)');
    const mark = await inSession(primary, async ({ session }) => {
      const { position } = await session.changeLog!.mark({ signal });
      await primary.run('insert into a values (2)');
      const state = JSON.parse(JSON.stringify(session.changeLog!.toState(position))) as unknown;
      assert.equal(session.changeLog!.fromState(state), position);
      assert.match(JSON.stringify(state), /"gtid_set":"0-81-2"/);
      return position;
    });
    await catchUp(pair);
    await promote(pair);
    await replica.run('insert into a values (3)');
    assert.deepEqual(rowsOf(await readOn(replica, ['a'], { from: mark })), ['0 inserted 2', '0 inserted 3']);
  });

  it('lies behind when its log no longer has what is missing', async () => {
    const pair = await startPair();
    const { primary, replica } = pair;
    await primary.run('create table a (id int primary key)');
    const from = await endOf(primary);
    await primary.run('insert into a values (1)');
    await catchUp(pair);
    await promote(pair);
    const known = await endOf(primary).catch(() => undefined);
    assert.equal(known, undefined);
    assert.deepEqual(await seenFrom(replica, from), [1, -1]);
    await replica.run('flush binary logs; insert into a values (2)');
    while ((await seenFrom(replica, from))[0] >= 0) {
      const [status] = await replica.run('show master status');
      await replica.run(`purge binary logs to '${String(status?.['File'])}'`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await assert.rejects(readOn(replica, ['a'], { from }), { kind: 'object_missing', message: /another server/ });
  });

  it('is refused when it went another way, though its numbers are higher', async () => {
    const pair = await startPair();
    const { primary, replica } = pair;
    await primary.run('create table a (id int primary key)');
    const from = await endOf(primary);
    await catchUp(pair);
    await replica.run('stop slave');
    await primary.run('insert into a values (1)');
    const { position } = await readOn(primary, ['a'], { from });
    await promote(pair);
    await replica.run('insert into a values (2); insert into a values (3)');
    assert.deepEqual(await seenFrom(replica, position), [-1, -1]);
    await assert.rejects(readOn(replica, ['a'], { from: position }), {
      kind: 'object_missing',
      message: /another way/,
    });
    // What both have is still a place to go on from.
    assert.deepEqual(rowsOf(await readOn(replica, ['a'], { from })), ['0 inserted 2', '0 inserted 3']);
  });
});
