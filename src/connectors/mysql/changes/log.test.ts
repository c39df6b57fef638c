import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createConnection } from 'mysql2/promise';
import { startTestMariadb, type TestMariadb } from '../../../../test/support/mariadb.ts';
import { openSource, type OpenedSource } from '../../../../test/support/source.ts';
import { keepChanges, streamAfter, type KeptChange } from '../../kit/conformance/changes-place.ts';
import type { Filter, StreamSelection } from '../../kit/index.ts';
import { connector } from '../index.ts';

const { signal } = new AbortController();

/** One server as most are, and one whose log is written in every other way. */
const SERVERS: readonly { readonly name: string; readonly settings: Record<string, string> }[] = [
  { name: 'a log as servers write it by themselves', settings: { 'max-allowed-packet': '256M' } },
  {
    name: 'a compressed log without checksums, with names of columns',
    settings: {
      'binlog-checksum': 'NONE',
      'log-bin-compress': '',
      'log-bin-compress-min-len': '10',
      'binlog-row-metadata': 'FULL',
      'max-allowed-packet': '256M',
    },
  },
];

const short = ({ operation, row }: KeptChange): string => `${operation} ${row.join('|')}`;

for (const { name, settings } of SERVERS) {
  describe(`reading ${name}`, () => {
    let source: TestMariadb;
    before(async () => {
      source = await startTestMariadb({ settings });
    });
    after(() => source?.stop());

    const inSession = async <T>(work: (opened: OpenedSource) => Promise<T>): Promise<T> => {
      const opened = await openSource(connector, { ...source.config, update_method: { type: 'CDC' } });
      try {
        return await work(opened);
      } finally {
        await opened.session.close();
      }
    };
    /** Changes of the table while the statements run. */
    const changesOf = (table: string, statements: string, narrow = (selection: StreamSelection) => selection) =>
      inSession(async ({ session, stream }) => {
        const log = session.changeLog!;
        const selection = narrow(await stream(table));
        const from = await log.end({ signal });
        await source.run(statements);
        const upTo = await log.end({ signal });
        const kept = keepChanges({ streams: [streamAfter(selection, from)], from, upTo });
        assert.deepEqual(await log.read(kept), { reason: 'reached', streams: [] });
        return kept.changes;
      });

    it('follows the log from file to file', async () => {
      await source.run('create table turned (id int primary key, v text)');
      const changes = await changesOf(
        'turned',
        `insert into turned values (1, 'a'); flush binary logs; insert into turned values (2, 'b');
         flush binary logs; flush binary logs; update turned set v = 'c' where id = 1`,
      );
      assert.deepEqual(changes.map(short), ['inserted 1|a', 'inserted 2|b', 'updated 1|c']);
      const files = changes.map(({ places }) => places[0]);
      assert.equal(new Set(files).size, 3);
      assert.deepEqual(files, files.toSorted());
    });

    it('reads what was open while the tables of the server were flushed, under both of its numbers', async () => {
      await source.run("create table flushed (id int primary key, v text); insert into flushed values (0, 'before')");
      const { hosts: host, ...account } = source.config;
      const other = await createConnection({ host, ...account, user: account.username });
      try {
        const changes = await inSession(async ({ session, stream }) => {
          const log = session.changeLog!;
          const selection = await stream('flushed');
          const from = await log.end({ signal });
          await source.run("insert into flushed values (1, 'older number')");
          await other.beginTransaction();
          await other.query("insert into flushed values (2, 'older, committed later')");
          await source.run("flush tables; insert into flushed values (3, 'newer number')");
          await other.commit();
          await source.run("insert into flushed values (4, 'newer again')");
          const upTo = await log.end({ signal });
          const kept = keepChanges({ streams: [streamAfter(selection, from)], from, upTo });
          await log.read(kept);
          return kept.changes;
        });
        assert.deepEqual(
          changes.map(({ row }) => row[0]),
          ['1', '3', '2', '4'],
        );
      } finally {
        await other.end();
      }
    });

    it('reads tables without transactions, and those beside them', async () => {
      await source.run('create table plain (id int primary key, v int) engine = MyISAM; create table firm (id int)');
      const changes = await changesOf(
        'plain',
        `insert into plain values (1, 1), (2, 2); begin; insert into firm values (1); update plain set v = v + 1;
         commit; delete from plain where id = 1`,
      );
      assert.deepEqual(changes.map(short), [
        'inserted 1|1',
        'inserted 2|2',
        'updated 1|2',
        'updated 2|3',
        'deleted 1|2',
      ]);
    });

    it('tells an update of a table without key as a deleted and an inserted row', async () => {
      await source.run('create table keyless (a int, b varchar(9))');
      const changes = await changesOf(
        'keyless',
        "insert into keyless values (1, 'x'), (null, null); update keyless set b = 'y' where a = 1; update keyless set a = 2 where a is null",
      );
      assert.deepEqual(changes.map(short), [
        'inserted 1|x',
        'inserted |',
        'deleted 1|x',
        'inserted 1|y',
        'deleted |',
        'inserted 2|',
      ]);
    });

    it('compares texts in a filter as the server does', async () => {
      await source.run(
        'create table told (id int primary key, name varchar(20) collate utf8mb4_general_ci, at time, day date)',
      );
      const filter =
        (...conditions: Filter['conditions']) =>
        (selection: StreamSelection) => ({
          ...selection,
          columns: selection.columns.slice(0, 1),
          filter: { combine: 'or', conditions } as const,
        });
      const statements = `insert into told values (1, 'ANNA', '01:00:00', '2024-01-01'), (2, 'Änna', '00:00:00', null),
        (3, 'bert', '-01:00:00', '2023-01-01'); delete from told`;
      const ids = async (...conditions: Filter['conditions']): Promise<string[]> =>
        (await changesOf('told', statements, filter(...conditions)))
          .filter(({ operation }) => operation === 'inserted')
          .map(({ row }) => row[0]!);
      assert.deepEqual(await ids({ column: 'name', operator: '=', value: 'anna' }), ['1', '2']);
      assert.deepEqual(await ids({ column: 'at', operator: '<', value: '00:30:00' }), ['2', '3']);
      assert.deepEqual(
        await ids(
          { column: 'day', operator: '>=', value: '2024-01-01' },
          { column: 'day', operator: '=', value: null },
        ),
        ['1', '2'],
      );
    });

    it('hands a large transaction over in batches within their bounds, however long the sink takes', async () => {
      await source.run('create table large (id int primary key, v varchar(40))');
      await inSession(async ({ session, stream }) => {
        const log = session.changeLog!;
        const selection = await stream('large');
        const from = await log.end({ signal });
        await source.run(
          "insert into large select seq, concat('row ', seq) from seq_1_to_50000; update large set v = 'changed'",
        );
        const upTo = await log.end({ signal });
        const kept = keepChanges({ streams: [streamAfter(selection, from)], from, upTo, batchRows: 1234 });
        const collect = kept.sink;
        const sink = async (batch: Parameters<typeof collect>[0]): Promise<void> => {
          await new Promise((resolve) => setImmediate(resolve));
          await collect(batch);
        };
        assert.equal((await log.read({ ...kept, sink })).reason, 'reached');
        assert.equal(kept.changes.length, 100_000);
        assert.ok(Math.max(...kept.batches) <= 1234);
        assert.equal(
          kept.changes.findIndex(({ row }, at) => row[0] !== String((at % 50_000) + 1)),
          -1,
        );
        assert.deepEqual(short(kept.changes[99_999]!), 'updated 50000|changed');
      });
    });

    it('reads rows that are longer than a packet', async () => {
      await source.run('create table long_rows (id int primary key, v longtext, w longblob)');
      const changes = await changesOf(
        'long_rows',
        "insert into long_rows values (1, repeat('ab', 9000000), repeat('c', 3000000)); update long_rows set v = 'short'",
      );
      assert.deepEqual(
        changes.map(({ operation, row }) => [operation, row[1]!.length, row[2]!.length]),
        [
          ['inserted', 18_000_000, 4_000_000],
          ['updated', 5, 4_000_000],
        ],
      );
      assert.equal(changes[0]!.row[1], 'ab'.repeat(9_000_000));
    });

    it('tells a table that was swept without rows in the log as emptied, and one that made room as replaced', async () => {
      await source.run(
        'create table swept (id int primary key) partition by range (id) (partition p0 values less than (10), partition p1 values less than (20))',
      );
      await inSession(async ({ session, stream }) => {
        const log = session.changeLog!;
        const selection = await stream('swept');
        const sweeping = [
          ['truncated', 'alter table swept truncate partition p0'],
          ['replaced', 'create or replace table swept (id int primary key)'],
          ['replaced', 'rename table swept to gone_1, gone_1 to swept'],
          ['replaced', 'alter table swept rename to gone_2'],
          ['replaced', 'rename table gone_2 to swept'],
          ['replaced', 'drop table swept'],
          ['replaced', 'drop database shop; create database shop; use shop'],
        ] as const;
        for (const [reason, statement] of sweeping) {
          const from = await log.end({ signal });
          await source.run(statement);
          const upTo = await log.end({ signal });
          const kept = keepChanges({ streams: [streamAfter(selection, from)], from, upTo });
          assert.deepEqual(await log.read(kept), { reason, streams: [0] }, statement);
          assert.equal(kept.boundaries.at(-1)?.position, from);
        }
      });
    });

    it('refuses rows that were written as text, and distributed transactions, by name', async () => {
      await source.run('create table as_text (id int primary key)');
      await assert.rejects(
        changesOf(
          'as_text',
          "set session binlog_format = 'STATEMENT'; insert into as_text values (1); set session binlog_format = 'ROW'",
        ),
        { kind: 'configuration_invalid', message: /shop\.as_text.*binlog_format = ROW/ },
      );
      await assert.rejects(
        changesOf('as_text', "xa start 'x'; insert into as_text values (2); xa end 'x'; xa prepare 'x'; xa commit 'x'"),
        { kind: 'object_missing', message: /distributed/ },
      );
      await source.run('create table partly (id int primary key, v int, w int); insert into partly values (1, 1, 1)');
      await assert.rejects(
        changesOf(
          'partly',
          "set session binlog_row_image = 'MINIMAL'; update partly set v = 2; set session binlog_row_image = 'FULL'",
        ),
        { kind: 'configuration_invalid', message: /shop\.partly.*binlog_row_image = FULL/ },
      );
    });

    it('leaves out a row with a value that no column of the lake takes, and tells of it', async () => {
      await source.run('create table odd (id int primary key, d date)');
      await inSession(async ({ session, stream }) => {
        const log = session.changeLog!;
        const selection = await stream('odd');
        const from = await log.end({ signal });
        await source.run(
          "set sql_mode = 'ALLOW_INVALID_DATES'; insert into odd values (1, '2024-02-31'), (2, '2024-02-29'); set sql_mode = default",
        );
        const refused: string[] = [];
        const kept = keepChanges({
          streams: [streamAfter(selection, from)],
          from,
          upTo: await log.end({ signal }),
          refuse: (index, { column, reason }) => void refused.push(`${index} ${column}: ${reason}`),
        });
        await log.read(kept);
        assert.deepEqual(kept.changes.map(short), ['inserted 2|2024-02-29T00:00:00.000000Z']);
        assert.deepEqual(refused, ['0 d: the value is no day of the calendar']);
      });
    });

    it('ends as connection_lost when the server ends the dump, and reads on from the last boundary', async () => {
      await source.run('create table broken_off (id int primary key)');
      await inSession(async ({ session, stream }) => {
        const log = session.changeLog!;
        const selection = await stream('broken_off');
        const from = await log.end({ signal });
        await source.run('insert into broken_off values (1)');
        const kept = keepChanges({
          streams: [streamAfter(selection, from)],
          from,
          boundary: async (position) => {
            kept.boundaries.push({ position, changes: kept.changes.length });
            if (kept.changes.length === 0) return;
            const [dump] = await source.run(
              "select id from information_schema.processlist where command like 'Binlog%'",
            );
            if (dump) await source.run(`kill ${String(dump['id'])}`);
          },
        });
        await assert.rejects(log.read(kept), { kind: 'connection_lost' });
        const { position } = kept.boundaries.at(-1)!;
        await source.run('insert into broken_off values (2)');
        const rest = keepChanges({
          streams: [streamAfter(selection, position)],
          from: position,
          upTo: await log.end({ signal }),
        });
        await log.read(rest);
        assert.deepEqual(rest.changes.map(short), ['inserted 2']);
      });
    });

    it('knows where the log begins once older files are gone', async () => {
      await source.run('create table purged (id int primary key)');
      await inSession(async ({ session, stream }) => {
        const log = session.changeLog!;
        const selection = await stream('purged');
        const from = await log.end({ signal });
        assert.ok(log.compare(await log.start({ signal }), from) < 0);
        await source.run('insert into purged values (1); flush binary logs');
        // A file goes once no dump and no unfinished checkpoint needs it.
        while (log.compare(await log.start({ signal }), from) <= 0) {
          const [status] = await source.run('show master status');
          await source.run(`purge binary logs to '${String(status?.['File'])}'`);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        const kept = keepChanges({ streams: [streamAfter(selection, from)], from });
        await assert.rejects(log.read(kept), { kind: 'connection_lost', message: /no longer there/ });
      });
    });
  });
}

describe('a position in the binary log', () => {
  it('survives the state file, and orders by file and place', async () => {
    const { session } = await openSource(connector, {
      hosts: 'localhost',
      database: 'd',
      username: 'u',
      password: '',
      update_method: { initial_wait_time: 10, server_id: 77 },
    });
    const log = session.changeLog!;
    const state = { server_id: 77, state: { position: { Name: 'binlog.000009', Pos: 4_294_967_300 } } };
    assert.deepEqual(log.toState('binlog.000009:4294967300'), state);
    assert.equal(log.fromState(state), 'binlog.000009:4294967300');
    assert.equal(log.fromState({ lsn: '0/1' }), undefined);
    assert.equal(log.fromState({ state: { position: { Name: 'x', Pos: 1 } } }), undefined);
    assert.ok(log.compare('binlog.999999:4', 'binlog.1000000:4') < 0);
    assert.ok(log.compare('binlog.000009:500', 'binlog.000009:4000') < 0);
    assert.equal(log.compare('binlog.000009:500', 'binlog.000009:500'), 0);
    await session.close();
  });
});
