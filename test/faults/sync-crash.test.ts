import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { stopsOf } from './crash-support.ts';
import { noteKill, testKills } from './points.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, newestRows, sourceRows } from './support/orders.ts';
import type { Destination, JobOptions, LakeJob } from './sync-support.ts';

const MODES = ['full_refresh', 'incremental'] as const;
const DESTINATIONS: readonly Destination[] = ['parquet', 'iceberg'];

let source: TestSource;

before(async () => {
  source = await startTestSource();
  await createOrders(source, 1500);
});
after(() => source.stop());

/** The table holds exactly the source's rows, each once (append-only tables: the newest of each). */
async function assertEqual(job: LakeJob, { destination, mode }: JobOptions, place: string): Promise<void> {
  const rows = await job.read();
  const appendOnly = destination === 'parquet' && mode === 'incremental';
  if (!appendOnly)
    assert.equal(new Set(rows.map((row) => row['_olake_id'])).size, rows.length, `${place}: a row twice`);
  assert.deepEqual(lakeRows(appendOnly ? newestRows(rows) : rows), await sourceRows(source), place);
  assert.deepEqual(await job.stagedFiles(), [], `${place}: leftovers`);
}

let changes = 0;

/** Moves five rows on and adds one; ties with the last cursor value included. */
async function changeSource(): Promise<void> {
  changes++;
  await source.run(
    `update orders set name = 'changed ${changes}', at = '2026-02-01Z'::timestamptz + ${changes} * interval '1 minute'
       where id between 11 and 15;
     insert into orders values (${100_000 + changes}, 'new', ${changes}, '2026-02-01Z'::timestamptz + ${changes} * interval '1 minute')`,
  );
}

interface Kill {
  readonly stopAt: string;
  /** What the run writes in all its attempts. */
  readonly records: number;
}

/** Kills an attempt at the point, resumes, and looks at the table after each step. */
async function killAndResume(job: LakeJob, options: JobOptions, { stopAt, records }: Kill): Promise<void> {
  const old = lakeRows(await job.read());
  const killed = await job.attempt({ run: 'run-killed', stopAt });
  assert.equal(killed.failure?.kind, 'worker_lost', `${stopAt} was not reached`);
  noteKill(stopAt);
  // A reader who globs a folder may see two sets for an instant; one who asks the catalog never does.
  if (options.mode === 'full_refresh' && options.destination === 'iceberg') {
    const now = lakeRows(await job.read());
    assert.ok(same(now, old) || same(now, await sourceRows(source)), `${stopAt}: old and new rows are mixed`);
  }
  const resumed = await job.attempt({ run: 'run-killed' });
  assert.equal(resumed.failure, undefined, `${stopAt}: ${resumed.failure?.message}`);
  await assertEqual(job, options, stopAt);
  if (options.mode === 'full_refresh') return;
  assert.equal(resumed.result!.progress.records, records, `${stopAt}: rows of both attempts count`);
  const again = await job.attempt();
  assert.equal(again.failure, undefined);
  assert.equal(again.result!.progress.records, 0, `${stopAt}: rows came again`);
  await assertEqual(job, options, `${stopAt}, one run later`);
}

/** Kills at every point of the job's next run, each time from the same start. */
async function killEverywhere(options: JobOptions, prepare: (job: LakeJob) => Promise<void>): Promise<void> {
  const job = await createJob(source, options);
  try {
    await prepare(job);
    const goBack = await job.save();
    const { points, failure, result } = await job.attempt();
    assert.equal(failure, undefined);
    await assertEqual(job, options, 'dry run');
    for (const stop of stopsOf(points)) {
      await goBack();
      await killAndResume(job, options, { stopAt: stop, records: result!.progress.records });
    }
  } finally {
    await job.remove();
  }
}

const same = (left: readonly string[], right: readonly string[]): boolean =>
  left.length === right.length && left.every((value, at) => value === right[at]);

for (const destination of DESTINATIONS) {
  for (const mode of MODES) {
    describe(`a sync of ${mode} to ${destination} that is killed`, () => {
      it('at any point of its first run yields each row exactly once', async () => {
        await killEverywhere({ destination, mode }, async () => {});
      });

      it('at any point of a later run yields each row exactly once', async () => {
        await killEverywhere({ destination, mode }, async (job) => {
          assert.equal((await job.attempt()).failure, undefined);
          await changeSource();
        });
      });
    });
  }
}

describe('a sync of full_refresh to iceberg that is killed in the run after one that was killed and given up', () => {
  it('yields each row exactly once', async () => {
    await killEverywhere({ destination: 'iceberg', mode: 'full_refresh' }, async (job) => {
      const killed = await job.attempt({ run: 'run-given-up', stopAt: 'sync.state-saved:2' });
      assert.equal(killed.failure?.kind, 'worker_lost');
    });
  });
});

testKills('sync-crash');
