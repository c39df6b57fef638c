import assert from 'node:assert/strict';
import { connect as connectSocket, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { EXCERPT_BYTES } from '../../columns/index.ts';
import type { RowExcerpt } from '../../columns/index.ts';
import type { Failure } from '../../errors.ts';
import type { RefusedRow, SourceSession } from '../kit/index.ts';
import {
  collect,
  openSource,
  readAll,
  startTestSource,
  textRows,
  type TestSource,
} from '../../../test/support/source.ts';
import { connector } from './index.ts';

const { signal } = new AbortController();
const MEGABYTE = 1024 * 1024;

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await source.run(`create table many as select i as id, repeat(md5(i::text), 10) as filler from generate_series(1, 200000) i;
    analyze many`);
});
after(async () => {
  await source?.stop();
});

/** Waits until a query answers true; the condition is the server's, not the clock's. */
async function until(sql: string): Promise<void> {
  for (;;) {
    const [row] = await source.run(`select (${sql}) as done`);
    if (row?.['done'] === true) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const ours = `from pg_stat_activity where application_name = 'penstock'`;
const none = `select count(*) = 0 ${ours}`;

describe('a source that fails while it is read', () => {
  it('ends the read as connection_lost when the server ends the connection', async () => {
    const { session, stream } = await openSource(connector, source.config);
    const selection = await stream('many');
    let batches = 0;
    const reading = readAll(session, selection, {
      sink: async () => {
        if (++batches === 2) await source.run(`select pg_terminate_backend(pid) ${ours} and query like '%;copy%'`);
      },
    });
    await assert.rejects(reading, (error: Failure) => {
      assert.equal(error.kind, 'connection_lost');
      assert.match(error.message, /terminating connection|was lost/);
      return true;
    });
    await session.close();
    await until(none);
  });

  it('ends the read as connection_lost when the network cuts it, at any byte', async () => {
    const proxy = await startProxy(source.config);
    const { session, stream } = await openSource(connector, { ...source.config, port: proxy.port });
    const selection = await stream('many');
    let seen = 0;
    const reading = readAll(session, selection, {
      sink: () => {
        if (++seen === 2) proxy.cut();
        return Promise.resolve();
      },
    });
    await assert.rejects(reading, { kind: 'connection_lost' });
    await session.close();
    await proxy.stop();
    await until(none);
  });

  it('fails as connection_lost once the connection that holds the snapshot is gone', async () => {
    const { session, stream } = await openSource(connector, { ...source.config, max_threads: 2 });
    const selection = await stream('many');
    const { chunks } = await session.planLoad(selection, { targetBytes: 2 ** 31, signal });
    await source.run(`select pg_terminate_backend(pid) ${ours} and query like '%pg_export_snapshot%'`);
    await until(`select count(*) = 0 ${ours} and query like '%pg_export_snapshot%'`);
    const occupied = session.readChunk(selection, { ...collect(), chunk: chunks[0]! });
    // The first reader is inside the snapshot already; the second would have to enter it.
    await assert.rejects(session.countRows(selection, { signal }), { kind: 'connection_lost' });
    await occupied;
    await session.close();
  });

  it('tells a mistake of the server during a copy and stays usable', async () => {
    await source.run(`create view faulty as select i as id, 1 / (i - 5000) as x from generate_series(1, 10000) i`);
    const { session, stream } = await openSource(connector, source.config);
    const selection = await stream('faulty');
    await assert.rejects(readAll(session, selection), { kind: 'value_refused', message: /division by zero/ });
    assert.equal((await readAll(session, await stream('many'))).rows.length, 200_000);
    await session.close();
  });

  it('ends the read with the failure of the sink or of the refusal', async () => {
    await source.run(`create table unfit (id int primary key, n numeric(4,1)); insert into unfit values (1, 'NaN')`);
    const { session, stream } = await openSource(connector, source.config);
    const wrong = new Error('the disk is full');
    await assert.rejects(readAll(session, await stream('many'), { sink: () => Promise.reject(wrong) }), {
      message: wrong.message,
    });
    const refuse = (): void => {
      throw wrong;
    };
    await assert.rejects(readAll(session, await stream('unfit'), { refuse }), { message: wrong.message });
    await session.close();
    await until(none);
  });
});

describe('a read that is cancelled', () => {
  it('ends a statement that waits for a lock', async () => {
    await source.run('create table locked (id int); insert into locked values (1)');
    const { session, stream } = await openSource(connector, source.config);
    const selection = await stream('locked');
    const { chunks } = await session.planLoad(selection, { targetBytes: 2 ** 31, signal });
    await source.run('begin; lock table locked');
    const control = new AbortController();
    const reading = session.readChunk(selection, { ...collect(), chunk: chunks[0]!, signal: control.signal });
    await until(`select count(*) = 1 ${ours} and wait_event_type = 'Lock'`);
    control.abort();
    await assert.rejects(reading, { kind: 'cancelled' });
    await until(`select count(*) = 0 ${ours} and wait_event_type = 'Lock'`);
    await source.run('rollback');
    assert.deepEqual(await session.countRows(selection, { signal }), 1);
    await session.close();
  });

  it('ends in the middle of the rows, and when the session is closed', async () => {
    for (const how of ['abort', 'close'] as const) {
      const { session, stream } = await openSource(connector, source.config);
      const control = new AbortController();
      const selection = await stream('many');
      let closing: Promise<void> | undefined;
      const reading = readAll(session, selection, {
        signal: control.signal,
        sink: () => {
          if (how === 'abort') control.abort();
          else closing ??= session.close();
          return Promise.resolve();
        },
      });
      await assert.rejects(reading, { kind: 'cancelled' });
      await (closing ?? session.close());
      await until(none);
      await assert.rejects(session.countRows(selection, { signal }), { kind: 'cancelled' });
    }
  });

  it('does not begin when it is cancelled before', async () => {
    const { session } = await openSource(connector, source.config);
    await assert.rejects(session.discover({ signal: AbortSignal.abort(), threads: 1 }), { kind: 'cancelled' });
    await session.close();
  });
});

describe('a table that is altered while its reading begins', () => {
  it('is never decoded as the types that it had', async () => {
    await source.run('create table altered (id int primary key, v int8); insert into altered values (1, 1)');
    const { session, stream } = await openSource(connector, source.config);
    const selection = await stream('altered');
    const { chunks } = await session.planLoad(selection, { targetBytes: 2 ** 31, signal });
    // Nothing is written anew, so the row stays visible; both types take eight bytes.
    await source.run('begin; alter table altered drop column v, add column v float8 not null default 0.5');
    const read = collect();
    const reading = session.readChunk(selection, { ...read, chunk: chunks[0]! });
    await until(`select count(*) = 1 ${ours} and wait_event_type = 'Lock'`);
    await source.run('commit');
    await assert.rejects(reading, { kind: 'connection_lost', message: /altered.*"v"/ });
    assert.deepEqual(read.rows, []);
    await session.close();
  });
});

describe('connections', () => {
  it('never exceed max_threads readers and the holder of the snapshot', async () => {
    const { session, stream } = await openSource(connector, { ...source.config, max_threads: 2 });
    const selection = await stream('many');
    const { chunks } = await session.planLoad(selection, { targetBytes: 5 * MEGABYTE, signal });
    assert.ok(chunks.length > 6);
    let most = 0;
    let rows = 0;
    const sink = async (batch: { rows: number }): Promise<void> => {
      rows += batch.rows;
      const [row] = await source.run(`select count(*)::int as n ${ours}`);
      most = Math.max(most, Number(row?.['n']));
    };
    await Promise.all(
      chunks.map((chunk) => session.readChunk(selection, { ...collect({ sink, batchRows: 10_000 }), chunk })),
    );
    assert.equal(rows, 200_000);
    assert.equal(most, 3);
    await session.close();
    await until(none);
  });

  it('do not let a session write', async () => {
    await source.run(`create table untouched (id int);
      create function sneaky() returns int language sql volatile as 'insert into untouched values (1) returning id';
      create view trap as select sneaky() as id`);
    const { session, stream } = await openSource(connector, source.config);
    await assert.rejects(readAll(session, await stream('trap')), { message: /read-only/ });
    await session.close();
  });
});

describe('memory', () => {
  it('stays at two batches when the sink is slow', async () => {
    const { session, stream } = await openSource(connector, source.config);
    const selection = await stream('many');
    const atStart = process.memoryUsage().arrayBuffers;
    let free: (() => void) | undefined;
    let given = 0;
    const rows: number[] = [];
    const reading = readAll(session, selection, {
      batchRows: 10_000,
      sink: (batch) =>
        new Promise((resolve) => {
          given++;
          rows.push(batch.rows);
          free = resolve;
        }),
    });
    // The server can only wait for us once the socket and both batches are full.
    await until(`select count(*) = 1 ${ours} and wait_event = 'ClientWrite'`);
    // Seventy megabytes are to be had; two batches, the inbox and what grew on the way stay far below.
    await until(`select pg_sleep(0.3) is not null`);
    assert.equal(given, 1);
    assert.ok(process.memoryUsage().arrayBuffers - atStart < 32 * MEGABYTE);
    const release = setInterval(() => free?.(), 1);
    await reading;
    clearInterval(release);
    assert.equal(
      rows.reduce((sum, count) => sum + count, 0),
      200_000,
    );
    await session.close();
  });

  it('takes values of twenty megabytes beside small ones', async () => {
    await source.run(`create table large (id int, t text, b bytea);
      insert into large select i, case when i % 10 = 0 then repeat('abcdefgh', 2500000) else 'small' end,
        case when i = 15 then decode(repeat('00ff', 5000000), 'hex') end from generate_series(1, 30) i`);
    const { session, stream } = await openSource(connector, source.config);
    const lengths = new Map<number, (number | undefined)[]>();
    await readAll(session, await stream('large'), {
      sink: (batch) => {
        for (const [id, t, b] of textRows(batch)) lengths.set(Number(id), [t?.length, b?.length]);
        return Promise.resolve();
      },
    });
    assert.equal(lengths.size, 30);
    assert.deepEqual(lengths.get(10), [20_000_000, undefined]);
    assert.deepEqual(lengths.get(15), [5, 20_000_002]);
    assert.deepEqual(lengths.get(16), [5, undefined]);
    await session.close();
  });

  it('refuses a row of more than 256 MB, names it, and goes on', async () => {
    await source.run(`create table huge (id int primary key, t text);
      alter table huge alter t set storage external;
      insert into huge select i, case when i = 2 then repeat('x', 280000000) else 'ok' end from generate_series(1, 4) i`);
    const { session, stream } = await openSource(connector, source.config);
    const refused: (RefusedRow & { readonly excerpt: RowExcerpt })[] = [];
    const { rows } = await readAll(session, await stream('huge'), {
      refuse: (row) => void refused.push({ ...row, excerpt: row.values!() }),
    });
    assert.deepEqual(rows, [
      ['1', 'ok'],
      ['3', 'ok'],
      ['4', 'ok'],
    ]);
    assert.deepEqual(
      refused.map(({ column, key }) => [column, key]),
      [['t', 'id=2']],
    );
    assert.match(refused[0]!.reason, /268 MB; at most 256 MB/);
    assert.deepEqual(refused[0]!.excerpt, { id: '2', t: 'x'.repeat(EXCERPT_BYTES) });
    await session.close();
    await source.run('drop table huge');
  });
});

interface Proxy {
  readonly port: number;
  /** Ends all connections without a word. */
  cut(): void;
  stop(): Promise<void>;
}

/** Passes bytes on in pieces of odd sizes, so that messages are split anywhere. */
async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let size = 1;
  const server: Server = createServer((client) => {
    const upstream = connectSocket(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length;) {
        size = (size * 7 + 3) % 8191 || 1;
        client.write(chunk.subarray(at, at + size));
        at += size;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

describe('framing', () => {
  it('puts messages together however the network splits them', async () => {
    const proxy = await startProxy(source.config);
    const { session, stream } = await openSource(connector, { ...source.config, port: proxy.port });
    const rows = await readFirst(session, await stream('many'), 20_000);
    assert.deepEqual(
      rows.slice(0, 2).map((row) => row[0]),
      ['1', '2'],
    );
    const [expected] = await source.run('select repeat(md5(20000::text), 10) as filler');
    assert.deepEqual(rows[19_999], ['20000', expected?.['filler']]);
    await session.close();
    await proxy.stop();
  });
});

type Stream = Parameters<SourceSession['planLoad']>[0];

async function readFirst(session: SourceSession, stream: Stream, rows: number) {
  const filter = { combine: 'and', conditions: [{ column: 'id', operator: '<=', value: rows }] } as const;
  return (await readAll(session, { ...stream, filter })).rows;
}
