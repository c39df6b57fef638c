import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OpenConnection } from '../../src/sync/attempt/work.ts';
import { startTestMariadb } from '../support/mariadb.ts';
import { startTestSource } from '../support/source.ts';
import { createJob } from './sync-support.ts';
import type { JobOptions, LakeJob } from './sync-support.ts';

interface Line {
  readonly column: string;
  readonly key: string;
  readonly reason: string;
  readonly values: Readonly<Record<string, string | null>>;
  readonly incomplete?: readonly string[];
}

const fileOf = (job: LakeJob): string => join(job.folder, 'run', 'quarantine.ndjson');

/** What is kept of the rows that one attempt refuses. */
async function keptBy(job: LakeJob): Promise<Line[]> {
  await rm(fileOf(job), { force: true });
  const { failure } = await job.attempt({ advanced: { error_policy: 'quarantine' } });
  assert.equal(failure, undefined, failure?.message);
  const text = await readFile(fileOf(job), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

async function withJob(
  connection: OpenConnection,
  options: Omit<JobOptions, 'connection' | 'destination'>,
  work: (job: LakeJob) => Promise<void>,
): Promise<void> {
  const job = await createJob(connection, { destination: 'iceberg', ...options, connection });
  try {
    await work(job);
  } finally {
    await job.remove();
  }
}

test('a refused row of PostgreSQL is kept whole, in a load and from the change log, and what was not selected is not', async () => {
  const source = await startTestSource({ settings: { wal_level: 'logical' } });
  try {
    await source.run(`create table wide (id int primary key, secret text, small smallint, big bigint, real4 real, real8 double precision,
        flag boolean, day date, at timestamptz, mark uuid, raw bytea, doc jsonb, list int[], none text, long text, bad numeric(10,2));
      insert into wide values (1, 'hidden', -2, 9007199254740993, 0.5, 1e300, true, '2024-02-29', '2024-02-29 12:00:00.000001Z',
        '00000000-0000-4000-8000-000000000001', '\\x00ff', '{"a": "ü"}', '{1,2}', null, repeat('é', 5000), 'NaN');
      insert into wide (id, bad) values (2, 2)`);
    const columns = 'id small big real4 real8 flag day at mark raw doc list none long bad'.split(' ');
    const selection = { selected_columns: { columns, sync_new_columns: false } };
    const values = {
      id: '1',
      small: '-2',
      big: '9007199254740993',
      real4: '0.5',
      real8: '1e+300',
      flag: 'true',
      day: '2024-02-29',
      at: '2024-02-29T12:00:00.000001Z',
      mark: '00000000-0000-4000-8000-000000000001',
      raw: '\\x00ff',
      doc: '{"a": "ü"}',
      list: '[1,2]',
      none: null,
      long: 'é'.repeat(2048),
      bad: 'NaN',
    };
    const connection = { type: 'postgres', config: source.config };
    await withJob(connection, { mode: 'full_refresh', selection }, async (job) => {
      const [line, ...more] = await keptBy(job);
      assert.deepEqual(more, []);
      assert.deepEqual([line!.column, line!.key, line!.incomplete], ['bad', 'id=1', ['long']]);
      assert.deepEqual(line!.values, values);
      assert.equal((await stat(fileOf(job))).mode & 0o077, 0, 'others on the machine can read the rows');
    });
    const method = {
      type: 'CDC',
      replication_slot: 'kept',
      publication: 'kept',
      initial_wait_time: 5,
      create_missing: true,
    };
    const following = { type: 'postgres', config: { ...source.config, update_method: method } };
    await withJob(following, { mode: 'cdc', selection }, async (job) => {
      assert.equal((await keptBy(job)).length, 1);
      await source.run(`update wide set small = 5 where id = 1; update wide set bad = 'NaN' where id = 2`);
      const [changed, small] = await keptBy(job);
      assert.deepEqual(changed!.values, { ...values, small: '5' });
      assert.deepEqual([small!.key, small!.values['id'], small!.values['bad']], ['id=2', '2', 'NaN']);
    });
  } finally {
    await source.stop();
  }
});

test('a refused row of MariaDB is kept whole', async () => {
  const source = await startTestMariadb();
  try {
    await source.run(`set sql_mode = 'ALLOW_INVALID_DATES';
      create table odd (id int unsigned primary key, name varchar(20), amount decimal(10,2), at datetime(6), raw varbinary(9),
        note text, long_note text, d date, rest bigint);
      insert into odd values (1, 'näme', 1.5, '2024-01-02 03:04:05.000006', x'00ff', null, repeat('x', 70000), '2024-02-31', -9),
        (2, 'b', 2, null, null, null, null, '2024-02-29', 1)`);
    const connection = { type: 'mysql', config: source.config };
    await withJob(connection, { mode: 'full_refresh' }, async (job) => {
      const [line, ...more] = await keptBy(job);
      assert.deepEqual(more, []);
      assert.deepEqual([line!.column, line!.key, line!.incomplete], ['d', 'id=1', ['long_note']]);
      assert.deepEqual(line!.values, {
        id: '1',
        name: 'näme',
        amount: '1.50',
        at: '2024-01-02 03:04:05.000006',
        raw: 'AP8=',
        note: null,
        long_note: 'x'.repeat(4096),
        d: '2024-02-31',
        rest: '-9',
      });
    });
  } finally {
    await source.stop();
  }
});

test('a refused row of a file is kept as the file spells it, without what only the filter reads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-kept-'));
  try {
    await mkdir(join(folder, 'orders'));
    await writeFile(join(folder, 'orders/1.csv'), 'id,n,secret,note\n1,1,7,a\n2,x,7,"b\nc"\n3,y,8,d\n');
    const config = { url: folder, column_types: { id: 'integer', n: 'integer', secret: 'integer' } };
    const selection = {
      selected_columns: { columns: ['id', 'n', 'note'], sync_new_columns: false },
      filter_config: { logical_operator: 'and', conditions: [{ column: 'secret', operator: '>', value: 0 }] },
    };
    await withJob({ type: 'file', config }, { mode: 'full_refresh', selection }, async (job) => {
      const lines = await keptBy(job);
      assert.deepEqual(
        lines.map(({ column, values }) => ({ column, values: { ...values, _last_modified_time: 'then' } })),
        [
          { column: 'n', values: { id: '2', n: 'x', note: 'b\nc', _last_modified_time: 'then' } },
          { column: 'n', values: { id: '3', n: 'y', note: 'd', _last_modified_time: 'then' } },
        ],
      );
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
