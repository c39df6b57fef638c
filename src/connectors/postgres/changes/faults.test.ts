import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readChanges, startTestLog, type TestLog } from '../../../../test/support/changes.ts';
import { openSource } from '../../../../test/support/source.ts';
import type { Failure } from '../../../errors.ts';
import { createWorld } from '../../../world.ts';
import { connector } from '../index.ts';
import { readSnapshot } from './seen.ts';

const { signal } = new AbortController();

let source: TestLog;

before(async () => {
  source = await startTestLog(connector, { settings: { wal_sender_timeout: '1s' } });
  await source.run('create table facts (id int primary key, filler text)');
});
after(async () => {
  await source?.stop();
});

/** Rows in transactions of their own, about 3 kB each. */
const write = (first: number, last: number): Promise<unknown> =>
  source.run(`do $$ begin for i in ${first}..${last} loop
    insert into facts select i, string_agg(md5(i::text || n), '') from generate_series(1, 90) n; commit; end loop; end $$`);

async function until(sql: string): Promise<void> {
  for (;;) {
    const [row] = await source.run(`select (${sql}) as done`);
    if (row?.['done'] === true) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const senders = "from pg_stat_activity where backend_type = 'walsender'";
const oneTo = (last: number): string[] => Array.from({ length: last }, (_, index) => String(index + 1));

describe('reading the log when something fails', () => {
  it('fails as connection_lost when the server ends the stream, and reads on from the last boundary', async () => {
    await source.inSession(async ({ session, stream }) => {
      const selection = await stream('facts');
      const from = await session.changeLog!.end({ signal });
      await write(1, 300);
      let known = { position: from, rows: 0 };
      let rows = 0;
      let ending: Promise<unknown> | undefined;
      const broken = readChanges(session, {
        streams: [selection],
        from,
        upTo: 'FFFFFFFF/0',
        batchRows: 10,
        wantsBoundary: () => known.rows < 20,
        boundary: async (position) => {
          known = { position, rows };
        },
        sink: async ({ batch }) => {
          rows += batch.rows;
          if (rows > 20) ending ??= source.run(`select pg_terminate_backend(pid) ${senders}`);
          await ending;
        },
      });
      await assert.rejects(broken, (error: Failure) => {
        assert.equal(error.kind, 'connection_lost');
        assert.match(error.message, /terminating|was lost/);
        return true;
      });
      const { changes } = await readChanges(session, { streams: [selection], from: known.position });
      assert.ok(known.rows >= 20 && known.rows < 300);
      assert.deepEqual(
        changes.map(({ row }) => row[0]),
        oneTo(300).slice(known.rows),
      );
    });
  });

  it('keeps the server waiting while the sink is slow, within bounded memory and beyond its time limit', async () => {
    await source.inSession(async ({ session, stream }) => {
      const selection = await stream('facts');
      const from = await session.changeLog!.end({ signal });
      await write(1001, 16_000);
      const [start] = await source.run(
        `select pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '${from.split('|')[0]}')::int as size`,
      );
      assert.ok(Number(start?.['size']) > 40_000_000);
      const buffers = process.memoryUsage().arrayBuffers;
      let rows = 0;
      let isFirst = true;
      const { end } = await readChanges(session, {
        streams: [selection],
        from,
        wantsBoundary: () => false,
        batchRows: 50,
        sink: async ({ batch }) => {
          rows += batch.rows;
          if (!isFirst) return;
          isFirst = false;
          await new Promise((resolve) => setTimeout(resolve, 2500));
          const taken = process.memoryUsage().arrayBuffers - buffers;
          assert.ok(taken < 24_000_000, `${taken} bytes are held`);
        },
      });
      assert.equal(end.reason, 'reached');
      assert.equal(rows, 15_000);
    });
  });

  it('ends when it is cancelled although the sink hangs, and frees the slot', async () => {
    await source.inSession(async ({ session, stream }) => {
      const selection = await stream('facts');
      const from = await session.changeLog!.end({ signal });
      await write(20_001, 20_020);
      const control = new AbortController();
      const hangs = Promise.withResolvers<void>();
      const reading = readChanges(session, {
        streams: [selection],
        from,
        signal: control.signal,
        sink: () => {
          control.abort();
          return hangs.promise;
        },
      });
      await assert.rejects(reading, { kind: 'cancelled' });
      hangs.resolve();
    });
    await until(`select count(*) = 0 ${senders}`);
  });

  it('says who reads the slot when it stays in use', async () => {
    const reader = await openSource(connector, source.config);
    const real = createWorld();
    const world = { ...real, elapsed: () => real.elapsed() * 100 };
    const late = await openSource(connector, source.config, { world });
    const control = new AbortController();
    try {
      const selection = await reader.stream('facts');
      const from = await reader.session.changeLog!.end({ signal });
      const begun = Promise.withResolvers<void>();
      const reading = reader.session.changeLog!.read({
        streams: [{ selection, after: from, seen: null }],
        from,
        signal: control.signal,
        sink: () => Promise.resolve(),
        wantsBoundary: () => true,
        boundary: async () => begun.resolve(),
        refuse: () => undefined,
        batchRows: 10,
        batchBytes: 1 << 20,
      });
      await Promise.race([begun.promise, reading]);
      await until("select active from pg_replication_slots where slot_name = 'penstock'");
      await write(30_001, 30_001);
      await assert.rejects(readChanges(late.session, { streams: [selection], from }), {
        kind: 'unreachable',
        message: /"penstock" is being read by another process \(\d+\).*pg_terminate_backend/,
      });
      control.abort();
      await assert.rejects(reading, { kind: 'cancelled' });
    } finally {
      await reader.session.close();
      await late.session.close();
    }
  });

  it('names a slot that is gone, and changes that are', async () => {
    await source.inSession(async ({ session, stream }) => {
      const log = session.changeLog!;
      const selection = await stream('facts');
      const first = await log.start({ signal });
      await source.run("select pg_replication_slot_advance('penstock', pg_current_wal_flush_lsn())");
      await assert.rejects(readChanges(session, { streams: [selection], from: first }), {
        kind: 'object_missing',
        message: new RegExp(`changes after ${first} are gone: the replication slot "penstock" begins at`),
      });
      // As after a failover to a standby that did not know the slot.
      await source.run("select pg_drop_replication_slot('penstock')");
      const from = await log.end({ signal });
      const gone = { kind: 'object_missing', message: /the replication slot "penstock" does not exist/ };
      await assert.rejects(readChanges(session, { streams: [selection], from }), gone);
      await assert.rejects(log.mark({ signal }), gone);
      await assert.rejects(log.start({ signal }), gone);
      await source.run("select pg_create_logical_replication_slot('penstock', 'pgoutput')");
    });
  });

  it('fails as connection_lost when the server shuts down', async () => {
    const own = await startTestLog(connector, { version: 15 });
    await own.run('create table facts (id int primary key)');
    await own.inSession(async ({ session, stream }) => {
      const selection = await stream('facts');
      const from = await session.changeLog!.end({ signal });
      let stopping: Promise<void> | undefined;
      const boundary = async (): Promise<void> => {
        stopping ??= own.stop();
      };
      const upTo = 'FFFFFFFF/0';
      await assert.rejects(readChanges(session, { streams: [selection], from, upTo, boundary }), {
        kind: 'connection_lost',
      });
      await stopping;
    });
  });
});

describe('acknowledged positions', () => {
  it('move an idle slot to the end of the log, and every step can be told to the world', async () => {
    const points: string[] = [];
    const world = createWorld({ onPoint: (point) => points.push(point) });
    const { session, stream } = await openSource(connector, source.config, { world });
    try {
      const log = session.changeLog!;
      const from = await log.end({ signal });
      await source.run('create table unrelated as select 1 as id');
      const upTo = await log.end({ signal });
      const { boundaries, changes } = await readChanges(session, { streams: [await stream('facts')], from, upTo });
      assert.deepEqual(changes, []);
      const { position } = boundaries.at(-1)!;
      await log.acknowledge(position, { signal });
      assert.equal(await log.start({ signal }), position);
      assert.ok(log.compare(position, upTo) >= 0);
      assert.deepEqual(points, ['postgres.slot-read-begun', 'postgres.boundary-acknowledged']);
    } finally {
      await session.close();
    }
  });
});

describe('a snapshot among transaction numbers', () => {
  it('tells what it sees, also where the numbers of 32 bits go round', () => {
    const sees = readSnapshot('4294967290:4294967300:4294967292,4294967298');
    assert.ok(sees);
    const asked = [4294967280, 4294967292, 4294967293, 1, 2, 3, 4, 5, 3000];
    assert.deepEqual(asked.map(sees), [true, false, true, true, false, true, false, false, false]);
    assert.equal(readSnapshot('1:2'), undefined);
    assert.deepEqual([9, 10, 11].map(readSnapshot('10:11:')!), [true, true, false]);
  });
});
