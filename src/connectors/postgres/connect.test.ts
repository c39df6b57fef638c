import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Failure } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import { openSource, startTestSource, type TestSource } from '../../../test/support/source.ts';
import type { LogLine } from '../kit/index.ts';
import { connector } from './index.ts';

const PASSWORD = 'sw0rdfish-hidden';

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await source.run(`create role reader login password '${PASSWORD}'; create role nobody login password '${PASSWORD}';
    create schema shop; create schema "Other Schema"; grant usage on schema shop to reader; create domain code as varchar(5) not null;
    create table shop.orders (b int, a int, note text default 'x', total numeric(10,2) generated always as (a * 2) stored, c code,
      primary key (a, b) include (note));
    create table shop.secret (id int primary key);
    create table shop.partial (id int primary key, open text, closed text);
    create table "Other Schema".things (id int);
    create view shop.summary as select count(*) as n from shop.orders;
    grant select on shop.orders, shop.summary to reader; grant select (open) on shop.partial to reader`);
});
after(async () => {
  await source?.stop();
});

async function check(config: unknown, signal = new AbortController().signal): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  await connector.check(config, { world: createWorld(), log: (line) => void lines.push(line), signal });
  return lines;
}

const refusal = (kind: Failure['kind'], message: RegExp) => (error: Failure) => {
  assert.equal(error.kind, kind, error.message);
  assert.match(error.message, message);
  assert.ok(!error.message.includes(PASSWORD));
  assert.ok(!JSON.stringify(error.toRecord()).includes(PASSWORD));
  return true;
};

describe('checking a connection', () => {
  it('logs each step', async () => {
    const lines = await check({ ...source.config, unknown_key: 1 });
    const text = lines.map((line) => line.message).join('\n');
    assert.match(text, /connected to .* as /);
    assert.match(text, /PostgreSQL 18\./);
    assert.match(text, /tables and views are listed/);
    assert.deepEqual(new Set(lines.map((line) => line.level)), new Set(['info']));
  });

  it('says what a server lacks whose changes are to be read', async () => {
    const update_method = { type: 'CDC', replication_slot: 's', publication: 'p' };
    await assert.rejects(
      check({ ...source.config, update_method }),
      refusal('configuration_invalid', /wal_level "replica"; "logical" is needed/),
    );
  });

  it('tells a refused connection at once', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    const { port } = await new Promise<AddressInfo>((resolve) =>
      server.once('listening', () => resolve(server.address() as AddressInfo)),
    );
    await new Promise((resolve) => server.close(resolve));
    const started = performance.now();
    await assert.rejects(
      check({ ...source.config, host: '127.0.0.1', port }),
      refusal('unreachable', new RegExp(`connection refused by 127.0.0.1:${port}`)),
    );
    assert.ok(performance.now() - started < 5000);
  });

  it('gives up an unanswered connection after ten seconds, or when it is cancelled', async () => {
    // It reads, so that it notices when the other side leaves, and never answers.
    const silent = createServer((socket) => socket.resume().on('error', () => undefined)).listen(0, '127.0.0.1');
    const { port } = await new Promise<AddressInfo>((resolve) =>
      silent.once('listening', () => resolve(silent.address() as AddressInfo)),
    );
    const config = { ...source.config, host: '127.0.0.1', port };
    const control = new AbortController();
    const cancelled = assert.rejects(check(config, control.signal), refusal('cancelled', /cancelled/));
    control.abort();
    await cancelled;
    const started = performance.now();
    await assert.rejects(check(config), refusal('unreachable', /no answer from .* within 10 s/));
    assert.ok(performance.now() - started > 9000);
    await new Promise((resolve) => silent.close(resolve));
  });

  it('tells an unknown host, a missing database and refused credentials apart', async () => {
    await assert.rejects(
      check({ ...source.config, host: 'no-such-host.invalid' }),
      refusal('unreachable', /no-such-host.invalid/),
    );
    await assert.rejects(
      check({ ...source.config, database: 'nowhere' }),
      refusal('object_missing', /"nowhere" does not exist/),
    );
    await assert.rejects(
      check({ ...source.config, username: 'stranger', password: PASSWORD }),
      refusal('credentials_refused', /stranger/),
    );
  });

  it('tells that a server offers no TLS', async () => {
    await assert.rejects(
      check({ ...source.config, ssl: { mode: 'require' } }),
      refusal('configuration_invalid', /does not offer TLS/),
    );
  });

  it('never ignores a tunnel', async () => {
    const ssh_config = { type: 'ssh_password_authentication', host: 'h', port: 22, username: 'u', password: PASSWORD };
    await assert.rejects(
      check({ ...source.config, ssh_config }),
      refusal('configuration_invalid', /ssh tunnels arrive later/),
    );
    await assert.rejects(
      openSource(connector, { ...source.config, ssh_config }),
      refusal('configuration_invalid', /ssh tunnels/),
    );
    await check({ ...source.config, ssh_config: { type: 'no_tunnel' } });
  });
});

describe('discovery', () => {
  const discover = async (config: object) => {
    const { session, lines } = await openSource(connector, { ...source.config, ...config });
    try {
      return { streams: await session.discover({ signal: new AbortController().signal, threads: 3 }), lines };
    } finally {
      await session.close();
    }
  };

  it('lists tables and views with columns and key in order', async () => {
    const { streams } = await discover({});
    const names = streams.map((stream) => `${stream.namespace}.${stream.name}`);
    assert.deepEqual(names, ['Other Schema.things', 'shop.orders', 'shop.partial', 'shop.secret', 'shop.summary']);
    const orders = streams[1]!;
    assert.deepEqual(orders.primaryKey, ['a', 'b']);
    assert.deepEqual(orders.modes, ['full_refresh', 'incremental']);
    assert.deepEqual(
      orders.columns.map(({ name, sourceType, column }) => [name, sourceType, column.type.kind, column.nullable]),
      [
        ['b', 'integer', 'int', false],
        ['a', 'integer', 'int', false],
        ['note', 'text', 'string', true],
        ['total', 'numeric(10,2)', 'decimal', true],
        ['c', 'code', 'string', false],
      ],
    );
  });

  it('is limited to the given schemas and names those that are not there', async () => {
    const { streams, lines } = await discover({ schemas: ['Other Schema', 'absent'] });
    assert.deepEqual(
      streams.map((stream) => stream.name),
      ['things'],
    );
    assert.match(lines.map((line) => line.message).join(), /"absent"/);
  });

  it('leaves out what may not be read and says so', async () => {
    const { streams, lines } = await discover({ username: 'reader', password: PASSWORD });
    assert.deepEqual(
      streams.map((stream) => stream.name),
      ['orders', 'partial', 'summary'],
    );
    const partial = streams[1]!;
    assert.deepEqual(
      partial.columns.map((column) => column.name),
      ['open'],
    );
    assert.deepEqual(partial.primaryKey, []);
    assert.match(lines.map((line) => line.message).join('\n'), /no right to read "shop.secret"/);
  });

  it('takes a few queries for two thousand tables', async () => {
    await source.run(`create schema crowd; do $$ begin for i in 1..2000 loop
      execute format('create table crowd.t%s (id int primary key, a text, b numeric(10,2))', i); end loop; end $$`);
    const { streams } = await discover({ schemas: ['crowd'] });
    assert.equal(streams.length, 2000);
    assert.ok(streams.every((stream) => stream.columns.length === 3 && stream.primaryKey[0] === 'id'));
    await source.run('select set_config($$x.y$$, $$z$$, false)');
  });

  it('answers permission_missing for a table whose right was taken', async () => {
    const opened = await openSource(connector, { ...source.config, username: 'reader', password: PASSWORD });
    const selection = await opened.stream('orders');
    await source.run('revoke select on shop.orders from reader');
    const count = opened.session.countRows(selection, { signal: new AbortController().signal });
    await assert.rejects(count, refusal('permission_missing', /shop.orders/));
    await source.run('grant select on shop.orders to reader');
    await opened.session.close();
  });
});
