import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { assertNoOrphans, assertOnlyManifest, assertRows, SWEEP } from './lake-checks.ts';
import { makeSmallDisk } from './support/small-disk.ts';
import type { SmallDisk } from './support/small-disk.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, newestRows, sourceRows } from './support/orders.ts';
import type { Destination, JobOptions, LakeJob } from './sync-support.ts';

let source: TestSource;
let disk: SmallDisk;
let jobs = 0;
let minute = 0;

before(async () => {
  source = await startTestSource();
  await createOrders(source, 300);
  disk = makeSmallDisk();
});
afterEach(() => disk.free());
after(async () => {
  disk?.remove();
  await source?.stop();
});

/** Changes five rows, whose cursor value is later than any before. */
async function changeSource(): Promise<void> {
  minute++;
  await source.run(
    `update orders set name = 'changed ${minute}', at = '2026-02-01Z'::timestamptz + ${minute} * interval '1 minute'
       where id between 11 and 15`,
  );
}

async function rowsOf(job: LakeJob, { destination, mode }: JobOptions): Promise<string[]> {
  const rows = await job.read();
  return lakeRows(destination === 'parquet' && mode === 'incremental' ? newestRows(rows) : rows);
}

async function onSmallDisk(
  options: Pick<JobOptions, 'destination' | 'mode'>,
  work: (job: LakeJob) => Promise<void>,
): Promise<void> {
  const job = await createJob(source, { ...options, lake: join(disk.folder, `lake-${++jobs}`) });
  try {
    const first = await job.attempt();
    assert.equal(first.failure, undefined, first.failure?.message);
    await changeSource();
    await work(job);
  } finally {
    disk.free();
    await job.remove();
  }
}

async function assertClean(job: LakeJob, destination: Destination, place: string): Promise<void> {
  if (destination === 'parquet') return assertOnlyManifest(job, place);
  assert.equal((await job.maintain(SWEEP)).failure, undefined, place);
  await assertNoOrphans(job, place);
}

/** Each point of a run of its own: a run that failed is finished by the next, which brings what it is to bring. */
async function fillAtEveryPoint(job: LakeJob, options: Pick<JobOptions, 'destination' | 'mode'>): Promise<number> {
  const tried = new Set<string>();
  let failures = 0;
  for (;;) {
    let filled: string | undefined;
    const old = await rowsOf(job, options);
    const run = `run-full-${tried.size}`;
    const { failure } = await job.attempt({
      run,
      onPoint(name) {
        if (filled !== undefined || tried.has(name)) return;
        filled = name;
        disk.fill();
      },
    });
    if (filled === undefined) return failures;
    tried.add(filled);
    if (failure) {
      failures++;
      assert.equal(failure.kind, 'storage_failed', `${filled}: ${failure.message}`);
      assert.match(failure.message, /has no space left|takes no larger files/, filled);
      assert.ok(failure.message.includes(disk.folder), `${filled}: the folder is named in "${failure.message}"`);
      assert.equal(failure.toRecord().retryable, true);
      const now = await rowsOf(job, options);
      if (now.join() !== (await sourceRows(source)).join()) assertRows(now, old, `${filled}: old rows`);
    }
    disk.free();
    const resumed = await job.attempt({ run });
    assert.equal(resumed.failure, undefined, `${filled}: ${resumed.failure?.message}`);
    assertRows(await rowsOf(job, options), await sourceRows(source), filled);
    await assertClean(job, options.destination, filled);
    await changeSource();
  }
}

describe('a disk that is full', () => {
  for (const [destination, mode] of [
    ['iceberg', 'full_refresh'],
    ['iceberg', 'incremental'],
    ['parquet', 'full_refresh'],
    ['parquet', 'incremental'],
  ] as const) {
    it(`at any point of a run fails it in words, and the next one ends right: ${mode} to ${destination}`, async () => {
      await onSmallDisk({ destination, mode }, async (job) => {
        const failures = await fillAtEveryPoint(job, { destination, mode });
        assert.ok(failures >= 2, `${failures} runs failed`);
      });
    });
  }
});

describe('a disk that is read-only', () => {
  for (const destination of ['iceberg', 'parquet'] as const) {
    it(`fails a run in words and keeps the table: ${destination}`, async (test) => {
      const { setReadOnly } = disk;
      if (!setReadOnly) return test.skip('this process may not mount file systems');
      await onSmallDisk({ destination, mode: 'full_refresh' }, async (job) => {
        const old = await rowsOf(job, { destination, mode: 'full_refresh' });
        setReadOnly(true);
        const { failure } = await job.attempt().finally(() => setReadOnly(false));
        assert.equal(failure?.kind, 'storage_failed');
        assert.match(failure.message, /is read-only/);
        assertRows(await rowsOf(job, { destination, mode: 'full_refresh' }), old, 'old rows');
        assert.equal((await job.attempt()).failure, undefined);
        assertRows(await rowsOf(job, { destination, mode: 'full_refresh' }), await sourceRows(source), 'afterwards');
      });
    });
  }
});
