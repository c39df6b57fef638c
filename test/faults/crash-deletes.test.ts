import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createFollowed, publish, startLogSource } from './changes-support.ts';
import type { LogSource } from './changes-support.ts';
import { killAtEveryPoint, stopsOf } from './crash-support.ts';
import { assertNoOrphans, assertRows, SWEEP } from './lake-checks.ts';
import { noteKill, testKills } from './points.ts';
import { createJob } from './sync-support.ts';
import { lakeRows, sourceRows } from './support/orders.ts';
import type { LakeJob } from './sync-support.ts';

let source: LogSource;

before(async () => {
  source = await startLogSource();
  await createFollowed(source, 200);
  await publish(source);
});
after(() => source?.stop());

let changes = 0;

async function changeSource(): Promise<void> {
  changes++;
  const base = 10_000 + changes * 100;
  await source.run(`insert into orders select ${base} + i, 'new', i, '2026-02-01Z' from generate_series(1, 10) as i;
    update orders set name = 'changed ${changes}' where id between 11 and 15;
    delete from orders where id = ${20 + changes}; update orders set id = ${base} where id = ${100 + changes}`);
}

async function assertEqual(job: LakeJob, place: string): Promise<void> {
  const rows = await job.read();
  assert.equal(new Set(rows.map((row) => row['_olake_id'])).size, rows.length, `${place}: a row twice`);
  assertRows(lakeRows(rows), await sourceRows(source), place);
}

async function withFollower(delete_mode: string, work: (job: LakeJob) => Promise<void>): Promise<void> {
  const { connection } = source;
  const writer = { delete_mode, deletes: 'apply' };
  const job = await createJob(source, { destination: 'iceberg', mode: 'cdc', connection, writer });
  try {
    const first = await job.attempt();
    assert.equal(first.failure, undefined, first.failure?.message);
    await changeSource();
    await work(job);
  } finally {
    await job.remove();
  }
}

describe('a table whose deleted rows are removed', () => {
  // Position deletes and rewritten files; equality deletes are what every other crash test writes.
  for (const mode of ['position', 'copy_on_write']) {
    it(`equals the source after a kill at any point of an upsert in mode ${mode}`, async () => {
      await withFollower(mode, (job) =>
        killAtEveryPoint({
          job,
          kind: 'iceberg',
          movesOn: true,
          save: () => source.saveSlot(),
          check: (place) => assertEqual(job, place),
        }),
      );
    });
  }
});

const UPKEEP = {
  compact: { targetFileBytes: 64 << 20, minInputFiles: 2 },
  expireSnapshots: { olderThanMs: -1000, keepAtLeast: 1 },
  ...SWEEP,
} as const;

describe('upkeep that is killed', () => {
  it('at any point leaves the table as it was, and upkeep and runs after it end right', async () => {
    await withFollower('equality', async (job) => {
      assert.equal((await job.attempt()).failure, undefined);
      // Attempts that died leave files of no snapshot.
      await changeSource();
      await job.attempt({ run: 'run-dead', stopAt: 'iceberg.before-swap' });
      assert.equal((await job.attempt({ run: 'run-dead' })).failure, undefined);
      const goBack = await job.save();
      const putSlotBack = await source.saveSlot();
      const dry = await job.maintain(UPKEEP);
      assert.equal(dry.failure, undefined, dry.failure?.message);
      const [done] = dry.result!.tables;
      assert.ok(done!.compactedFiles > 1 && done!.removedDeleteFiles > 0 && done!.expiredSnapshots > 0);
      await assertEqual(job, 'dry run');
      for (const stopAt of stopsOf(dry.points)) {
        await goBack();
        await putSlotBack();
        const killed = await job.maintain(UPKEEP, { stopAt });
        assert.equal(killed.failure?.kind, 'worker_lost', `${stopAt} was not reached`);
        noteKill(stopAt);
        await assertEqual(job, stopAt);
        const resumed = await job.maintain(UPKEEP);
        assert.equal(resumed.failure, undefined, `${stopAt}: ${resumed.failure?.message}`);
        await assertEqual(job, `${stopAt}, upkeep again`);
        await assertNoOrphans(job, stopAt);
        const synced = await job.attempt();
        assert.equal(synced.failure, undefined, `${stopAt}: ${synced.failure?.message}`);
        assert.equal(synced.result!.progress.records, 0, stopAt);
        await assertEqual(job, `${stopAt}, one run later`);
      }
    });
  });
});

testKills('crash-deletes');
