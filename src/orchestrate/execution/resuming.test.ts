import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { OpenAccess } from '../../access/index.ts';
import { Failure } from '../../errors.ts';
import { createLab, type Lab } from '../lab.test-support.ts';

let lab: Lab;

/** How long a minute is here: a task begins within it on a loaded machine, too. */
const MINUTE_MS = 1500;

/** How many further reads of tokens find no connection to our own database. */
const unanswered = { get: 0, describe: 0 };

before(async () => {
  const tokens = new Proxy({} as OpenAccess['tokens'], {
    get: (_target, name: keyof OpenAccess['tokens']) => {
      if ((name === 'get' || name === 'describe') && unanswered[name]-- > 0) {
        return () => Promise.reject(new Error('timeout exceeded when trying to connect'));
      }
      return lab.access.tokens[name];
    },
  });
  lab = await createLab({ rooms: { tokens, minuteMs: MINUTE_MS } });
});

after(async () => {
  await lab?.close();
});

describe('a task whose worker stops', () => {
  it('goes on with the run that it has started', async () => {
    const id = await lab.define([{ component: 'lab.hold', actionParameters: { name: 'kept' } }]);
    const { run } = await lab.start(id);
    await lab.holds.begun('kept');
    const first = await lab.engine.children(run.id);
    await lab.restart();
    await lab.until(() => lab.holds.isRunning('kept'));
    lab.holds.release('kept', { isDone: true });
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'success');
    const children = await lab.engine.children(run.id);
    assert.deepEqual(
      children.map((child) => child.id),
      first.map((child) => child.id),
    );
    assert.deepEqual(job.results![0]!.reached!.response!.run!.result, { isDone: true });
  });

  it('goes on with the job that it has started', async () => {
    const inner = await lab.define([{ component: 'lab.hold', actionParameters: { name: 'nested' } }]);
    const outer = await lab.define([{ component: 'orchestrator', actionParameters: { config: inner } }]);
    const { run } = await lab.start(outer);
    await lab.holds.begun('nested');
    await lab.restart();
    await lab.until(() => lab.holds.isRunning('nested'));
    lab.holds.release('nested');
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'success');
    assert.equal((await lab.engine.children(run.id)).length, 1);
    const listed = await lab.orchestrate.jobs.list(lab.scope().project, inner, { limit: 10, offset: 0 });
    assert.equal(listed.total, 1);
  });

  it('is no failure of the job when all connections to our own database are taken for too long', async () => {
    const id = await lab.define([{ component: 'lab.echo', actionParameters: {} }]);
    await lab.pause();
    const { run } = await lab.start(id);
    Object.assign(unanswered, { get: 1, describe: 1 });
    await lab.restart();
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'success', JSON.stringify(job));
    const { rows } = await lab.store.pool.query<{ outcome: string }>(
      `select outcome from attempt join task on task.id = attempt.task_id where task.run_id = $1 order by attempt.fence`,
      [run.id],
    );
    assert.deepEqual(
      rows.map(({ outcome }) => outcome),
      ['worker_lost', 'succeeded', 'worker_lost', 'succeeded'],
    );
  });

  it('counts the time limit from its first start', async () => {
    const hold = { component: 'lab.hold', actionParameters: { name: 'limited' }, timeoutMinutes: 1 };
    const { run } = await lab.start(await lab.define([hold]));
    await lab.holds.begun('limited');
    await lab.restart();
    const job = await lab.ended(run.number);
    const [task] = job.results!;
    assert.equal(task!.reached!.status, 'error');
    const took = task!.reached!.endTime!.getTime() - task!.reached!.startTime.getTime();
    assert.ok(took >= MINUTE_MS, `${took} ms`);
  });
});

describe('a task that calls a component elsewhere', () => {
  const url = 'https://hooks.tern.example/refresh';
  const task = { componentUrl: url, actionParameters: { '#key': 'in clear', a: 1 } };

  it('sends the parameters in clear with a run token, and keeps the last body, masked', async () => {
    let sent: unknown;
    lab.elsewhere = async ({ body, headers, remember, answered }) => {
      await remember({ address: 'x' });
      answered?.({ id: 5, status: 'processing' });
      const token = await lab.access.tokens.identify(headers['x-storageapi-token'] ?? '');
      sent = body;
      const seen = { body, path: headers['x-kbc-runid'], key: headers['x-idempotency-key'], tokenId: token?.id };
      return { status: 'success', response: { seen } };
    };
    const id = await lab.define([task]);
    const { tokenId } = await lab.orchestrate.definitions.get(lab.scope().project, id);
    const job = await lab.ended((await lab.start(id)).run.number);
    assert.equal(job.status, 'success');
    assert.deepEqual(sent, { '#key': 'in clear', a: 1 });
    assert.deepEqual(job.results![0]!.reached!.response!.body, {
      seen: {
        body: { '#key': '********', a: 1 },
        path: String(job.run.number),
        key: `${job.run.number}-0`,
        tokenId,
      },
    });
  });

  it('goes on from what it remembered', async () => {
    const memos: unknown[] = [];
    lab.elsewhere = async ({ memo, remember, signal }) => {
      memos.push(memo);
      if (memo !== null) return { status: 'success', response: {} };
      await remember({ poll: 7 });
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    };
    const { run } = await lab.start(await lab.define([task]));
    await lab.until(async () => (await lab.engine.tasks(run.id)).some((one) => one.memo !== null));
    await lab.restart();
    assert.equal((await lab.ended(run.number)).status, 'success');
    assert.deepEqual(memos, [null, { poll: 7 }]);
  });

  it('fails when nobody knows whether its request was done, and the job goes on by its rules', async () => {
    lab.elsewhere = async () => {
      throw new Failure('worker_lost', 'Interrupted by a server restart');
    };
    const job = await lab.run([{ ...task, continueOnFailure: true }, { component: 'lab.echo' }]);
    assert.equal(job.status, 'warning');
    assert.deepEqual(job.results![0]!.reached!.response!.body, {
      status: 'error',
      message: 'Interrupted by a server restart',
    });
  });

  it('shows the last answer when its time is over', async () => {
    lab.elsewhere = ({ signal, answered }) => {
      answered?.({ status: 'processing', id: 3 });
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    };
    const job = await lab.run([{ ...task, timeoutMinutes: 1 }]);
    assert.deepEqual(job.results![0]!.reached!.response!.body, {
      status: 'error',
      message: 'Task timeout after 1 minute(s)',
      lastResponse: { status: 'processing', id: 3 },
    });
  });

  it('is shown with its end, but without an answer that is too large beside the others', async () => {
    const body = { text: 'x'.repeat(1_000_000) };
    lab.elsewhere = async () => ({ status: 'warning', response: body });
    const many = Array.from({ length: 12 }, () => ({ ...task, phase: 'p', continueOnFailure: true }));
    const job = await lab.run(many);
    assert.equal(job.status, 'warning');
    const told = job.results!.map(({ reached }) => (reached!.response!.body as { message?: string }).message);
    assert.equal(told.filter((message) => message?.includes('too large')).length, 8);
    assert.ok(job.results!.every(({ reached }) => reached!.status === 'warning'));
    const [alone] = (await lab.run([task])).results!;
    assert.deepEqual(alone!.reached!.response!.body, body);
  });

  it('ends with the run token an hour after the job', async () => {
    let text = '';
    lab.elsewhere = async ({ headers }) => {
      text = headers['x-storageapi-token'] ?? '';
      return { status: 'warning', response: { message: 'half of it' } };
    };
    const job = await lab.run([task]);
    assert.equal(job.status, 'error');
    assert.equal(job.run.error!.message, 'half of it');
    const token = await lab.access.tokens.identify(text);
    const left = token!.expires!.getTime() - job.run.endedAt!.getTime();
    assert.ok(Math.abs(left - 3_600_000) < 60_000, `${left} ms`);
  });
});
