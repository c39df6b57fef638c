import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { startTestSource, type TestSource } from '../../../test/support/source.ts';
import { until } from '../../../test/support/waiting.ts';
import { createWorld } from '../../world.ts';
import type { Failure } from '../../errors.ts';
import { createTestCall, execute, type TestCallOptions } from '../kit/attempt.test-support.ts';
import type { ComponentPorts, Parameters } from '../kit/index.ts';
import { component } from './component.ts';
import type { SqlResult } from './work.ts';

let source: TestSource;
let config: unknown;

const connections: ComponentPorts['connections'] = {
  settings: async (kind) => ({ type: kind === 'source' ? 'postgres' : 'parquet', config }),
};
const spec = component({ config: { dataDir: tmpdir() }, connections } as unknown as ComponentPorts);

before(async () => {
  source = await startTestSource();
  ({ config } = source);
  await source.run('create table daily (day date primary key, amount numeric(10,2)); create table log (n int)');
});

after(() => source?.stop());

function run(statements: readonly string[], more: Parameters = {}, options?: TestCallOptions): Promise<SqlResult> {
  return execute(spec, { statements, connection: { source: 1 }, ...more }, options) as Promise<SqlResult>;
}

describe('sql.transformation at a PostgreSQL connection', () => {
  it('runs statements in one transaction, binds variables, and answers exact values', async () => {
    const result = await run(
      [
        'insert into daily select :day::date + n, :amount::numeric * n from generate_series(0, 2) n',
        'update daily set amount = amount + 1 where amount > 0',
        "select *, 9007199254740993 as big, 7::bigint as small, ':day' as word, true as yes, null as nothing, 0.5::float8 as half from daily order by day",
      ],
      { variables: { day: '2026-01-01', amount: 1.5 } },
    );
    assert.deepEqual(
      result.statements.map(({ rowsAffected }) => rowsAffected),
      [3, 2, 0],
    );
    assert.deepEqual(result.rows[1], {
      day: '2026-01-02',
      amount: '2.50',
      big: '9007199254740993',
      small: 7,
      word: ':day',
      yes: true,
      nothing: null,
      half: 0.5,
    });
    const [{ count }] = (await source.run('select count(*)::int from daily')) as [{ count: number }];
    assert.equal(count, 3);
  });

  it('takes everything back when a statement fails, unless it is told not to', async () => {
    const statements = ['insert into log values (1)', "insert into daily values ('2026-01-01', 0)"];
    await assert.rejects(run(statements), /^Failure: Statement 2: duplicate key/);
    assert.deepEqual(await source.run('select * from log'), []);
    await assert.rejects(run(statements, { inTransaction: false }), /^Failure: Statement 2/);
    assert.deepEqual(await source.run('select * from log'), [{ n: 1 }]);
  });

  it('lets no statement end the transaction, and no entry hold two', async () => {
    await assert.rejects(
      run(['insert into log values (2)', '/* x */ commit']),
      /^Failure: Statement 2: COMMIT is not allowed/,
    );
    await assert.rejects(
      run(['insert into log values (2); commit']),
      /^Failure: Statement 1: give one statement in each entry; another one begins in line 1/,
    );
    await assert.rejects(run(['select 1', 'select\n 1,\n nope']), /^Failure: Statement 2: .*"nope".* in line 3 /);
    assert.deepEqual(await source.run('select * from log'), [{ n: 1 }]);
  });

  it('keeps at most 1000 rows of a million', async () => {
    const { rows, truncated } = await run(['select n from generate_series(1, 1000000) n']);
    assert.equal(rows.length, 1000);
    assert.equal(truncated, true);
  });

  it('ends the statement in the database when it is cancelled', async () => {
    const { call, controller } = createTestCall({ statements: ['select pg_sleep(600)'], connection: { source: 1 } });
    const ending = spec.execute(call);
    const running = () =>
      source.run("select 1 from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'");
    await until('the statement runs', async () => (await running()).length > 0);
    const reason = new Error('cancelled by the test');
    controller.abort(reason);
    await assert.rejects(ending, reason);
    // Long before the server would look for its client by itself.
    await until('the database has ended it', async () => (await running()).length === 0, 5000);
  });

  it('ends the statement in the database when its time is over', async () => {
    const sleep = 'select pg_sleep(601)';
    const running = () => source.run(`select 1 from pg_stat_activity where query = '${sleep}' and state = 'active'`);
    const ending = run(['insert into log values (7)', sleep], { timeoutSeconds: 3 }).then(
      () => undefined,
      (error: Failure) => error,
    );
    let isOver = false;
    void ending.then(() => (isOver = true));
    // On a loaded machine its time may be over before anybody has seen it.
    await until('the statement runs', async () => isOver || (await running()).length > 0);
    const failure = await ending;
    assert.equal(failure?.kind, 'timed_out');
    await until('the database has ended it', async () => (await running()).length === 0, 5000);
    assert.deepEqual(await source.run('select * from log where n = 7'), []);
  });

  it('tells lineage which tables were written, as the database understands their names', async () => {
    const settings = { dataDir: tmpdir(), lineageUrl: 'https://marquez.tern.example' };
    const told = component({ config: settings, connections, world: createWorld() } as unknown as ComponentPorts);
    const statements = [
      'create schema "Mart"',
      'create table "Mart"."a.b" as select * from log',
      'create table "Mart".next as select 1 as a',
      'alter table "Mart".next rename to report',
      'with x as (select 5 as n) insert into LOG select n from x',
      'create table if not exists daily (day date)',
      'create temp table passing as select 1 as a',
      'create view seen as select * from log',
      'create table gone (a int)',
      'drop table gone',
      "select 'insert into daily' from daily",
    ];
    const { lineage } = (await execute(told, { statements, connection: { source: 1 } })) as SqlResult;
    const { host, port, database } = source.config as { host: string; port: number; database: string };
    const namespace = `postgres://${host}:${port}`;
    assert.deepEqual(lineage, {
      inputs: [],
      outputs: ['Mart.a.b', 'Mart.report', 'public.log'].map((name) => ({ namespace, name: `${database}.${name}` })),
    });
  });

  it('ends in its own words when one value is larger than its process may hold', async () => {
    await assert.rejects(run(["select repeat('x', 900000000)"]), /ran out of memory|too (large|long)/i);
    assert.deepEqual((await run(['select 1 as a'])).rows, [{ a: 1 }]);
  });

  it('reads the settings of the connection so that a lack of our own database is no fault of the task', async () => {
    const { call } = createTestCall({ statements: ['select 1'], connection: { source: 1 } });
    let isReading = false;
    const reading: typeof call.attempt.reading = async (work) => {
      isReading = true;
      return work().finally(() => (isReading = false));
    };
    const settings: typeof connections.settings = async (kind, id) => {
      assert.ok(isReading);
      return connections.settings(kind, id);
    };
    const strict = component({ config: { dataDir: tmpdir() }, connections: { settings } } as unknown as ComponentPorts);
    await strict.execute({ ...call, attempt: { ...call.attempt, reading } });
  });

  it('does not run again what an earlier attempt has begun', async () => {
    const { call, memo } = createTestCall({ statements: ['select 1'], connection: { source: 1 } });
    await spec.execute(call);
    const again = run(['select 1'], {}, { number: 2, memo: memo() });
    await assert.rejects(again, /Interrupted by a server restart/);
  });

  it('refuses a wrong password, a socket, and a connection that speaks no SQL, without a word of the password', async () => {
    config = { ...source.config, port: 1, password: 'hunter2' };
    await assert.rejects(run(['select 1']), (error: Error) => {
      assert.match(error.message, /connection refused/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
    config = { ...source.config, host: '/tmp' };
    await assert.rejects(run(['select 1']), /over the network only/);
    config = source.config;
    await assert.rejects(run(['select 1'], { connection: { destination: 1 } }), /type "parquet" do not offer SQL/);
  });
});
