import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { done, gate, openScriptedEngine, until } from '../../test/support/scripted-engine.ts';
import type { ScriptedEngine } from '../../test/support/scripted-engine.ts';
import type { TaskPlan } from './index.ts';

let scripted: ScriptedEngine;

before(async () => {
  scripted = await openScriptedEngine();
  await scripted.engine.startWorker();
});

after(async () => {
  await scripted?.close();
});

describe('a lane', () => {
  it('executes its runs one after another, by their numbers, beside other lanes', async () => {
    const order: string[] = [];
    let now = 0;
    const note = (name: string): TaskPlan =>
      scripted.task('a', async () => {
        order.push(name);
        now += 1;
        await delay(5);
        assert.equal(now, 1);
        now -= 1;
        return done;
      });
    const first = gate();
    const runs = [await scripted.engine.start(scripted.plan([scripted.task('a', first.script)], { lane: 'orders' }))];
    for (const name of ['b', 'c', 'd'])
      runs.push(await scripted.engine.start(scripted.plan([note(name)], { lane: 'orders' })));
    await first.entered;
    const other = await scripted.engine.start(scripted.plan([scripted.task('a')], { lane: 'other orders' }));
    assert.equal((await scripted.ended(other.runId)).state, 'succeeded');
    assert.deepEqual(await Promise.all(runs.map(({ runId }) => scripted.stateOf(runId))), [
      'running',
      'planned',
      'planned',
      'planned',
    ]);
    assert.deepEqual(
      (await scripted.engine.tasks(runs[1]!.runId)).map(({ state }) => state),
      ['planned'],
    );
    first.open();
    for (const { runId } of runs) assert.equal((await scripted.ended(runId)).state, 'succeeded');
    assert.deepEqual(order, ['b', 'c', 'd']);
    const views = await Promise.all(runs.map(({ runId }) => scripted.engine.get(runId)));
    for (const [index, view] of views.slice(1).entries()) assert.ok(view!.startedAt! >= views[index]!.endedAt!);
  });

  it('goes on when a run in it fails or is cancelled, waiting or not', async () => {
    const first = gate();
    const holder = await scripted.engine.start(scripted.plan([scripted.task('a', first.script)], { lane: 'l' }));
    const waiting = await scripted.engine.start(scripted.plan([scripted.task('a')], { lane: 'l' }));
    const last = await scripted.engine.start(scripted.plan([scripted.task('a')], { lane: 'l' }));
    await first.entered;
    assert.equal(await scripted.engine.cancel(waiting.runId, 'me'), true);
    const cancelled = await scripted.ended(waiting.runId);
    assert.deepEqual([cancelled.state, cancelled.startedAt], ['cancelled', null]);
    assert.equal(await scripted.stateOf(last.runId), 'planned');
    assert.equal(await scripted.engine.cancel(holder.runId, 'me'), true);
    first.open();
    await scripted.ended(holder.runId);
    assert.equal((await scripted.ended(last.runId)).state, 'succeeded');
  });

  it('is never held by two living runs, whatever the engine does', async () => {
    const first = gate();
    const one = await scripted.engine.start(scripted.plan([scripted.task('a', first.script)], { lane: 'unique' }));
    const two = await scripted.engine.start(scripted.plan([scripted.task('a')], { lane: 'unique' }));
    await first.entered;
    const steal = scripted.test.store.pool.query(`update admission_line set stage = 'pool' where run_id = $1`, [
      two.runId,
    ]);
    await assert.rejects(steal, { code: '23505' });
    first.open();
    await scripted.ended(one.runId);
    await scripted.ended(two.runId);
  });

  it('lets a run that is not due yet stand aside', async () => {
    const due = (inMs: number) => ({ lane: 'due', startAfter: new Date(Date.now() + inMs) });
    const later = await scripted.engine.start(scripted.plan([scripted.task('a')], due(3_600_000)));
    const now = await scripted.engine.start(scripted.plan([scripted.task('a')], { lane: 'due' }));
    assert.equal((await scripted.ended(now.runId)).state, 'succeeded');
    assert.equal(await scripted.stateOf(later.runId), 'planned');
    const inTime = due(500);
    const soon = await scripted.ended((await scripted.engine.start(scripted.plan([scripted.task('a')], inTime))).runId);
    assert.equal(soon.state, 'succeeded');
    assert.ok(soon.startedAt! >= inTime.startAfter);
    await scripted.engine.cancel(later.runId, 'me');
  });

  it('ends a run with nothing to execute at once', async () => {
    const { runId } = await scripted.engine.start(
      scripted.plan([scripted.task('a', undefined, { skip: true })], { lane: 'nothing' }),
    );
    assert.equal(await scripted.stateOf(runId), 'succeeded');
  });

  it('takes a run that was accepted in a transaction of the caller', async () => {
    const accepted = await scripted.test.store.transaction((tx) =>
      scripted.engine.start(scripted.plan([scripted.task('a')], { lane: 'own tx' }), tx),
    );
    assert.equal((await scripted.ended(accepted.runId)).state, 'succeeded');
  });
});

describe('a pool', () => {
  it('admits no more runs than its limit, by their numbers', async () => {
    let now = 0;
    let most = 0;
    const begun: number[] = [];
    const [twoAreIn, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const work = scripted.task('a', async (attempt) => {
      most = Math.max(most, ++now);
      begun.push(attempt.run.number);
      if (begun.length === 2) twoAreIn.resolve();
      await goOn.promise;
      await delay(10);
      now -= 1;
      return done;
    });
    const pool = { name: 'two at once', limit: 2 };
    const runs = [];
    for (let i = 0; i < 10; i++) runs.push(await scripted.engine.start(scripted.plan([work], { pool })));
    await twoAreIn.promise;
    const states = await Promise.all(runs.map(({ runId }) => scripted.stateOf(runId)));
    assert.deepEqual(states, ['running', 'running', ...Array.from({ length: 8 }, () => 'planned')]);
    goOn.resolve();
    for (const { runId } of runs) assert.equal((await scripted.ended(runId)).state, 'succeeded');
    assert.equal(most, 2);
    // Two that are admitted together may begin in either order.
    for (const [place, number] of begun.entries()) {
      assert.ok(Math.abs(runs.findIndex((run) => run.number === number) - place) <= 2, String(begun));
    }
  });

  it('lets every parent have one run in it, whatever its limit', async () => {
    const pool = { name: 'crowded', limit: 1 };
    const holder = gate();
    const one = await scripted.engine.start(scripted.plan([scripted.task('a', holder.script)], { pool }));
    await holder.entered;
    const stranger = await scripted.engine.start(scripted.plan([scripted.task('a')], { pool }));
    const inner = gate();
    const children: string[] = [];
    const parent = await scripted.engine.start(
      scripted.plan([
        scripted.task(
          'parent',
          async (attempt) => {
            const script = scripted.task('a', inner.script);
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
    // The first may run before the second is accepted.
    await until(() => children.length === 2);
    assert.deepEqual(await Promise.all([...children, stranger.runId].map(scripted.stateOf)), [
      'running',
      'planned',
      'planned',
    ]);
    inner.open();
    assert.equal((await scripted.ended(parent.runId)).state, 'succeeded');
    assert.equal(await scripted.stateOf(stranger.runId), 'planned');
    holder.open();
    await scripted.ended(stranger.runId);
    await scripted.ended(one.runId);
  });

  it('and a lane hold together: who waits for its lane takes no place in the pool', async () => {
    const pool = { name: 'both', limit: 2 };
    const holder = gate();
    const one = await scripted.engine.start(scripted.plan([scripted.task('a', holder.script)], { pool, lane: 'both' }));
    const behind = await scripted.engine.start(scripted.plan([scripted.task('a')], { pool, lane: 'both' }));
    await holder.entered;
    const free = await scripted.engine.start(scripted.plan([scripted.task('a')], { pool }));
    assert.equal((await scripted.ended(free.runId)).state, 'succeeded');
    assert.equal(await scripted.stateOf(behind.runId), 'planned');
    holder.open();
    for (const { runId } of [one, behind]) assert.equal((await scripted.ended(runId)).state, 'succeeded');
  });
});

describe('admission', () => {
  it('finds by itself what no signal told of', async () => {
    const { rows } = await scripted.test.store.pool.query<{ id: string }>(
      `with made as (
        insert into run (id, path, project, kind, state, trigger, created_by, lane, phase)
        values ('r_QUIET', '1', 'p', 'test', 'planned', 'api', 'me', 'a lane nobody named', 0) returning *
      ), line as (
        insert into admission_line (run_id, number, lane, stage) select id, number, lane, 'lane' from made
      )
      insert into task (id, run_id, phase, position, key, component, state, input, retry)
      select 't_QUIET', id, 0, 0, 'a', 'scripted', 'planned', $1::json, '{}' from made returning run_id as id`,
      [JSON.stringify(scripted.task('a').input)],
    );
    assert.equal((await scripted.ended(rows[0]!.id)).state, 'succeeded');
  });

  it('is not slowed by a lane with thousands that wait', async () => {
    const holder = gate();
    const { runId } = await scripted.engine.start(scripted.plan([scripted.task('a', holder.script)], { lane: 'long' }));
    await holder.entered;
    await scripted.test.store.pool.query(
      `insert into admission_line (run_id, number, lane, pool, pool_limit, stage)
      select 'r_LONG' || i, i, 'long', 'long', 1, 'lane' from generate_series(1, 20000) i`,
    );
    const took: number[] = [];
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      const other = await scripted.engine.start(
        scripted.plan([scripted.task('a')], { lane: `short ${i % 3}`, pool: { name: 'long', limit: 1 } }),
      );
      await scripted.ended(other.runId);
      took.push(performance.now() - began);
    }
    await scripted.test.store.pool.query(`delete from admission_line where run_id like 'r_LONG%'`);
    holder.open();
    await scripted.ended(runId);
    // Of a loaded machine the best tells what a run takes.
    assert.ok(Math.min(...took) < 500, `each run took ${took.map(Math.round)} ms`);
  });

  it('begins many that were accepted together, once no more come', async () => {
    const plans = Array.from({ length: 50 }, (_, place) =>
      scripted.plan([scripted.task('a')], { lane: `crowd ${place}` }),
    );
    const started = await scripted.test.store.transaction((tx) => scripted.engine.startMany(plans, tx));
    for (const { runId } of started) assert.equal((await scripted.ended(runId)).state, 'succeeded');
  });

  it('is only done for plans that say which lane or pool', async () => {
    for (const bad of [
      { lane: '' },
      { lane: 'x'.repeat(301) },
      { lane: 'nul\0' },
      { lane: 'half a pair \ud800' },
      { pool: { name: '', limit: 1 } },
      { pool: { name: 'p', limit: 0 } },
      { parentPath: '1.' },
      { parentPath: '1'.repeat(256) },
      { labels: { '': 'x' } },
      { labels: { x: 'y'.repeat(301) } },
      { labels: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`l${i}`, 'v'])) },
    ]) {
      await assert.rejects(
        scripted.engine.start(scripted.plan([scripted.task('a')], bad)),
        { kind: 'bad_request' },
        JSON.stringify(bad),
      );
    }
  });
});
