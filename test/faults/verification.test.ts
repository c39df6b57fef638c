import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { createJob, createOrders } from './sync-support.ts';

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
