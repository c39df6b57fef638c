import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Failure } from '../../errors.ts';
import { createTestCall, execute, type TestCallOptions } from '../kit/attempt.test-support.ts';
import { createWorld } from '../../world.ts';
import type { ComponentPorts, LakeTables, Parameters } from '../kit/index.ts';
import { component } from './component.ts';
import { runInChild } from './host.ts';
import type { EmbeddedPlace, SqlResult } from './work.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-sql-'));
const lake: LakeTables = { open: async () => undefined };
const ports = { config: { dataDir: join(folder, 'data') }, world: createWorld(), lake };
const childrenFile = `/proc/${process.pid}/task/${process.pid}/children`;
const spec = component(ports as unknown as ComponentPorts);

after(() => rmSync(folder, { recursive: true, force: true }));

function run(statements: readonly string[], more: Parameters = {}, options?: TestCallOptions): Promise<SqlResult> {
  return execute(spec, { statements, ...more }, options) as Promise<SqlResult>;
}

describe('sql.transformation in the database of the project', () => {
  it('runs statements in order, counts what they change, and keeps the tables for the next run', async () => {
    const made = await run([
      'create table daily (day date, amount decimal(10,2))',
      "insert into daily values ('2026-01-01', 1.50), ('2026-01-02', 2.25), ('2026-01-03', 3)",
      'update daily set amount = amount * 2 where amount > 2',
      "delete from daily where day = '2026-01-01';",
    ]);
    assert.deepEqual(
      made.statements,
      [0, 3, 2, 1].map((rowsAffected, at) => ({ index: at + 1, rowsAffected })),
    );
    const read = await run(['select * from daily order by day']);
    assert.deepEqual(read.rows, [
      { day: '2026-01-02', amount: '4.50' },
      { day: '2026-01-03', amount: '6.00' },
    ]);
  });

  it('binds variables as values, never as text, and leaves casts, strings and comments alone', async () => {
    const evil = `'); drop table daily; --`;
    const { rows } = await run(
      [
        `select :evil as evil, ':evil' as word, 'x'::varchar as cast, :n + 1 as n, $$ :evil $$ as dollars, :evil = :evil as same /* :n */ -- :n`,
      ],
      { variables: { evil, n: 41, '#hidden': 'x' } },
    );
    assert.deepEqual(rows, [{ evil, word: ':evil', cast: 'x', n: 42, dollars: ' :evil ', same: true }]);
    assert.deepEqual((await run(['select :hidden as h'], { variables: { '#hidden': 's' } })).rows, [{ h: 's' }]);
    assert.equal((await run(['select count(*) as n from daily'])).rows.length, 1, 'the table is still there');
  });

  it('says which variable is missing', async () => {
    await assert.rejects(
      run(['select 1', 'select :nobody']),
      /^Failure: Statement 2: .*no variable "nobody" is given/s,
    );
  });

  it('keeps numbers exact: as text where JSON cannot hold them', async () => {
    const { rows } = await run([
      `select 9007199254740991::bigint a, 9007199254740993::bigint b, 170141183460469231731687303715884105727::hugeint c,
        1.10::decimal(38, 20) d, 'nan'::double e, null f, 0.5::double g, true h`,
    ]);
    assert.deepEqual(rows, [
      {
        a: 9007199254740991,
        b: '9007199254740993',
        c: '170141183460469231731687303715884105727',
        d: '1.10000000000000000000',
        e: 'NaN',
        f: null,
        g: 0.5,
        h: true,
      },
    ]);
  });

  it('keeps at most 1000 rows of the last statement that answers rows, and says that there were more', async () => {
    const result = await run([
      'select 1',
      'select i from range(1001) t(i)',
      'create table if not exists other (a int)',
    ]);
    assert.equal(result.rows.length, 1000);
    assert.equal(result.truncated, true);
    const exact = await run(['select i from range(1000) t(i)']);
    assert.equal(exact.rows.length, 1000);
    assert.equal(exact.truncated, undefined);
    const wide = await run(["select repeat('x', 100000) as x from range(50)"]);
    assert.ok(wide.rows.length < 10 && wide.truncated);
  });

  it('answers the rows of RETURNING and counts them', async () => {
    const result = await run(['create table keyed (a int)', 'insert into keyed values (1), (2) returning a * 10 as b']);
    assert.deepEqual(result.rows, [{ b: 10 }, { b: 20 }]);
    assert.equal(result.statements[1]!.rowsAffected, 2);
  });

  it('takes everything back when a statement fails, unless it is told not to', async () => {
    const statements = [
      'create table half (a int)',
      'insert into half values (1)',
      'insert into half select 1 / (a - a)::int::varchar::int from nowhere',
    ];
    await assert.rejects(run(statements), /^Failure: Statement 3: .*nowhere/s);
    await assert.rejects(run(['select * from half']), /half does not exist/);
    await assert.rejects(run(statements, { inTransaction: false }), /^Failure: Statement 3/);
    assert.equal((await run(['select * from half'])).rows.length, 1);
  });

  it('does not run again what an earlier attempt has committed', async () => {
    const task = { task: 't_twice' };
    await run(['create table counted (a int)']);
    const first = await run(['insert into counted values (1)'], {}, task);
    const again = await run(['insert into counted values (1)'], {}, { ...task, number: 2 });
    assert.deepEqual(again, first);
    assert.equal((await run(['select * from counted'])).rows.length, 1);
    await run(['insert into counted values (2)'], {}, { task: 't_other', number: 2 });
    assert.equal((await run(['select * from counted'])).rows.length, 2, 'one that has committed nothing is run');
    const begun = { number: 2, memo: { hasBegun: true } };
    await assert.rejects(run(['select 1'], { inTransaction: false }, begun), /Interrupted by a server restart/);
  });

  it('ends a statement that is cancelled, keeps nothing of it, and leaves no process', async () => {
    const { call, controller } = createTestCall({
      statements: [
        'create table slow (a bigint)',
        'insert into slow select count(*) from range(100000000) a, range(1000000) b',
      ],
    });
    const ending = spec.execute(call);
    const reason = new Error('cancelled by the test');
    setTimeout(() => controller.abort(reason), 1000);
    await assert.rejects(ending, reason);
    await assert.rejects(run(['select * from slow']), /slow does not exist/, 'and the database opens for the next');
  });

  it('loses nothing but the run when its process is killed', { skip: !existsSync(childrenFile) }, async () => {
    await run(['create table kept as select 7 as a']);
    const statements = ['insert into kept values (8)', 'select count(*) from range(100000000) a, range(1000000) b'];
    const ending = run(statements, {}, { task: 't_killed' });
    setTimeout(() => {
      for (const pid of readFileSync(childrenFile, 'utf8').trim().split(' ')) process.kill(Number(pid), 'SIGKILL');
    }, 1000);
    await assert.rejects(ending, /was killed by SIGKILL; nothing of an open transaction is kept/);
    assert.deepEqual((await run(['select a from kept'])).rows, [{ a: 7 }]);
  });

  it('waits for the process of a lost attempt to let go of the database', async () => {
    const slow = 'select count(*) as n from range(40000000) a, range(3) b where a.range + b.range < 0';
    const both = await Promise.all([run([slow]), run([slow])]);
    assert.deepEqual(
      both.map(({ rows }) => rows),
      [[{ n: 0 }], [{ n: 0 }]],
    );
  });

  it('ends what runs longer than its time, and its process with it', async () => {
    const childrenOf = (): string => (existsSync(childrenFile) ? readFileSync(childrenFile, 'utf8').trim() : '');
    const statements = [
      'create table late (a bigint)',
      'insert into late select count(*) from range(100000000) a, range(1000000) b',
    ];
    const before = childrenOf();
    await assert.rejects(run(statements, { timeoutSeconds: 2 }), (error: Failure) => {
      assert.equal(error.kind, 'timed_out');
      assert.match(error.message, /longer than 2 s/);
      return true;
    });
    assert.equal(childrenOf(), before);
    await assert.rejects(run(['select * from late']), /late does not exist/);
  });

  it('makes the notes of ended runs anew where something else stands in their place', async () => {
    const file = join(folder, 'data/sql/1/project.duckdb');
    for (const instead of [
      'drop schema penstock cascade',
      'drop table penstock.ended_runs',
      'drop table penstock.ended_runs; create view penstock.ended_runs as select 1 as a',
      'drop table penstock.ended_runs; create table penstock.ended_runs (a int)',
    ]) {
      // As an administrator with the file at hand can; statements of users are refused.
      const instance = await DuckDBInstance.create(file);
      const connection = await instance.connect();
      await connection.run(instead);
      connection.closeSync();
      instance.closeSync();
      const task = { task: `t_${instead}`.replaceAll(/\W/g, '_') };
      await run(['create or replace table noted (a int)'], {}, { ...task, number: 2 });
      const first = await run(['insert into noted values (1)'], {}, { task: `${task.task}_2` });
      const again = await run(['insert into noted values (1)'], {}, { task: `${task.task}_2`, number: 2 });
      assert.deepEqual(again, first, instead);
      assert.equal((await run(['select * from noted'])).rows.length, 1, instead);
    }
  });

  it('notes no secret that a statement has answered', async () => {
    await run(['select :key as k'], { variables: { '#key': 'hunter"2' } });
    const { rows } = await run(['select result from penstock.ended_runs order by ended desc limit 1']);
    assert.match(String(rows[0]!['result']), /"k":"\*{8}"/);
  });

  it('names the line of a mistake, and of a second statement', async () => {
    await assert.rejects(run(['select 1', 'select\n  1 +\n  nope']), /^Failure: Statement 2: Binder Error: [^]*LINE 3/);
    await assert.rejects(run(['selec 1']), /^Failure: Statement 1: Parser Error: [^]*LINE 1/);
    await assert.rejects(
      run(["select ';';\n-- done;\n\nselect 2"]),
      /^Failure: Statement 1: give one statement in each entry; another one begins in line 4/,
    );
    await assert.rejects(run(['-- nothing']), /^Failure: Statement 1: there is no statement in this entry/);
  });

  it('runs a PIVOT whose columns come from the rows, in a transaction and outside', async () => {
    const pivot = "pivot (select * from (values ('a', 1), ('b', 2)) t(k, v)) on k using sum(v)";
    for (const inTransaction of [true, false]) {
      const { rows } = await run([pivot, pivot], { inTransaction });
      assert.deepEqual(rows, [{ a: 1, b: 2 }]);
    }
  });

  it('ends in its own words when one value is larger than a process may hold', async () => {
    const huge = run(["select repeat('x', 900000000) as x"]);
    await assert.rejects(huge, /ran out of memory|Out of Memory|exceeds|too large/i);
    assert.equal((await run(['select 1 as a'])).rows.length, 1);
  });

  it('survives statements that need more memory than there is', async () => {
    await assert.rejects(
      run(["select list(x) from (select repeat('x', 1000) || i as x from range(100000000) t(i))"]),
      /Statement 1: Out of Memory|ran out of memory/,
    );
    assert.equal((await run(['select 1 as a'])).rows.length, 1);
  });

  it('ends before it fills the disk', async () => {
    const at: EmbeddedPlace = {
      kind: 'embedded',
      file: join(folder, 'full.duckdb'),
      folder: join(folder, 'full/run'),
      memoryMb: 256,
      threads: 1,
      // No disk has so much room.
      leastFreeBytes: Number.MAX_SAFE_INTEGER,
      task: 't_full',
      isFirstAttempt: true,
      mark: 'm',
      namespace: 'n',
    };
    const work = { statements: ['select 1'], variables: [], inTransaction: true, tellsLineage: false, at };
    const { signal } = new AbortController();
    const host = { dataDir: folder, signal, log: () => {}, stageTables: async () => [] };
    await assert.rejects(runInChild(work, host), /disk of the data folder is nearly full/);
    const { rows } = await runInChild({ ...work, at: { ...at, leastFreeBytes: 1 } }, host);
    assert.equal(rows.length, 1);
  });

  it('is whole in a copy of its folder, also one of after a crash', { skip: !existsSync(childrenFile) }, async () => {
    const outside = { inTransaction: false };
    await run(['create or replace table saved as select 1 as a'], outside);
    const endless = 'select count(*) from range(100000000) a, range(1000000) b';
    const ending = run(['insert into saved values (2)', endless], outside);
    ending.catch(() => undefined);
    const home = join(folder, 'data/sql/1');
    // What is committed and not yet in the main file stands here; the endless statement adds nothing to it.
    const log = join(home, 'project.duckdb.wal');
    const size = (): number => (existsSync(log) ? statSync(log).size : 0);
    for (let last = -1; last !== size() || last === 0; await delay(300)) last = size();
    for (const pid of readFileSync(childrenFile, 'utf8').trim().split(' ')) process.kill(Number(pid), 'SIGKILL');
    await assert.rejects(ending, /was killed by SIGKILL/);
    assert.ok(size() > 0);
    cpSync(home, join(folder, 'restored/sql/1'), { recursive: true });
    const settings = { dataDir: join(folder, 'restored') };
    const restored = component({ ...ports, config: settings } as unknown as ComponentPorts);
    const { rows } = (await execute(restored, { statements: ['select * from saved order by a'] })) as SqlResult;
    assert.deepEqual(rows, [{ a: 1 }, { a: 2 }]);
  });

  it('leaves nothing in its folder but the database', async () => {
    await run(['select 1']);
    const home = join(folder, 'data/sql/1');
    assert.deepEqual(
      readdirSync(home).filter((name) => !name.startsWith('project.duckdb')),
      [],
    );
  });
});
