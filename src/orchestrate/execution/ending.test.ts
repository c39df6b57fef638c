import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JobView } from '../index.ts';
import { createLab, type Lab } from '../lab.test-support.ts';

let lab: Lab;

before(async () => {
  lab = await createLab();
});

after(async () => {
  await lab?.close();
});

const echo = (more: object = {}) => ({ component: 'lab.echo', ...more });
const hold = (name: string, parameters: object = {}, more: object = {}) => ({
  component: 'lab.hold',
  actionParameters: { name, ...parameters },
  ...more,
});

function endsOf(job: JobView): readonly (string | null)[] {
  return job.results!.map(({ reached }) => reached?.status ?? null);
}

const runs = () => lab.orchestrate.componentRuns;

describe('a killed job', () => {
  it('ends terminated with what it runs, and reaches nothing more', async () => {
    const id = await lab.define([hold('killed'), echo()]);
    const { run } = await lab.start(id);
    await lab.holds.begun('killed');
    const killed = await runs().kill(lab.scope(), run.number);
    assert.ok(['running', 'cancelled'].includes(killed.run.state));
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'terminated');
    assert.deepEqual(endsOf(job), ['terminated', null]);
    assert.equal(job.results![0]!.reached!.response!.run!.run.state, 'cancelled');
    await assert.rejects(runs().kill(lab.scope(), run.number), { kind: 'conflict' });
  });

  it('ends even when the component does not listen, and takes nested jobs with it', async () => {
    const inner = await lab.define([hold('deaf', { isDeaf: true })]);
    const outer = await lab.define([{ component: 'orchestrator', actionParameters: { config: inner } }]);
    const { run } = await lab.start(outer);
    await lab.holds.begun('deaf');
    await runs().kill(lab.scope(), run.number);
    const again = await runs().kill(lab.scope(), run.number);
    assert.ok(again.run.cancelRequested);
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'terminated');
    const nested = job.results![0]!.reached!.response!.job!;
    assert.equal(nested.status, 'terminated');
    assert.deepEqual(endsOf(nested), ['terminated']);
    lab.holds.release('deaf');
  });

  it('ends its task alone when only what the task started is killed', async () => {
    const id = await lab.define([hold('child', {}, { continueOnFailure: true }), echo()]);
    const { run } = await lab.start(id);
    await lab.holds.begun('child');
    const live = await lab.orchestrate.jobs.get(lab.scope().project, run.number);
    await runs().kill(lab.scope(), live.results![0]!.reached!.response!.run!.run.number);
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'warning');
    assert.deepEqual(endsOf(job), ['terminated', 'success']);
  });
});

describe('a waiting job', () => {
  it('is cancelled; one that has begun is not', async () => {
    const id = await lab.define([hold('first')]);
    const first = await lab.start(id);
    const second = await lab.start(id);
    await lab.holds.begun('first');
    await lab.orchestrate.jobs.cancel(lab.scope(), second.run.number);
    const job = await lab.ended(second.run.number);
    assert.equal(job.status, 'cancelled');
    assert.equal(job.run.startedAt, null);
    assert.notEqual(job.run.endedAt, null);
    await assert.rejects(lab.orchestrate.jobs.cancel(lab.scope(), first.run.number), {
      kind: 'conflict',
      message: `Job ${first.run.number} is processing; only waiting jobs can be cancelled. Use POST /queue/jobs/${first.run.number}/kill`,
    });
    lab.holds.release('first');
    await lab.ended(first.run.number);
    await assert.rejects(lab.orchestrate.jobs.cancel(lab.scope(), first.run.number), { kind: 'conflict' });
    await assert.rejects(lab.orchestrate.jobs.cancel(lab.scope(), 999_999), { kind: 'not_found' });
  });
});

describe('a cancel that meets the beginning of a job', () => {
  it('wins or loses, never both', async () => {
    const id = await lab.define([echo()]);
    const seen = new Set<string>();
    for (let n = 0; n < 30; n++) {
      const { run } = await lab.start(id);
      await lab.until(() => n % 3 === 0 || lab.engine.get(run.id).then((now) => now?.state !== 'planned'));
      const isCancelled = await lab.orchestrate.jobs.cancel(lab.scope(), run.number).then(
        () => true,
        () => false,
      );
      const job = await lab.ended(run.number);
      assert.equal(job.status, isCancelled ? 'cancelled' : 'success');
      assert.equal(job.run.startedAt === null, isCancelled);
      seen.add(job.status);
    }
    assert.ok(seen.has('cancelled'));
  });
});

describe('the time limit of a task', () => {
  it('ends what it called and fails the task', async () => {
    const job = await lab.run([hold('slow', {}, { timeoutMinutes: 1, continueOnFailure: true }), echo()]);
    assert.equal(job.status, 'warning');
    assert.deepEqual(endsOf(job), ['error', 'success']);
    const { body, run } = job.results![0]!.reached!.response!;
    assert.deepEqual(body, { status: 'error', message: 'Task timeout after 1 minute(s)' });
    assert.equal(run!.run.state, 'cancelled');
  });

  it('counts the wait for a place, too', async () => {
    const blocker = await lab.run([echo()]);
    assert.equal(blocker.status, 'success');
    const id = await lab.define([hold('holds the lock', { lock: 'x' })]);
    const first = await lab.start(id);
    await lab.holds.begun('holds the lock');
    const second = await lab.run([hold('waits for the lock', { lock: 'x' }, { timeoutMinutes: 1 })]);
    assert.deepEqual(endsOf(second), ['error']);
    assert.equal(second.results![0]!.reached!.response!.run!.run.startedAt, null);
    lab.holds.release('holds the lock');
    await lab.ended(first.run.number);
  });
});

describe('the token of an orchestration', () => {
  it('ends a job at its start when it is not valid any more', async () => {
    const id = await lab.define([echo({ continueOnFailure: true })]);
    const { tokenId } = await lab.orchestrate.definitions.get(lab.scope().project, id);
    await lab.store.transaction((tx) => lab.access.tokens.revoke(tx, tokenId));
    const job = await lab.ended((await lab.start(id)).run.number);
    assert.equal(job.status, 'error');
    assert.deepEqual(endsOf(job), [null]);
    assert.equal(job.run.error!.message, `Orchestration token ${tokenId} is not valid`);
  });

  it('is the one that the orchestration has when the job begins', async () => {
    const id = await lab.define([hold('in front')]);
    const first = await lab.start(id);
    const second = await lab.start(id);
    await lab.holds.begun('in front');
    const { tokenId } = await lab.orchestrate.definitions.renewToken(lab.scope(), id);
    lab.holds.release('in front');
    assert.equal((await lab.ended(first.run.number)).status, 'success');
    const job = await lab.ended(second.run.number);
    assert.equal(job.status, 'success');
    assert.equal(job.token.id, tokenId);
  });

  it('limits what its tasks may call', async () => {
    const by = { token: lab.token, actor: lab.scope().actor };
    const { token } = await lab.access.tokens.create(by, { description: 'few', componentAccess: ['lab.hold'] });
    const job = await lab.run([echo()], { tokenId: token.id });
    assert.deepEqual(endsOf(job), ['error']);
    const { message } = job.results![0]!.reached!.response!.body as { message: string };
    assert.equal(message, `Token ${token.id} must not call component 'lab.echo'`);
  });
});
