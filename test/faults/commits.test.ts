import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../../src/errors.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { assertNoOrphans, assertRows, SWEEP } from './lake-checks.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, newestRows, sourceRows } from './support/orders.ts';
import type { AttemptOptions, JobOptions, LakeJob, Outcome } from './sync-support.ts';

const DAY_MS = 24 * 3600 * 1000;

let source: TestSource;
before(async () => {
  source = await startTestSource();
  await createOrders(source, 300);
});
after(() => source?.stop());

let changes = 0;
async function changeSource(): Promise<void> {
  changes++;
  const at = `'2026-02-01Z'::timestamptz + ${changes} * interval '1 minute'`;
  await source.run(
    `update orders set name = 'changed ${changes}', at = ${at} where id between 11 and 15;
     insert into orders values (${100_000 + changes}, 'new', ${changes}, ${at})`,
  );
}

async function withJob(options: Pick<JobOptions, 'destination' | 'mode'>, work: (job: LakeJob) => Promise<void>) {
  const job = await createJob(source, options);
  try {
    succeeded(await job.attempt());
    await changeSource();
    await work(job);
  } finally {
    await job.remove();
  }
}

function succeeded(outcome: Outcome, place = 'a run'): number {
  assert.equal(outcome.failure, undefined, `${place}: ${outcome.failure?.message}`);
  return outcome.result!.progress.records;
}

async function assertWhole(job: LakeJob, place: string): Promise<void> {
  const rows = await job.read();
  assert.equal(new Set(rows.map((row) => row['_olake_id'])).size, rows.length, `${place}: a row twice`);
  assertRows(lakeRows(rows), await sourceRows(source), place);
}

/** Calls `work` once, when the attempt is about to make a commit count. */
function onceAtSwap(work: () => Promise<void>): Pick<AttemptOptions, 'onQuestion'> {
  let done = false;
  return {
    async onQuestion({ ask }) {
      if (ask !== 'catalog.swap' || done) return;
      done = true;
      await work();
    },
  };
}

describe('a second writer of a table', () => {
  for (const mode of ['full_refresh', 'incremental'] as const) {
    it(`that was first with a commit is kept, and so is ours: ${mode}`, async () => {
      await withJob({ destination: 'iceberg', mode }, async (job) => {
        succeeded(await job.attempt(onceAtSwap(() => job.writeAsOther())));
        await assertWhole(job, 'after a conflict');
        const { properties } = await job.metadata();
        assert.ok(properties?.['other.writer'], 'the commit of the other is lost');
        assert.equal((await job.maintain(SWEEP)).failure, undefined);
      });
    });

    it(`that is always first fails the run for another try, and the next one ends right: ${mode}`, async () => {
      await withJob({ destination: 'iceberg', mode }, async (job) => {
        const old = lakeRows(await job.read());
        let others = 0;
        const { failure } = await job.attempt({
          run: 'run-contended',
          async onQuestion({ ask }) {
            if (ask !== 'catalog.swap') return;
            others++;
            await job.writeAsOther();
          },
        });
        assert.equal(failure?.kind, 'commit_conflict', failure?.message);
        assert.equal(failure.toRecord().retryable, true);
        assert.ok(others > 1, 'the commit was not tried again');
        assertRows(lakeRows(await job.read()), old, 'old rows');
        succeeded(await job.attempt({ run: 'run-contended' }));
        await assertWhole(job, 'the next attempt');
      });
    });
  }
});

describe('two attempts of one job at once', () => {
  for (const [destination, ask] of [
    ['iceberg', 'catalog.swap'],
    ['parquet', 'guard'],
  ] as const) {
    for (const mode of ['full_refresh', 'incremental'] as const) {
      it(`end with the rows of the newer one: ${mode} to ${destination}`, async () => {
        await withJob({ destination, mode }, async (job) => {
          let newer: Outcome | undefined;
          const older = await job.attempt({
            run: 'run-twice',
            async onQuestion(question) {
              if (newer !== undefined) throw new Failure('lease_lost', 'a newer attempt owns this work');
              if (question.ask !== ask) return;
              newer = { points: [], lines: [] };
              newer = await job.attempt({ run: 'run-twice' });
              throw new Failure('lease_lost', 'a newer attempt owns this work');
            },
          });
          assert.ok(newer?.result, newer?.failure?.message);
          assert.equal(older.failure?.kind, 'lease_lost', older.failure?.message);
          assert.equal(older.failure.toRecord().retryable, false);
          const again = succeeded(await job.attempt());
          if (mode === 'incremental') assert.equal(again, 0, 'rows came again');
          const rows = await job.read();
          const live = destination === 'parquet' && mode === 'incremental' ? newestRows(rows) : rows;
          assertRows(lakeRows(live), await sourceRows(source), 'afterwards');
        });
      });
    }
  }

  it('end without a row twice when the older one is not told and its commit comes late', async () => {
    await withJob({ destination: 'iceberg', mode: 'incremental' }, async (job) => {
      let newer: Outcome | undefined;
      const older = await job.attempt({
        run: 'run-twice',
        ...onceAtSwap(async () => {
          newer = await job.attempt({ run: 'run-twice' });
        }),
      });
      assert.ok(newer?.result, newer?.failure?.message);
      assert.equal(older.failure?.kind, 'lease_lost', older.failure?.message ?? 'the late commit counted');
      await assertWhole(job, 'afterwards');
      assert.equal(succeeded(await job.attempt()), 0);
      assert.equal((await job.maintain(SWEEP)).failure, undefined);
      await assertNoOrphans(job, 'afterwards');
    });
  });
});

/** Times of a table never run backwards, as the Iceberg specification demands of its logs. */
async function assertTimesAscend(job: LakeJob, place: string): Promise<number> {
  const metadata = await job.metadata();
  const ascend = (times: readonly number[]): boolean => times.every((time, at) => at === 0 || time >= times[at - 1]!);
  const snapshots = metadata.snapshots!.map((one) => one['timestamp-ms']);
  const versions = (metadata['metadata-log'] ?? []).map((one) => one['timestamp-ms']);
  assert.ok(ascend(snapshots), `${place}: snapshots ${snapshots}`);
  assert.ok(ascend(metadata['snapshot-log']!.map((one) => one['timestamp-ms'])), `${place}: the log of snapshots`);
  assert.ok(ascend([...versions, metadata['last-updated-ms']]), `${place}: versions ${versions}`);
  assert.ok(metadata['last-updated-ms'] >= snapshots.at(-1)!, place);
  return snapshots.length;
}

const UPKEEP = {
  compact: { targetFileBytes: 64 << 20, minInputFiles: 2 },
  expireSnapshots: { olderThanMs: DAY_MS, keepAtLeast: 1 },
  removeOrphans: { olderThanMs: DAY_MS },
} as const;

describe('a clock that jumps', () => {
  it('does not turn the times of a table back, loses no row and no live file', async () => {
    await withJob({ destination: 'iceberg', mode: 'incremental' }, async (job) => {
      succeeded(await job.attempt());
      for (const days of [0, -400, 3, -3, 4000, 0]) {
        await changeSource();
        const outcome = await job.attempt({ clockShiftMs: days * DAY_MS });
        assert.equal(succeeded(outcome, `${days} days`), 6, `${days} days`);
        await assertTimesAscend(job, `${days} days`);
        await assertWhole(job, `${days} days`);
      }
      for (const days of [-4000, 8000, 0]) {
        const { failure } = await job.maintain(UPKEEP, { clockShiftMs: days * DAY_MS });
        assert.equal(failure, undefined, failure?.message);
        await assertTimesAscend(job, `upkeep, ${days} days`);
        await assertWhole(job, `upkeep, ${days} days`);
        await changeSource();
        assert.equal(succeeded(await job.attempt()), 6);
        await assertWhole(job, `a run after upkeep, ${days} days`);
      }
    });
  });

  it('of the machine that looks after a table removes nothing of a run that goes on', async () => {
    await withJob({ destination: 'iceberg', mode: 'incremental' }, async (job) => {
      const attempt = job.attempt(
        onceAtSwap(async () => {
          const { failure } = await job.maintain(
            { removeOrphans: UPKEEP.removeOrphans },
            { clockShiftMs: 4000 * DAY_MS },
          );
          assert.equal(failure, undefined, failure?.message);
        }),
      );
      assert.equal(succeeded(await attempt), 6);
      await assertNoOrphans(job, 'afterwards');
      await assertWhole(job, 'afterwards');
    });
  });
});
