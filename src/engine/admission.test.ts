import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { createWorld } from '../world.ts';
import { createEngine, installQueue } from './index.ts';
import type { Attempt, AttemptResult, OpenEngine, RunPlan, RunView, TaskPlan, Worker } from './index.ts';

const PATIENCE_MS = 60_000;
const world = createWorld();
const done: AttemptResult = { outcome: 'succeeded' };

type Script = (attempt: Attempt) => Promise<AttemptResult>;

let test: TestStore;
let engine: OpenEngine;
let worker: Worker | undefined;
const scripts = new Map<string, Script>();
let lastId = 0;

const execute = (attempt: Attempt): Promise<AttemptResult> => scripts.get(attempt.task.input as string)!(attempt);

before(async () => {
  test = await createTestStore({ prepare: installQueue });
  engine = await createEngine({
    store: test.store,
    world,
    components: [
      { name: 'scripted', execute },
      { name: 'patient', waits: true, execute },
    ],
    observers: [],
    deliverers: {},
    settings: { slots: 8, leaseSeconds: 10 },
  });
  worker = await engine.startWorker();
});

after(async () => {
  await worker?.stop(1000);
  await engine?.close();
  await test?.close();
});

function task(key: string, script: Script = async () => done, more: Partial<TaskPlan> = {}): TaskPlan {
  const input = `script ${++lastId}`;
  scripts.set(input, script);
  return { key, component: more.waits ? 'patient' : 'scripted', input, ...more };
}

function plan(tasks: readonly TaskPlan[], more: Partial<RunPlan> = {}): RunPlan {
  return { kind: 'test', project: 'p', trigger: 'api', phases: [tasks], ...more };
}

interface Gate {
  readonly script: Script;
  readonly entered: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let open!: () => void;
  let enter!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const entered = new Promise<void>((resolve) => (enter = resolve));
  return { open, entered, script: async () => (enter(), await opened, done) };
}

async function ended(runId: string): Promise<RunView> {
  const run = await engine.settled(runId, PATIENCE_MS);
  assert.ok(run?.endedAt, `run ${runId} did not end`);
  return run;
}

async function stateOf(runId: string): Promise<string | undefined> {
  return (await engine.get(runId))?.state;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'the condition was not met in time');
    await delay(10);
  }
}

describe('a lane', () => {
  it('executes its runs one after another, by their numbers, beside other lanes', async () => {
    const order: string[] = [];
    let now = 0;
    const note = (name: string): TaskPlan =>
      task('a', async () => {
        order.push(name);
        now += 1;
        await delay(5);
        assert.equal(now, 1);
        now -= 1;
        return done;
      });
    const first = gate();
    const runs = [await engine.start(plan([task('a', first.script)], { lane: 'orders' }))];
    for (const name of ['b', 'c', 'd']) runs.push(await engine.start(plan([note(name)], { lane: 'orders' })));
    await first.entered;
    const other = await engine.start(plan([task('a')], { lane: 'other orders' }));
    assert.equal((await ended(other.runId)).state, 'succeeded');
    assert.deepEqual(await Promise.all(runs.map(({ runId }) => stateOf(runId))), [
      'running',
      'planned',
      'planned',
      'planned',
    ]);
    assert.deepEqual(
      (await engine.tasks(runs[1]!.runId)).map(({ state }) => state),
      ['planned'],
    );
    first.open();
    for (const { runId } of runs) assert.equal((await ended(runId)).state, 'succeeded');
    assert.deepEqual(order, ['b', 'c', 'd']);
    const views = await Promise.all(runs.map(({ runId }) => engine.get(runId)));
    for (const [index, view] of views.slice(1).entries()) assert.ok(view!.startedAt! >= views[index]!.endedAt!);
  });

  it('goes on when a run in it fails or is cancelled, waiting or not', async () => {
    const first = gate();
    const holder = await engine.start(plan([task('a', first.script)], { lane: 'l' }));
    const waiting = await engine.start(plan([task('a')], { lane: 'l' }));
    const last = await engine.start(plan([task('a')], { lane: 'l' }));
    await first.entered;
    assert.equal(await engine.cancel(waiting.runId, 'me'), true);
    const cancelled = await ended(waiting.runId);
    assert.deepEqual([cancelled.state, cancelled.startedAt], ['cancelled', null]);
    assert.equal(await stateOf(last.runId), 'planned');
    assert.equal(await engine.cancel(holder.runId, 'me'), true);
    first.open();
    await ended(holder.runId);
    assert.equal((await ended(last.runId)).state, 'succeeded');
  });

  it('is never held by two living runs, whatever the engine does', async () => {
    const first = gate();
    const one = await engine.start(plan([task('a', first.script)], { lane: 'unique' }));
    const two = await engine.start(plan([task('a')], { lane: 'unique' }));
    await first.entered;
    const steal = test.store.pool.query('update run set has_lane = true where id = $1', [two.runId]);
    await assert.rejects(steal, { code: '23505' });
    first.open();
    await ended(one.runId);
    await ended(two.runId);
  });

  it('lets a run that is not due yet stand aside', async () => {
    const startAfter = new Date(Date.now() + 700);
    const later = await engine.start(plan([task('a')], { lane: 'due', startAfter }));
    const now = await engine.start(plan([task('a')], { lane: 'due' }));
    await ended(now.runId);
    assert.equal(await stateOf(later.runId), 'planned');
    const run = await ended(later.runId);
    assert.equal(run.state, 'succeeded');
    assert.ok(run.startedAt! >= startAfter);
  });

  it('ends a run with nothing to execute at once', async () => {
    const { runId } = await engine.start(plan([task('a', undefined, { skip: true })], { lane: 'nothing' }));
    assert.equal(await stateOf(runId), 'succeeded');
  });

  it('takes a run that was accepted in a transaction of the caller', async () => {
    const accepted = await test.store.transaction((tx) => engine.start(plan([task('a')], { lane: 'own tx' }), tx));
    assert.equal((await ended(accepted.runId)).state, 'succeeded');
  });
});

describe('a pool', () => {
  it('admits no more runs than its limit, by their numbers', async () => {
    let now = 0;
    let most = 0;
    const begun: number[] = [];
    const work = task('a', async (attempt) => {
      most = Math.max(most, ++now);
      begun.push(attempt.run.number);
      await delay(10);
      now -= 1;
      return done;
    });
    const pool = { name: 'two at once', limit: 2 };
    const runs = [];
    for (let i = 0; i < 10; i++) runs.push(await engine.start(plan([work], { pool })));
    for (const { runId } of runs) assert.equal((await ended(runId)).state, 'succeeded');
    assert.equal(most, 2);
    // Two that are admitted together may begin in either order.
    for (const [place, number] of begun.entries()) {
      assert.ok(Math.abs(runs.findIndex((run) => run.number === number) - place) <= 2, String(begun));
    }
  });

  it('lets every parent have one run in it, whatever its limit', async () => {
    const pool = { name: 'crowded', limit: 1 };
    const holder = gate();
    const one = await engine.start(plan([task('a', holder.script)], { pool }));
    await holder.entered;
    const stranger = await engine.start(plan([task('a')], { pool }));
    const inner = gate();
    const children: string[] = [];
    const parent = await engine.start(
      plan([
        task(
          'parent',
          async (attempt) => {
            const script = task('a', inner.script);
            for (const definition of ['one', 'two']) {
              children.push(
                (await attempt.startChild({ kind: 'test', project: 'p', definition, phases: [[script]], pool })).runId,
              );
            }
            for (const child of children) await attempt.childEnded(child, attempt.signal);
            return done;
          },
          { waits: true },
        ),
      ]),
    );
    await inner.entered;
    assert.deepEqual(await Promise.all([...children, stranger.runId].map(stateOf)), ['running', 'planned', 'planned']);
    inner.open();
    assert.equal((await ended(parent.runId)).state, 'succeeded');
    assert.equal(await stateOf(stranger.runId), 'planned');
    holder.open();
    await ended(stranger.runId);
    await ended(one.runId);
  });

  it('and a lane hold together: who waits for its lane takes no place in the pool', async () => {
    const pool = { name: 'both', limit: 2 };
    const holder = gate();
    const one = await engine.start(plan([task('a', holder.script)], { pool, lane: 'both' }));
    const behind = await engine.start(plan([task('a')], { pool, lane: 'both' }));
    await holder.entered;
    const free = await engine.start(plan([task('a')], { pool }));
    assert.equal((await ended(free.runId)).state, 'succeeded');
    assert.equal(await stateOf(behind.runId), 'planned');
    holder.open();
    for (const { runId } of [one, behind]) assert.equal((await ended(runId)).state, 'succeeded');
  });
});

describe('admission', () => {
  it('finds by itself what no signal told of', async () => {
    const { rows } = await test.store.pool.query<{ id: string }>(
      `with made as (
        insert into run (id, path, project, kind, state, trigger, created_by, lane, phase)
        values ('r_QUIET', '1', 'p', 'test', 'planned', 'api', 'me', 'a lane nobody named', 0) returning id
      )
      insert into task (id, run_id, phase, position, key, component, state, input, retry)
      select 't_QUIET', id, 0, 0, 'a', 'scripted', 'planned', $1::json, '{}' from made returning run_id as id`,
      [JSON.stringify(task('a').input)],
    );
    assert.equal((await ended(rows[0]!.id)).state, 'succeeded');
  });

  it('is not slowed by a lane with thousands that wait', async () => {
    const holder = gate();
    const { runId } = await engine.start(plan([task('a', holder.script)], { lane: 'long' }));
    await holder.entered;
    await test.store.pool.query(
      `insert into run (id, path, project, kind, state, trigger, created_by, lane, pool, pool_limit)
      select 'r_LONG' || i, i::text, 'p', 'test', 'planned', 'api', 'me', 'long', 'long', 1
      from generate_series(1, 20000) i`,
    );
    const began = performance.now();
    for (let i = 0; i < 20; i++) {
      const other = await engine.start(plan([task('a')], { lane: `short ${i % 3}`, pool: { name: 'long', limit: 1 } }));
      await ended(other.runId);
    }
    const perRun = (performance.now() - began) / 20;
    await test.store.pool.query(`delete from run where id like 'r_LONG%'`);
    holder.open();
    await ended(runId);
    assert.ok(perRun < 500, `${perRun} ms for each run`);
  });

  it('is only done for plans that say which lane or pool', async () => {
    for (const bad of [
      { lane: '' },
      { lane: 'x'.repeat(301) },
      { lane: 'nul\0' },
      { pool: { name: '', limit: 1 } },
      { pool: { name: 'p', limit: 0 } },
      { parentPath: '1.' },
      { parentPath: '1'.repeat(256) },
      { labels: { '': 'x' } },
      { labels: { x: 'y'.repeat(301) } },
      { labels: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`l${i}`, 'v'])) },
    ]) {
      await assert.rejects(engine.start(plan([task('a')], bad)), { kind: 'bad_request' }, JSON.stringify(bad));
    }
  });
});
void until;
