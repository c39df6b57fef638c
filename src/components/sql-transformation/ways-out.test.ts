import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { execute } from '../kit/attempt.test-support.ts';
import { createWorld } from '../../world.ts';
import type { ComponentPorts, LakeTables } from '../kit/index.ts';
import { component } from './component.ts';
import { closeDoors, openDatabase, showLake } from './database.ts';
import type { EmbeddedPlace, SqlResult } from './work.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-sql-'));
const lake: LakeTables = { open: async () => undefined };
const ports = { config: { dataDir: join(folder, 'data') }, world: createWorld(), lake };
const spec = component(ports as unknown as ComponentPorts);

after(() => rmSync(folder, { recursive: true, force: true }));

function run(statements: readonly string[]): Promise<SqlResult> {
  return execute(spec, { statements }, { task: 't_out' }) as Promise<SqlResult>;
}

/** The database as the process of a run has it when its statements begin. */
async function openClosed() {
  const at: EmbeddedPlace = {
    kind: 'embedded',
    file: join(folder, 'other.duckdb'),
    folder: join(folder, 'run/one'),
    memoryMb: 256,
    threads: 1,
    leastFreeBytes: 0,
    task: 't_1',
    isFirstAttempt: true,
    mark: 'm',
    namespace: 'n',
  };
  const instance = await openDatabase(at);
  const connection = await instance.connect();
  await showLake(connection, { statements: [], at }, async () => []);
  await closeDoors(connection, at);
  return { instance, connection };
}

describe('ways out of the database of the project', () => {
  const secret = join(folder, 'secret.csv');
  const target = join(folder, 'written');
  writeFileSync(secret, 'a\nhunter2\n');
  const lakeFolder = join(folder, 'data/sql/1/run/t_out.1/lake');
  const ways = [
    `select * from read_csv('${secret}')`,
    `select * from '${secret}'`,
    `select * from read_text('${secret}')`,
    `select * from read_blob('${secret}')`,
    `select * from read_json('${secret}')`,
    `select * from sniff_csv('${secret}')`,
    `select * from glob('${folder}/*')`,
    `select * from read_parquet('${folder}/*.parquet')`,
    `select * from query('select * from read_text(''${secret}'')')`,
    `create table stolen as from read_csv('${secret}')`,
    `create view stolen as from read_csv('${secret}')`,
    `create macro stolen() as table from read_text('${secret}')`,
    `insert into daily from read_csv('${secret}')`,
    `copy (select 1) to '${target}'`,
    `copy (select 1) to '${lakeFolder}/0/0.parquet' (use_tmp_file false)`,
    `select * from read_text('${lakeFolder}/../../../../../../secret.csv')`,
    `select * from read_text('${lakeFolder}/x/../../../../../../../secret.csv')`,
    `select * from read_text('file://${secret}')`,
    `select * from read_text('/proc/self/environ')`,
    `select * from glob('${lakeFolder}/../*')`,
    `copy daily from '${secret}'`,
    `copy from database project to lake`,
    `explain analyze copy (select 1) to '${target}'`,
    `export database '${target}'`,
    `import database '${folder}'`,
    `attach '${target}' as other`,
    `attach ':memory:' as other`,
    `attach 'dbname=postgres' as other (type postgres)`,
    `detach lake`,
    `use lake`,
    `install httpfs`,
    `install '${target}'`,
    `load httpfs`,
    `load '${target}.duckdb_extension'`,
    `update extensions`,
    `create secret s (type s3, key_id 'a', secret 'b')`,
    `create persistent secret s (type http, bearer_token 'x')`,
    `set enable_external_access = true`,
    `set lock_configuration = false`,
    `reset enable_external_access`,
    `set memory_limit = '100GB'`,
    `set variable x = 1`,
    `pragma enable_profiling`,
    `set profiling_output = '${target}'`,
    `pragma threads = 64`,
    `call enable_logging('QueryLog', storage = 'file', storage_path = '${target}')`,
    `select * from enable_logging('QueryLog', storage = 'file', storage_path = '${target}')`,
    `checkpoint`,
    `begin`,
    `commit`,
    `rollback`,
    `prepare p as copy (select 1) to '${target}'`,
    `execute p`,
    `select getenv('PATH')`,
    `select * from enable_logging('QueryLog', storage := 'file', storage_path := '${target}')`,
    `select * from enable_profiling(format := 'json', save_location := '${target}.json')`,
    `select * from postgres_scan('', '', '')`,
    `select * from 'https://example.com/x.csv'`,
    `select 1; copy (select 1) to '${target}'`,
    `select 1; select 2`,
    `create schema lake`,
    `create table lake.t (a int)`,
    `create schema lake.s`,
    `create table if not exists "LAKE".s.t (a int)`,
    `drop schema if exists penstock cascade`,
    `drop table penstock.ended_runs`,
    `delete from project."PENSTOCK".ended_runs`,
    `with x as (select 1) update penstock . ended_runs set task = ''`,
    `alter table penstock.ended_runs rename to others`,
    `create or replace view penstock.ended_runs as select 1`,
    `create schema penstock`,
    `comment on column penstock.ended_runs.task is 'x'`,
  ];

  for (const way of ways) {
    it(`is refused: ${way.replaceAll(folder, '…').slice(0, 90)}`, async () => {
      await assert.rejects(run([way]), (error: Error) => {
        assert.match(error.message, /^(Statement 1|The transaction cannot be committed): /);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
      assert.deepEqual([existsSync(target), existsSync(`${target}.json`)], [false, false]);
    });
  }

  it('opens no file by any function that takes a text', async () => {
    const { instance, connection } = await openClosed();
    const ask = async (sql: string): Promise<string> =>
      JSON.stringify(await (await connection.run(sql)).getRowsJson()).slice(0, 1000);
    const known = await connection.run(
      `select distinct function_name, function_type from duckdb_functions()
       where function_type in ('table', 'table_macro', 'scalar', 'macro', 'pragma')
         and regexp_full_match(function_name, '[a-z_0-9]+') and not regexp_matches(function_name, '^(en|dis)able_')`,
    );
    const functions = (await known.getRowsJson()) as [string, string][];
    assert.ok(functions.length > 500, String(functions.length));
    assert.match(await ask(`select upper('${secret}')`), /SECRET/, 'functions are called');
    for (const [name, type] of functions) {
      for (const given of [`'${secret}'`, `['${secret}']`, `'${target}', '${secret}'`]) {
        const call = type.startsWith('table') ? `select * from ${name}(${given})` : `select ${name}(${given})`;
        const told = await ask(call).catch(() => '');
        assert.doesNotMatch(told, /hunter2/, call);
        assert.equal(existsSync(target), false, call);
      }
    }
    assert.match(await ask(`select upper('${secret}')`), /SECRET/, 'functions are still called');
    connection.closeSync();
    instance.closeSync();
  });

  it('keeps to its limits of memory and disk', async () => {
    const { rows } = await run([
      "select name, value from duckdb_settings() where name in ('memory_limit', 'max_temp_directory_size', 'threads') order by 1",
    ]);
    assert.deepEqual(
      rows.map(({ name }) => name),
      ['max_temp_directory_size', 'memory_limit', 'threads'],
    );
    assert.equal(rows[0]!['value'], '9.3 GiB');
    assert.match(String(rows[1]!['value']), /^(1023\.\d|9\d\d\.\d|976\.\d|[1-9]\d{0,2}\.\d) MiB$/);
    assert.ok(Number(rows[2]!['value']) <= 2);
  });

  it('shows nothing of the environment of the server', async () => {
    const { rows } = await run([
      "select name, value from duckdb_settings() where name in ('home_directory', 'enable_external_access', 'lock_configuration') order by 1",
    ]);
    assert.deepEqual(
      rows.map(({ value }) => value),
      ['false', '', 'true'],
    );
  });
});
