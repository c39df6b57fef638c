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

const echo = { component: 'lab.echo' };
const hold = (name: string) => ({ component: 'lab.hold', actionParameters: { name } });
const start = (id: number, more: object = {}) => ({
  component: 'orchestrator',
  actionParameters: { config: id, ...more },
});

function endsOf(job: JobView): readonly (string | null)[] {
  return job.results!.map(({ reached }) => reached?.status ?? null);
}

function messageOf(job: JobView, position = 0): string {
  const body = job.results![position]!.reached!.response!.body as { message: string };
  return body.message;
}

describe('a task that starts another orchestration', () => {
  it('waits for its job, which is a child', async () => {
    const inner = await lab.define([echo]);
    const outer = await lab.run([start(inner, { notificationsEmails: ['kim@tern.example'] }), echo]);
    assert.equal(outer.status, 'success');
    const nested = outer.results![0]!.reached!.response!.job!;
    assert.equal(nested.orchestrationId, inner);
    assert.equal(nested.run.path, `${outer.run.number}.${nested.run.number}`);
    assert.equal(nested.initializedBy, 'manually');
    assert.deepEqual(nested.emails, ['kim@tern.example']);
    assert.equal(nested.results![0]!.reached!.status, 'success');
  });

  it('does the same by our own address, without a request', async () => {
    const inner = await lab.define([echo]);
    const url = 'http://127.0.0.1:8080';
    const outer = await lab.run([
      { componentUrl: `${url}/orchestrator/run`, actionParameters: { config: inner } },
      { componentUrl: `${url}/orchestrations/${inner}/trigger` },
      { componentUrl: `${url}/docker/lab.echo/run`, actionParameters: { configData: { parameters: { a: 1 } } } },
    ]);
    assert.deepEqual(endsOf(outer), ['success', 'success', 'success']);
    assert.equal(outer.results![1]!.reached!.response!.job!.initializedBy, 'trigger');
    assert.deepEqual(outer.results![2]!.reached!.response!.run!.result, { echoed: { a: 1 } });
  });

  it('fails when that ends with a warning', async () => {
    const inner = await lab.define([{ component: 'lab.fail', continueOnFailure: true }]);
    const outer = await lab.run([start(inner)]);
    assert.deepEqual(endsOf(outer), ['warning']);
    assert.equal(outer.status, 'error');
  });

  it('is refused as the third of a chain', async () => {
    const third = await lab.define([echo]);
    const second = await lab.define([start(third)]);
    const first = await lab.run([start(second)]);
    const nested = first.results![0]!.reached!.response!.job!;
    assert.equal(nested.status, 'error');
    assert.equal(messageOf(nested), 'Orchestrations can be started only 2 times for the current ID.');
    await assert.rejects(
      lab.orchestrate.jobs.start(lab.scope({ parentPath: nested.run.path }), { path: '/run', sent: { config: third } }),
      { kind: 'bad_request', message: /only 2 times/ },
    );
  });

  it('is refused when it would start itself, at any depth', async () => {
    const inner = await lab.define([echo]);
    const outer = await lab.define([start(inner)]);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), inner, [start(outer)]);
    const job = await lab.ended((await lab.start(outer)).run.number);
    assert.equal(job.status, 'error');
    const nested = job.results![0]!.reached!.response!.job!;
    assert.equal(messageOf(nested), `Orchestration ${outer} would wait for itself: ${outer} -> ${inner} -> ${outer}`);
  });

  it('is refused when two chains would wait for one another, and the older goes on', async () => {
    const a = await lab.define([hold('a'), echo]);
    const b = await lab.define([hold('b'), echo]);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), a, [hold('a'), start(b)]);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), b, [hold('b'), start(a)]);
    const first = await lab.start(a);
    const second = await lab.start(b);
    await Promise.all([lab.holds.begun('a'), lab.holds.begun('b')]);
    // A's job waits behind B's in the lane of B.
    lab.holds.release('a');
    const project = lab.scope().project;
    await lab.until(async () => {
      const live = await lab.orchestrate.jobs.get(project, first.run.number);
      return live.results![1]!.reached?.response?.job !== undefined;
    });
    lab.holds.release('b');
    const refused = await lab.ended(second.run.number);
    assert.deepEqual(endsOf(refused), ['success', 'error']);
    assert.match(messageOf(refused, 1), /would wait for ever/);
    // The nested job of B runs then, and may not start A again: it is in its own chain.
    const older = await lab.ended(first.run.number);
    const nested = older.results![1]!.reached!.response!.job!;
    assert.match(messageOf(nested, 1), /would wait for itself/);
  });

  it('may be one of another server, which names the run that called it: then it ends with that', async () => {
    const outer = await lab.start(await lab.define([hold('calls back')]));
    await lab.holds.begun('calls back');
    const inner = await lab.define([hold('called back')]);
    const scope = lab.scope({ parentPath: outer.run.path });
    const job = await lab.orchestrate.jobs.start(scope, { path: '/run', sent: { config: inner } });
    assert.equal(job.run.parentRunId, outer.run.id);
    assert.equal(job.run.path, `${outer.run.number}.${job.run.number}`);
    await lab.holds.begun('called back');
    await assert.rejects(lab.orchestrate.jobs.start(scope, { path: '/run', sent: { config: outer.orchestrationId } }), {
      kind: 'conflict',
      message: /would wait for itself/,
    });
    await lab.orchestrate.componentRuns.kill(lab.scope(), outer.run.number);
    assert.equal((await lab.ended(job.run.number)).status, 'terminated');
    assert.equal((await lab.ended(outer.run.number)).status, 'terminated');
  });

  it('names what does not exist', async () => {
    const job = await lab.run([start(999_999)]);
    assert.equal(messageOf(job), 'Orchestration 999999 not found');
    const strange = await lab.run([{ component: 'ex-facebook' }]);
    assert.equal(messageOf(strange), "Component 'ex-facebook' is not registered");
  });
});
