import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { Failure } from '../errors.ts';
import { createWorld } from '../world.ts';
import { createEngine, installQueue } from './index.ts';
import type { Attempt, AttemptResult, OpenEngine, RunView, TaskPlan, Worker } from './index.ts';

const PATIENCE_MS = 60_000;
const world = createWorld();

type Script = (attempt: Attempt) => Promise<AttemptResult>;

let test: TestStore;
let engine: OpenEngine;
let worker: Worker;
const scripts = new Map<string, Script>();
let lastId = 0;

const done: AttemptResult = { outcome: 'succeeded' };

function task(key: string, script: Script = async () => done, more: Partial<TaskPlan> = {}): TaskPlan {
  const input = `script ${++lastId}`;
  scripts.set(input, script);
  return { key, component: 'scripted', input, ...more };
}

async function start(...phases: TaskPlan[][]): Promise<string> {
  return (await engine.start({ kind: 'test', project: 'p', trigger: 'api', phases })).runId;
}

async function ended(runId: string): Promise<RunView> {
  const run = await engine.settled(runId, PATIENCE_MS);
  assert.ok(run?.endedAt, `run ${runId} did not end`);
  return run;
}

async function statesOf(runId: string): Promise<Record<string, string>> {
  return Object.fromEntries((await engine.tasks(runId)).map((one) => [one.key, one.state]));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'the condition was not met in time');
    await delay(10);
  }
}

async function openTasksOf(runId: string): Promise<number> {
  const { rows } = await test.store.pool.query('select open_tasks from run where id = $1', [runId]);
  return (rows[0] as { open_tasks: number }).open_tasks;
}

before(async () => {
  test = await createTestStore({ prepare: installQueue });
  engine = await createEngine({
    store: test.store,
    world,
    components: [{ name: 'scripted', execute: (attempt) => scripts.get(attempt.task.input as string)!(attempt) }],
    observers: [],
    deliverers: {},
    // Two slots: what a task adds beyond one more stays queued while it runs.
    settings: { slots: 2, leaseSeconds: 10 },
  });
  worker = await engine.startWorker();
});

after(async () => {
  await worker?.stop(1000);
  await engine?.close();
  await test?.close();
});

describe('a task that adds tasks to its phase', () => {
  it('sees them run beside it, and the next phase waits for all of them', async () => {
    const order: string[] = [];
    let helped = false;
    const runId = await start(
      [
        task('main', async (attempt) => {
          const views = await attempt.addTasks([
            task('helper 1', async () => {
              order.push('helper');
              helped = true;
              return { outcome: 'succeeded', output: 'h' };
            }),
            task('helper 2', async () => (order.push('helper'), done)),
          ]);
          assert.deepEqual(
            views.map((view) => [view.key, view.phase, view.state]),
            [
              ['helper 1', 0, 'queued'],
              ['helper 2', 0, 'queued'],
            ],
          );
          await until(() => helped);
          return done;
        }),
      ],
      [task('last', async () => (order.push('last'), done))],
    );
    assert.equal((await ended(runId)).state, 'succeeded');
    assert.deepEqual(order, ['helper', 'helper', 'last']);
    assert.equal(await openTasksOf(runId), 0);
    const keys = (await engine.tasks(runId)).map((one) => one.key);
    assert.deepEqual(keys, ['main', 'helper 1', 'helper 2', 'last']);
  });

  it('adds a key once, whichever attempt asks, and is answered its present state', async () => {
    let executions = 0;
    const helper = task('helper', async () => (executions++, done));
    const runId = await start([
      task(
        'main',
        async (attempt) => {
          const [first] = await attempt.addTasks([helper]);
          await until(async () => (await attempt.addTasks([helper]))[0]!.state === 'succeeded');
          assert.equal((await attempt.addTasks([helper]))[0]!.id, first!.id);
          if (attempt.number === 1) throw new Failure('connection_lost', 'again');
          return done;
        },
        { retry: { limit: 1, firstDelayMs: 1 } },
      ),
    ]);
    assert.equal((await ended(runId)).state, 'succeeded');
    assert.equal(executions, 1);
  });

  it('is failed with the first cause when a task that it added fails for good', async () => {
    const runId = await start([
      task('main', async (attempt) => {
        const helper = task('helper', async () => {
          throw new Failure('object_missing', 'the helper found nothing');
        });
        await attempt.addTasks([helper]);
        await until(async () => (await attempt.addTasks([helper]))[0]!.state === 'failed');
        throw new Failure('cancelled', 'a helper failed');
      }),
    ]);
    const run = await ended(runId);
    assert.equal(run.state, 'failed');
    assert.equal(run.error?.message, 'the helper found nothing');
  });

  it('cannot once the run is to be cancelled, and what it added before is cancelled with it', async () => {
    let refused: unknown;
    const runId = await start([
      task('main', async (attempt) => {
        await attempt.addTasks([task('later', undefined, { priority: -1 })].concat([task('hold', untilAborted)]));
        await engine.cancel(attempt.run.id, 'test');
        refused = await attempt.addTasks([task('late')]).catch((error: unknown) => error);
        return untilAborted(attempt);
      }),
    ]);
    assert.equal((await ended(runId)).state, 'cancelled');
    assert.equal((refused as Failure).kind, 'cancelled');
    assert.equal((await statesOf(runId))['late'], undefined);
    assert.equal(await openTasksOf(runId), 0);
  });

  it('withdraws those that nobody has begun, and the run does not wait for them', async () => {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const runId = await start([
      task('main', async (attempt) => {
        const busy = task('busy', async () => (await released, done));
        const idle = [task('idle 1'), task('idle 2')];
        await attempt.addTasks([busy]);
        await until(async () => (await attempt.addTasks([busy]))[0]!.state === 'running');
        await attempt.addTasks(idle);
        const withdrawn = await attempt.withdrawTasks(['main', 'busy', 'idle 1', 'idle 2', 'unknown']);
        assert.deepEqual(withdrawn.toSorted(), ['idle 1', 'idle 2']);
        release();
        return done;
      }),
    ]);
    assert.equal((await ended(runId)).state, 'succeeded');
    assert.deepEqual(await statesOf(runId), {
      main: 'succeeded',
      busy: 'succeeded',
      'idle 1': 'skipped',
      'idle 2': 'skipped',
    });
    const { rows } = await test.store.pool.query(`select count(*)::int as jobs from pgboss.job`);
    assert.equal((rows[0] as { jobs: number }).jobs, 0);
  });

  it('lets the tasks of other runs go before helpers of a lower priority', async () => {
    const order: string[] = [];
    let other = '';
    const runId = await start([
      task('main', async (attempt) => {
        let release!: () => void;
        const released = new Promise<void>((resolve) => (release = resolve));
        const block = task('block', async () => (await released, done));
        await attempt.addTasks([block]);
        await until(async () => (await attempt.addTasks([block]))[0]!.state === 'running');
        await attempt.addTasks([task('helper', async () => (order.push('helper'), done), { priority: -1 })]);
        other = await start([task('other', async () => (order.push('other'), done))]);
        release();
        await until(() => order.length === 2);
        return done;
      }),
    ]);
    await ended(runId);
    await ended(other);
    assert.deepEqual(order, ['other', 'helper']);
  });

  it('is refused when it lost its task, and for plans that cannot be stored', async () => {
    const seen: unknown[] = [];
    const runId = await start([
      task('main', async (attempt) => {
        seen.push(await attempt.addTasks([task('same'), task('same')]).catch((error: Failure) => error.kind));
        seen.push(await attempt.addTasks([task('nul\0')]).catch((error: Failure) => error.kind));
        await test.store.pool.query(`update task set fence = nextval('attempt_fence') where id = $1`, [
          attempt.task.id,
        ]);
        seen.push(await attempt.addTasks([task('late')]).catch((error: Failure) => error.kind));
        seen.push(await attempt.withdrawTasks(['main']).catch((error: Failure) => error.kind));
        await test.store.pool.query('update task set fence = $2 where id = $1', [attempt.task.id, attempt.fence]);
        return done;
      }),
    ]);
    assert.equal((await ended(runId)).state, 'succeeded');
    assert.deepEqual(seen, ['bad_request', 'bad_request', 'lease_lost', 'lease_lost']);
    assert.deepEqual(await statesOf(runId), { main: 'succeeded' });
  });
});

function untilAborted(attempt: Attempt): Promise<never> {
  return new Promise((_, reject) => {
    attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason as Error));
  });
}
