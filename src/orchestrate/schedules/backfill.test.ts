import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createLab, type Lab } from '../lab.test-support.ts';
import type { BackfillView } from './types.ts';
import { readBackfills } from './backfill-tables.ts';

const HOURLY = { crontabRecord: '@hourly' };
const INTERVAL = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T05:00:00Z' };

let lab: Lab;
before(async () => {
  lab = await createLab();
});
after(() => lab?.close());

function backfill(orchestrationId: number, more: object = {}): Promise<BackfillView> {
  const sent = { ...INTERVAL, ...more };
  return lab.orchestrate.schedules.startBackfill(lab.scope(), { orchestrationId, path: '/backfill', sent });
}

async function look({ orchestrationId, id }: BackfillView): Promise<BackfillView> {
  const [view] = await readBackfills(lab.store.db, { orchestrationId, id, limit: 1 });
  return view!;
}

function holding(name: string) {
  return { component: 'lab.hold', actionParameters: { name } };
}

describe('a backfill', () => {
  it('ends when its orchestration is deleted: the job that runs is ended, and no further one is made', async () => {
    const orchestrationId = await lab.define([holding('deleted')], HOURLY);
    const begun = await backfill(orchestrationId, { concurrency: 2 });
    await lab.holds.begun('deleted');
    await lab.orchestrate.definitions.remove(lab.scope(), orchestrationId);
    await lab.until(async () => (await look(begun)).state !== 'active');
    const { state, message, made, jobs } = await look(begun);
    assert.deepEqual([state, message, made], ['failed', 'The orchestration was deleted', 2]);
    assert.deepEqual(
      jobs.map(({ number }) => number !== null),
      [true, true, false, false, false],
    );
    for (const { number } of jobs.slice(0, 2)) {
      const run = await lab.engine.getByNumber(number!);
      assert.equal((await lab.engine.settled(run!.id, 60_000))?.state, 'cancelled');
    }
    await assert.rejects(lab.orchestrate.schedules.listBackfills(lab.scope().project, orchestrationId), {
      kind: 'not_found',
    });
  });

  it('makes no job when the message about an ended one is delivered after its orchestration is gone', async () => {
    const orchestrationId = await lab.define([holding('late')], HOURLY);
    const begun = await backfill(orchestrationId, { concurrency: 1 });
    await lab.holds.begun('late');
    // The worker dies with the orchestration deleted, and neither the end of the job nor the message has been seen to.
    await lab.pause();
    await lab.orchestrate.definitions.remove(lab.scope(), orchestrationId);
    assert.equal((await look(begun)).state, 'active');
    await lab.restart();
    await lab.until(async () => (await look(begun)).state !== 'active');
    const { state, made } = await look(begun);
    assert.deepEqual([state, made], ['failed', 1]);
  });
});
