import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JobEvent, JobView } from '../index.ts';
import { createLab, type Lab } from '../lab.test-support.ts';

let lab: Lab;

before(async () => {
  lab = await createLab();
});

after(async () => {
  await lab?.close();
});

const echo = (more: object = {}) => ({ component: 'lab.echo', ...more });
const fail = (more: object = {}) => ({ component: 'lab.fail', actionParameters: { message: 'no' }, ...more });
const hold = (name: string, more: object = {}) => ({ component: 'lab.hold', actionParameters: { name }, ...more });
const project = () => lab.scope().project;
const jobs = () => lab.orchestrate.jobs;

function endsOf(job: JobView): readonly (string | null)[] {
  return job.results!.map(({ reached }) => reached?.status ?? null);
}

describe('jobs of one orchestration', () => {
  it('run one after another, by their numbers', async () => {
    const id = await lab.define([hold('in turn')]);
    const started = [await lab.start(id), await lab.start(id), await lab.start(id)];
    await lab.holds.begun('in turn');
    const { jobs: listed, total } = await jobs().list(project(), id, { limit: 2, offset: 0 });
    assert.equal(total, 3);
    assert.deepEqual(
      listed.map((job) => job.run.number),
      [started[2]!.run.number, started[1]!.run.number],
    );
    assert.deepEqual(
      listed.map((job) => job.status),
      ['waiting', 'waiting'],
    );
    lab.holds.release('in turn');
    const ended = [];
    for (const { run } of started) ended.push(await lab.ended(run.number));
    assert.ok(ended[0]!.run.endedAt! <= ended[1]!.run.startedAt!);
    assert.ok(ended[1]!.run.endedAt! <= ended[2]!.run.startedAt!);
  });

  it('keep the tasks that they were made with', async () => {
    const id = await lab.define([hold('kept'), echo({ actionParameters: { a: 1 } })]);
    const { run } = await lab.start(id);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), id, [fail()]);
    lab.holds.release('kept');
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'success');
    assert.deepEqual(job.tasks[1]!.actionParameters, { a: 1 });
    assert.equal((await lab.orchestrate.definitions.get(project(), id)).tasks.length, 1);
  });

  it('are not made without tasks, nor with a bad address, nor with an override that differs', async () => {
    const empty = await lab.define([]);
    await assert.rejects(lab.start(empty), { kind: 'bad_request', message: 'Orchestration has no tasks' });
    const id = await lab.define([echo({ actionParameters: { '#key': 'hidden' } })]);
    await assert.rejects(lab.start(id, { notificationsEmails: ['a@b.example', 'x'] }), { kind: 'bad_request' });
    const other = [{ component: 'lab.echo', actionParameters: { '#key': 'other' } }];
    await assert.rejects(lab.start(id, { tasks: other }), { kind: 'unprocessable' });
    assert.equal((await jobs().list(project(), id, { limit: 1, offset: 0 })).total, 0);
    const same = [{ component: 'lab.echo', actionParameters: { '#key': '********' }, active: false, phase: 'x' }];
    const job = await lab.ended((await lab.start(id, { tasks: same })).run.number);
    assert.deepEqual(endsOf(job), [null]);
    assert.equal(job.tasks[0]!.phase, null);
  });

  it('are made once for an idempotency key', async () => {
    const id = await lab.define([echo()]);
    const scope = lab.scope({ idempotencyKey: 'k1' });
    const start = (sent: object) => jobs().start(scope, { path: '/run', sent: { config: id, ...sent } });
    const [first, second] = await Promise.all([start({}), start({})]);
    assert.equal(first.run.number, second.run.number);
    await lab.ended(first.run.number);
    const later = await start({});
    assert.equal(later.run.number, first.run.number);
    assert.equal(later.status, 'waiting');
    await assert.rejects(start({ notificationsEmails: [] }), { kind: 'conflict' });
  });
});

describe('a trigger', () => {
  it('starts an active orchestration and no other', async () => {
    const id = await lab.define([echo()]);
    const job = await jobs().trigger(lab.scope(), { orchestrationId: id, path: '/t' });
    assert.equal(job.initializedBy, 'trigger');
    assert.deepEqual(job.emails, []);
    await lab.orchestrate.definitions.update(lab.scope(), id, { sent: { active: false } });
    await assert.rejects(jobs().trigger(lab.scope(), { orchestrationId: id, path: '/t' }), { kind: 'conflict' });
    assert.equal((await lab.ended((await lab.start(id)).run.number)).status, 'success');
  });
});

describe('a retry', () => {
  it('runs what failed, what was not reached and what comes behind, with the tasks of the old job', async () => {
    const id = await lab.define([echo(), fail({ continueOnFailure: true }), echo(), echo({ active: false })]);
    const old = await lab.ended((await lab.start(id)).run.number);
    assert.equal(old.status, 'warning');
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), id, [echo()]);
    const ask = { number: old.run.number, path: `/jobs/${old.run.number}/retry`, sent: {} };
    const retry = await jobs().retry(lab.scope(), ask);
    assert.equal(retry.retryOf, old.run.number);
    assert.equal(retry.initializedBy, 'manually');
    assert.deepEqual(
      retry.tasks.map((task) => task.active),
      [false, true, true, false],
    );
    assert.deepEqual(endsOf(await lab.ended(retry.run.number)), [null, 'error', 'success', null]);
    const none = old.tasks.map(({ component, actionParameters }) => ({ component, actionParameters, active: false }));
    await assert.rejects(jobs().retry(lab.scope(), { ...ask, sent: { tasks: none } }), { kind: 'bad_request' });
  });

  it('waits for the end of the job, and needs the orchestration', async () => {
    const id = await lab.define([hold('retried')]);
    const { run } = await lab.start(id);
    const ask = { number: run.number, path: '/r', sent: {} };
    await assert.rejects(jobs().retry(lab.scope(), ask), { kind: 'conflict' });
    lab.holds.release('retried');
    await lab.ended(run.number);
    await lab.orchestrate.definitions.remove(lab.scope(), id);
    await assert.rejects(jobs().retry(lab.scope(), ask), { kind: 'not_found' });
    assert.equal((await jobs().get(project(), run.number)).status, 'success');
  });
});

describe('the results of a job', () => {
  it('stay small, however much its components answer: the largest are left out, and are not read', async () => {
    const body = { text: 'x'.repeat(900_000) };
    lab.elsewhere = async () => ({ status: 'warning', response: body });
    const call = { componentUrl: 'https://tern.example/', phase: 'p', continueOnFailure: true };
    const few = await lab.run([call]);
    assert.deepEqual(few.results![0]!.reached!.response!.body, body);
    const small = { componentUrl: 'https://tern.example/small', phase: 'p', continueOnFailure: true };
    lab.elsewhere = async ({ url }) => ({
      status: 'warning',
      response: url.endsWith('small') ? { small: true } : body,
    });
    const many = await lab.run([...Array.from({ length: 40 }, () => call), small]);
    const shown = many.results!.map(({ reached }) => JSON.stringify(reached!.response!.body));
    assert.equal(shown.pop(), '{"small":true}');
    const alone = await jobs().getTask(project(), { number: many.run.number, position: 39 });
    assert.deepEqual(alone.reached!.response!.body, body);
    assert.ok(JSON.stringify(many.results).length < 10_000_000);
    assert.ok(many.results!.every(({ reached }) => reached!.status === 'warning'));
    assert.equal(shown.filter((text) => /too large to be shown/.test(text)).length, 36);
  });
});

describe('the events of a job', () => {
  it('tell of every task, however many there are', async () => {
    const many = await lab.run(Array.from({ length: 40 }, () => echo({ phase: 'p' })));
    const events = await jobs().events(project(), { number: many.run.number, after: null, limit: 1000 });
    assert.ok(events.some((event) => event.taskIndex === 39));
  });

  it('are those of the job and its children in order of time, and can be read on from any of them', async () => {
    const inner = await lab.define([echo({ actionParameters: { '#key': 'very hidden' } })]);
    const nested = { component: 'orchestrator', actionParameters: { config: inner } };
    const job = await lab.run([echo({ phase: 'p' }), fail({ phase: 'p', continueOnFailure: true }), nested]);
    const number = job.run.number;
    const all = await jobs().events(project(), { number, after: null, limit: 1000 });
    const told = all.map((event) => event.message);
    assert.equal(all[0]!.message, `Job ${number} has begun`);
    assert.ok(all.every((event, at) => at === 0 || all[at - 1]!.created <= event.created));
    const inNested = all.find((event) => event.message.startsWith('echoes {"#key"'))!;
    assert.equal(inNested.message, 'echoes {"#key":"********"}');
    assert.equal(inNested.taskIndex, 2);
    assert.match(inNested.runId, new RegExp(`^${number}\\.\\d+\\.\\d+$`));
    const failed = all.find((event) => event.message.startsWith('Task 2 (lab.fail) ended'))!;
    assert.deepEqual([failed.type, failed.taskIndex], ['warn', 1]);
    assert.ok(all.some((event) => event.type === 'success' && event.message.includes('ended with success')));
    const paged: JobEvent[] = [];
    for (let last: string | null = null; ; last = paged.at(-1)!.id) {
      const page = await jobs().events(project(), { number, after: last, limit: 3 });
      if (page.length === 0) break;
      paged.push(...page);
    }
    assert.deepEqual(
      paged.map((event) => event.message),
      told,
    );
  });

  it('come as they are told, until the job has ended', async () => {
    const id = await lab.define([hold('streamed')]);
    const { run } = await lab.start(id);
    const signal = new AbortController().signal;
    const seen: string[] = [];
    for await (const page of jobs().followEvents(project(), { number: run.number, after: null, signal })) {
      seen.push(...page.map((event) => event.message));
      if (seen.some((message) => message.includes('is started'))) lab.holds.release('streamed');
    }
    assert.match(seen.at(-1)!, /^Task 1 \(lab.hold\) ended with success/);
    assert.equal(new Set(seen).size, seen.length);
  });
});
