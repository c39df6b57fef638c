import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestSource } from '../support/source.ts';
import type { TestSource } from '../support/source.ts';
import { stopsOf } from './crash-support.ts';
import { noteKill, testKills } from './points.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, sourceRows } from './support/orders.ts';

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await createOrders(source, 50);
});
after(() => source?.stop());

describe('a clear that is killed', () => {
  for (const destination of ['parquet', 'iceberg'] as const) {
    it(`at any point leaves the ${destination} table whole or gone, and the next one ends it`, async () => {
      const job = await createJob(source, { destination, mode: 'full_refresh' });
      try {
        assert.equal((await job.attempt()).failure, undefined);
        const rows = lakeRows(await job.read());
        const goBack = await job.save();
        const dry = await job.clear();
        assert.equal(dry.result?.dropped, 1, dry.failure?.message);
        for (const stopAt of stopsOf(dry.points)) {
          await goBack();
          const killed = await job.clear({ stopAt });
          assert.equal(killed.failure?.kind, 'worker_lost', `${stopAt} was not reached`);
          noteKill(stopAt);
          const left = lakeRows(await job.read());
          assert.ok(left.length === 0 || left.length === rows.length, `${stopAt}: ${left.length} rows are left`);
          const again = await job.clear();
          assert.equal(again.failure, undefined, `${stopAt}: ${again.failure?.message}`);
          assert.deepEqual(await job.read(), [], stopAt);
          assert.deepEqual(await job.visibleFiles(), [], stopAt);
          assert.equal((await job.attempt()).failure, undefined, stopAt);
          assert.deepEqual(lakeRows(await job.read()), await sourceRows(source), `${stopAt}, one run later`);
        }
      } finally {
        await job.remove();
      }
    });
  }
});

testKills('crash-clear');
