import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { execute } from '../kit/attempt.test-support.ts';
import type { ComponentPorts } from '../kit/index.ts';
import { component } from './component.ts';
import type { SqlResult } from './work.ts';

const folder = mkdtempSync(join(tmpdir(), 'penstock-sql-'));
const ports = { config: { dataDir: join(folder, 'data') }, lake: { open: async () => undefined } };
const spec = component(ports as unknown as ComponentPorts);

after(() => rmSync(folder, { recursive: true, force: true }));

function run(statements: readonly string[]): Promise<SqlResult> {
  return execute(spec, { statements }) as Promise<SqlResult>;
}

describe('ways out of the database of the project', () => {
  const secret = join(folder, 'secret.csv');
  const target = join(folder, 'written');
  writeFileSync(secret, 'a\nhunter2\n');
  const home = join(folder, 'data/sql/1');
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
    `copy (select 1) to '${home}/run/lake/0/0.parquet' (use_tmp_file false)`,
    `select * from read_text('${home}/run/lake/../../../../../secret.csv')`,
    `select * from read_text('${home}/run/lake/x/../../../../../../secret.csv')`,
    `select * from read_text('file://${secret}')`,
    `select * from read_text('/proc/self/environ')`,
    `select * from glob('${home}/run/lake/../*')`,
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
    `select * from postgres_scan('', '', '')`,
    `select * from 'https://example.com/x.csv'`,
    `select 1; copy (select 1) to '${target}'`,
    `select 1; select 2`,
  ];

  for (const way of ways) {
    it(`is refused: ${way.replaceAll(folder, '…').slice(0, 90)}`, async () => {
      await assert.rejects(run([way]), (error: Error) => {
        assert.match(error.message, /^(Statement 1|The transaction cannot be committed): /);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
      assert.equal(existsSync(target), false);
    });
  }

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
