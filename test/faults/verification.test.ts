import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestMariadb } from '../support/mariadb.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { createJob } from './sync-support.ts';
import type { LakeJob } from './sync-support.ts';
import { createOrders } from './support/orders.ts';

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await createOrders(source, 2000);
});
after(() => source.stop());

test('a table is found equal to its source after loads and upserts, and one flipped value is found', async () => {
  const job = await createJob(source, { destination: 'iceberg', mode: 'incremental', streams: ['orders'] });
  try {
    assert.equal((await job.attempt()).failure, undefined);
    await source.run(`update orders set name = 'changed', at = '2026-03-01Z' where id % 100 = 3`);
    assert.equal((await job.attempt()).failure, undefined);
    const [equal] = await job.verify();
    assert.deepEqual(
      { verdict: equal!.verdict, sourceRows: equal!.sourceRows, tableRows: equal!.tableRows, leftOut: equal!.leftOut },
      { verdict: 'equal', sourceRows: 2000, tableRows: 2000, leftOut: [] },
    );
    // Without a new cursor value, so that no sync sees it.
    await source.run(`update orders set amount = amount + 0.01 where id = 1234`);
    const [different] = await job.verify();
    assert.equal(different!.verdict, 'different');
    assert.equal(different!.differentBuckets, 1);
  } finally {
    await job.remove();
  }
});

/** What the tests look at in the verdict on the only stream. */
async function verdictOf(job: LakeJob): Promise<unknown[]> {
  const [{ verdict, sourceRows, tableRows, leftOut }] = (await job.verify()) as [
    Awaited<ReturnType<LakeJob['verify']>>[0],
  ];
  return [verdict, sourceRows, tableRows, leftOut];
}

/** Spells a text otherwise wherever the files of the table hold it. */
async function flipInFiles(job: LakeJob, from: string, to: string): Promise<void> {
  let found = 0;
  for (const path of await job.visibleFiles()) {
    const bytes = await readFile(path);
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) found += bytes.write(to, at);
    await writeFile(path, bytes);
  }
  assert.ok(found > 0, `no file holds ${from}`);
}

test('a Parquet table is found equal to its source after a load, and one value flipped in its files is found', async () => {
  const options = { destination: 'parquet', streams: ['orders'], writer: { compression: 'none' } } as const;
  for (const mode of ['full_refresh', 'incremental'] as const) {
    const job = await createJob(source, { ...options, mode });
    try {
      assert.equal((await job.attempt()).failure, undefined);
      const rows = Number((await source.run('select count(*) as n from orders'))[0]!['n']);
      assert.deepEqual(await verdictOf(job), ['equal', rows, rows, []], mode);
      await flipInFiles(job, 'name 1500', 'name 150X');
      const [different] = await job.verify();
      assert.deepEqual([different!.verdict, different!.differentBuckets], ['different', 1], mode);
    } finally {
      await job.remove();
    }
  }
});

test('a Parquet table that keeps older versions is compared while rows were only added, and then no more', async () => {
  await source.run(
    `create table entries as select id, name, at from orders where id <= 300; alter table entries add primary key (id)`,
  );
  const job = await createJob(source, { destination: 'parquet', mode: 'incremental', streams: ['entries'] });
  try {
    assert.equal((await job.attempt()).failure, undefined);
    await source.run(`insert into entries values (901, 'late', '2026-05-01Z'), (902, 'later', '2026-05-02Z')`);
    assert.equal((await job.attempt()).failure, undefined);
    const now = Number((await source.run('select count(*) as n from entries'))[0]!['n']);
    assert.deepEqual(await verdictOf(job), ['equal', now, now, []]);
    await source.run(`update entries set name = 'again', at = '2026-05-03Z' where id = 901`);
    assert.equal((await job.attempt()).failure, undefined);
    const [verdict] = await job.verify();
    assert.equal(verdict!.verdict, 'not comparable');
    assert.match(verdict!.note!, /every version/);
  } finally {
    await job.remove();
  }
});

test('decimals that a Parquet table holds as doubles are left out by name, and the other columns compared', async () => {
  const writer = { decimals: 'double' };
  const job = await createJob(source, { destination: 'parquet', mode: 'full_refresh', streams: ['orders'], writer });
  try {
    assert.equal((await job.attempt()).failure, undefined);
    const rows = Number((await source.run('select count(*) as n from orders'))[0]!['n']);
    assert.deepEqual(await verdictOf(job), ['equal', rows, rows, ['amount']]);
  } finally {
    await job.remove();
  }
});

test('a Parquet table is read as its manifest says, also where a killed commit has not moved its files yet', async () => {
  await source.run(`create table single as select id, name, at from orders where id <= 50`);
  const job = await createJob(source, { destination: 'parquet', mode: 'incremental', streams: ['single'] });
  try {
    const killed = await job.attempt({ stopAt: 'parquet.manifest-written' });
    assert.equal(killed.failure?.kind, 'worker_lost');
    assert.deepEqual(await job.visibleFiles('single'), []);
    assert.equal((await job.stagedFiles()).length, 1);
    assert.deepEqual(await verdictOf(job), ['equal', 50, 50, []]);
  } finally {
    await job.remove();
  }
});

test('tables of files are found equal to their files, and one flipped character of a file is found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-verify-'));
  const lay = async (name: string, ids: readonly number[], second: number): Promise<void> => {
    const path = join(folder, 'orders', name);
    await mkdir(join(folder, 'orders'), { recursive: true });
    await writeFile(
      path,
      ['id,name,amount,at', ...ids.map((id) => `${id},näme ${id},${id / 8},2026-01-01T00:00:0${id % 10}Z`), ''].join(
        '\n',
      ),
    );
    await utimes(path, second, second);
  };
  const ids = Array.from({ length: 200 }, (_, at) => at + 1);
  try {
    for (const destination of ['parquet', 'iceberg'] as const) {
      await lay('1.csv', ids, 1_700_000_001);
      await rm(join(folder, 'orders/2.csv'), { force: true });
      const connection = { type: 'file', config: { url: folder } };
      const cursor = '_last_modified_time';
      const job = await createJob(connection, { destination, mode: 'incremental', cursor, connection });
      try {
        assert.equal((await job.attempt()).failure, undefined);
        assert.deepEqual(await verdictOf(job), ['equal', 200, 200, []], destination);
        await lay('2.csv', [201, 202], 1_700_000_002);
        assert.equal((await job.attempt()).failure, undefined);
        assert.deepEqual(await verdictOf(job), ['equal', 202, 202, []], destination);
      } finally {
        await job.remove();
      }
      const whole = await createJob(connection, { destination, mode: 'full_refresh', connection });
      try {
        assert.equal((await whole.attempt()).failure, undefined);
        assert.deepEqual(await verdictOf(whole), ['equal', 202, 202, []], destination);
        const path = join(folder, 'orders/1.csv');
        await writeFile(path, (await readFile(path, 'utf8')).replace('näme 77,', 'näme 78,'));
        await utimes(path, 1_700_000_001, 1_700_000_001);
        assert.deepEqual(await verdictOf(whole), ['different', 202, 202, []], destination);
      } finally {
        await whole.remove();
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a row that was deleted at the source is found', async () => {
  const job = await createJob(source, { destination: 'iceberg', mode: 'incremental', streams: ['orders'] });
  try {
    assert.equal((await job.attempt()).failure, undefined);
    await source.run('delete from orders where id = 77');
    const [verdict] = await job.verify();
    assert.equal(verdict!.verdict, 'different');
    assert.equal(verdict!.tableRows! - verdict!.sourceRows!, 1);
  } finally {
    await job.remove();
  }
});

test('tables of MariaDB, with a key and without, are found equal to their source, and one flipped value is found', async () => {
  const mariadb = await startTestMariadb();
  try {
    await mariadb.run(`create table orders (id bigint unsigned primary key, name varchar(40), amount decimal(10,2),
        at datetime(6) not null, day date, raw varbinary(9), doc json, weight double);
      insert into orders select seq, concat('näme ', seq), seq / 7, '2026-01-01 00:00:00.000001' + interval seq second,
        if(seq % 9, '1900-02-28' + interval seq day, null), unhex(hex(seq)), json_object('a', seq), seq / 3 from seq_1_to_500;
      create table notes (line text); insert into notes values ('a'), ('a'), (null)`);
    const connection = { type: 'mysql', config: mariadb.config };
    const job = await createJob(mariadb, {
      destination: 'iceberg',
      mode: 'full_refresh',
      streams: ['orders', 'notes'],
      connection,
    });
    try {
      assert.equal((await job.attempt()).failure, undefined);
      const facts = async (): Promise<unknown> =>
        (await job.verify())
          .map(({ stream, verdict, sourceRows, tableRows, differentBuckets, leftOut }) => [
            [stream, verdict, sourceRows, tableRows, differentBuckets],
            leftOut,
          ])
          .toSorted();
      assert.deepEqual(await facts(), [
        [['shop.notes', 'equal', 3, 3, 0], []],
        [['shop.orders', 'equal', 500, 500, 0], ['weight']],
      ]);
      await mariadb.run('update orders set at = at + interval 1 microsecond where id = 123');
      assert.deepEqual(await facts(), [
        [['shop.notes', 'equal', 3, 3, 0], []],
        [['shop.orders', 'different', 500, 500, 1], ['weight']],
      ]);
    } finally {
      await job.remove();
    }
  } finally {
    await mariadb.stop();
  }
});
