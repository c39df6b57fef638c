import assert from 'node:assert/strict';
import { assertNoOrphans, assertOnlyManifest, SWEEP } from './lake-checks.ts';
import { noteKill } from './points.ts';
import type { LakeJob } from './sync-support.ts';

export interface CrashTest {
  readonly job: LakeJob;
  /** The table is what the source is; throws with `place` in its message. */
  check(place: string): Promise<void>;
  /** Puts what lies outside of the job, such as a slot, back to where it was; made after `prepare`. */
  readonly save?: () => Promise<() => Promise<void>>;
  /** False where a later run brings everything again. */
  readonly movesOn: boolean;
  /** A table whose files are swept and compared with the metadata in the end; `_manifest.json` when it is no Iceberg table. */
  readonly kind: 'iceberg' | 'parquet';
}

/** Each stopping point once; those of the sync itself again at their last passage, where there are several. */
export function stopsOf(points: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const point of points) counts.set(point, (counts.get(point) ?? 0) + 1);
  return [...counts].flatMap(([name, count]) =>
    count > 1 && name.startsWith('sync.') ? [name, `${name}:${count}`] : [name],
  );
}

/**
 * Kills an attempt at every point of the job's next run, each time from the same start, and resumes the run. The table
 * equals the source after each, the run after that moves nothing, and upkeep leaves no file behind that nothing names.
 */
export async function killAtEveryPoint(test: CrashTest): Promise<void> {
  const { job } = test;
  const goBack = await job.save();
  const putBack = await test.save?.();
  const { points, failure } = await job.attempt();
  assert.equal(failure, undefined, failure?.message);
  await test.check('dry run');
  for (const stopAt of stopsOf(points)) {
    await goBack();
    await putBack?.();
    const killed = await job.attempt({ run: 'run-killed', stopAt });
    assert.equal(killed.failure?.kind, 'worker_lost', `${stopAt} was not reached`);
    noteKill(stopAt);
    const resumed = await job.attempt({ run: 'run-killed' });
    assert.equal(resumed.failure, undefined, `${stopAt}: ${resumed.failure?.message}`);
    await test.check(stopAt);
    if (test.movesOn) await assertNothingNew(job, stopAt);
    await assertSwept(test, stopAt);
  }
}

async function assertNothingNew(job: LakeJob, place: string): Promise<void> {
  const again = await job.attempt();
  assert.equal(again.failure, undefined, `${place}, one run later: ${again.failure?.message}`);
  assert.equal(again.result!.progress.records, 0, `${place}: rows came again`);
}

async function assertSwept({ job, kind, check }: CrashTest, place: string): Promise<void> {
  if (kind === 'parquet') return assertOnlyManifest(job, place);
  const { failure } = await job.maintain(SWEEP);
  assert.equal(failure, undefined, `${place}: ${failure?.message}`);
  await assertNoOrphans(job, place);
  await check(`${place}, swept`);
}
