import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createLab, type Lab } from '../lab.test-support.ts';
import type { JobView } from '../index.ts';

let lab: Lab;

before(async () => {
  lab = await createLab();
});

after(async () => {
  await lab?.close();
});

const echo = (more: object = {}) => ({ component: 'lab.echo', ...more });
const fail = (more: object = {}) => ({
  component: 'lab.fail',
  actionParameters: { message: 'it was not to be' },
  ...more,
});
const hold = (name: string, more: object = {}) => ({
  component: 'lab.hold',
  actionParameters: { name },
  ...more,
});

function statusesOf(job: JobView): readonly (string | null)[] {
  assert.ok(job.results);
  return job.results.map(({ reached }) => reached?.status ?? null);
}

describe('a job', () => {
  it('runs its tasks one after another and shows what each answered', async () => {
    const id = await lab.define([
      echo({ actionParameters: { a: 1, '#key': 'hidden text' } }),
      echo({ actionParameters: {} }),
    ]);
    const created = await lab.start(id, { notificationsEmails: ['kim@tern.example'] });
    assert.equal(created.status, 'waiting');
    assert.equal(created.results, null);
    assert.deepEqual(created.emails, ['kim@tern.example']);
    assert.equal(created.initiator.id, lab.token.id);
    const job = await lab.ended(created.run.number);
    assert.equal(job.status, 'success', JSON.stringify(job.results));
    const [first, second] = job.results!;
    assert.deepEqual(first!.reached!.response!.run!.result, { echoed: { a: 1, '#key': '********' } });
    assert.deepEqual(first!.definition.actionParameters, { a: 1, '#key': '********' });
    assert.equal(
      first!.reached!.response!.run!.run.path,
      `${job.run.number}.${first!.reached!.response!.run!.run.number}`,
    );
    assert.ok(first!.reached!.endTime! <= second!.reached!.startTime);
  });

  it('ends with an error at the first task that fails, and does not reach those behind it', async () => {
    const job = await lab.run([fail(), echo()]);
    assert.equal(job.status, 'error');
    assert.deepEqual(statusesOf(job), ['error', null]);
    assert.equal(job.results![0]!.reached!.response!.run!.error!.message, 'it was not to be');
  });

  it('goes on after a failure that may be, and ends with a warning', async () => {
    const job = await lab.run([fail({ continueOnFailure: true }), echo()]);
    assert.equal(job.status, 'warning');
    assert.deepEqual(statusesOf(job), ['error', 'success']);
  });

  it('skips inactive tasks; with nothing but these it is a success', async () => {
    const job = await lab.run([fail({ active: false }), fail({ active: false, phase: 'a' })]);
    assert.equal(job.status, 'success');
    assert.deepEqual(statusesOf(job), [null, null]);
  });

  it('runs the tasks of a phase at the same time, and the next phase when all of them have ended', async () => {
    const id = await lab.define([hold('left', { phase: 10 }), hold('right', { phase: 10 }), hold('behind')]);
    const { run } = await lab.start(id);
    await Promise.all([lab.holds.begun('left'), lab.holds.begun('right')]);
    assert.ok(lab.holds.isRunning('left') && lab.holds.isRunning('right'));
    lab.holds.release('right');
    assert.ok(!lab.holds.isRunning('behind'));
    lab.holds.release('left');
    await lab.holds.begun('behind');
    const live = await lab.orchestrate.jobs.get(lab.scope().project, run.number);
    assert.deepEqual(statusesOf(live), ['success', 'success', 'processing']);
    assert.equal(live.results![2]!.reached!.response!.run!.component, 'lab.hold');
    lab.holds.release('behind');
    assert.equal((await lab.ended(run.number)).status, 'success');
  });
});
