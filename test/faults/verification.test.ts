import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestMariadb } from '../support/mariadb.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { createJob } from './sync-support.ts';
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
