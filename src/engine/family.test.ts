import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { done, gate, openScriptedEngine, until, untilAborted } from '../../test/support/scripted-engine.ts';
import type { ScriptedEngine } from '../../test/support/scripted-engine.ts';
import { Failure } from '../errors.ts';
import type { Attempt, OpenEngine, RunPlan, StartResult } from './index.ts';

let scripted: ScriptedEngine;
let engine: OpenEngine;

before(async () => {
  scripted = await openScriptedEngine();
  engine = scripted.engine;
  await engine.startWorker();
});

after(async () => {
  await scripted?.close();
});

const { task, plan, ended, stateOf } = {
  task: ((...given) => scripted.task(...given)) as ScriptedEngine['task'],
  plan: ((...given) => scripted.plan(...given)) as ScriptedEngine['plan'],
  ended: (runId: string) => scripted.ended(runId),
  stateOf: (runId: string) => scripted.stateOf(runId),
};

function startChild(attempt: Attempt, more: Partial<RunPlan> = {}): Promise<StartResult> {
  return attempt.startChild({ kind: 'test', project: 'p', phases: [[task('a')]], ...more });
}

describe('the number of a run', () => {
  it('grows from run to run, and a child’s path is its parent’s and its own', async () => {
    const started: StartResult[] = [];
    const parent = await engine.start(
      plan([
        task('a', async (attempt) => {
          started.push(await startChild(attempt));
          started.push(await startChild(attempt));
          return done;
        }),
      ]),
    );
    await ended(parent.runId);
    assert.equal(parent.path, String(parent.number));
    const [child, again] = started;
    assert.ok(child!.number > parent.number);
    assert.equal(child!.path, `${parent.number}.${child!.number}`);
    assert.deepEqual(again, { ...child, outcome: 'existing' });
    const [view] = await engine.children(parent.runId);
    assert.equal(view!.id, child!.runId);
    assert.equal(view!.parentRunId, parent.runId);
    assert.equal((await engine.getByNumber(child!.number))?.path, child!.path);
    assert.equal(await engine.getByNumber(0), undefined);
    assert.equal(await engine.getByNumber(1.5), undefined);
  });

  it('follows the path of a parent that is no run here, or has ended', async () => {
    const foreign = await engine.start(plan([task('a')], { parentPath: '7.81' }));
    assert.equal(foreign.path, `7.81.${foreign.number}`);
    await ended(foreign.runId);
    const late = await engine.start(plan([task('a')], { parentRunId: foreign.runId }));
    assert.equal(late.path, `${foreign.path}.${late.number}`);
    assert.equal((await engine.get(late.runId))?.parentRunId, null);
    await ended(late.runId);
  });
});

describe('a list of runs', () => {
  const numbers = async (query: Partial<Parameters<OpenEngine['list']>[0]>) => {
    const { runs, total } = await engine.list({ limit: 100, offset: 0, ...query });
    assert.equal(total, runs.length);
    return runs.map(({ number }) => number);
  };

  it('finds runs by labels, without labels, and by their place in the family, newest first', async () => {
    const start = async (labels: RunPlan['labels'], more: Partial<RunPlan> = {}) => {
      const { number } = await engine.start(
        plan([task('a')], { project: 'labels', ...(labels && { labels }), ...more }),
      );
      return number;
    };
    const one = await start({ component: 'x', config: '1' });
    const two = await start({ component: 'x', config: '2' });
    const three = await start({ component: 'y', config: '1' });
    const none = await start(undefined, { parentPath: `${one}` });
    const far = await start(undefined, { parentPath: `${one}.5` });
    const query = { project: 'labels' };
    assert.deepEqual(await numbers({ labels: { component: 'x' } }), [two, one]);
    assert.deepEqual(await numbers({ labels: { component: 'x', config: '1' } }), [one]);
    assert.deepEqual(await numbers({ labels: { component: 'z' } }), []);
    assert.deepEqual(await numbers({ labels: { component: 'nul\0' } }), []);
    assert.deepEqual(await numbers({ labelled: ['config'] }), [three, two, one]);
    assert.deepEqual(await numbers({ ...query, withoutLabels: [{ component: 'x' }] }), [far, none, three]);
    assert.deepEqual(
      await numbers({ ...query, withoutLabels: [{ component: 'x', config: '1' }, { component: 'y' }] }),
      [far, none, two],
    );
    assert.deepEqual(await numbers({ pathPrefix: `${one}` }), [far, none, one]);
    assert.deepEqual(await numbers({ pathPrefix: `${one}.5` }), [far]);
    assert.deepEqual(await numbers({ path: `${one}` }), [one]);
    assert.deepEqual(await numbers({ path: '%' }), []);
    const run = await engine.getByNumber(one);
    assert.deepEqual(run?.labels, { component: 'x', config: '1' });
  });
});

describe('a task that waits for others', () => {
  it('takes no slot: more of them than slots wait for children, which all are executed', async () => {
    const parents = await Promise.all(
      Array.from({ length: 40 }, () =>
        engine.start(
          plan([
            task(
              'wait',
              async (attempt) => {
                const child = await startChild(attempt);
                const run = await attempt.childEnded(child.runId, attempt.signal);
                return { outcome: 'succeeded', output: run?.state };
              },
              { waits: true },
            ),
          ]),
        ),
      ),
    );
    for (const { runId } of parents) {
      assert.equal((await ended(runId)).state, 'succeeded');
      assert.equal((await engine.tasks(runId))[0]!.output, 'succeeded');
    }
  });

  it('is executed while every slot is taken', async () => {
    const gates = Array.from({ length: 8 }, gate);
    const busy = await Promise.all(gates.map(({ script }) => engine.start(plan([task('busy', script)]))));
    await Promise.all(gates.map(({ entered }) => entered));
    const { runId } = await engine.start(plan([task('wait', undefined, { waits: true })]));
    assert.equal((await ended(runId)).state, 'succeeded');
    for (const { open } of gates) open();
    for (const run of busy) await ended(run.runId);
  });

  it('must be of a component that says so', async () => {
    const { runId } = await engine.start(plan([{ ...task('a'), waits: true }]));
    const run = await ended(runId);
    assert.equal(run.state, 'failed');
    assert.match(run.error!.message, /only waits/);
  });

  it('learns of the end of a run that nobody knows, and of one that had ended', async () => {
    const seen: unknown[] = [];
    const past = await engine.start(plan([task('a')]));
    await ended(past.runId);
    const { runId } = await engine.start(
      plan([
        task(
          'wait',
          async (attempt) => {
            seen.push((await attempt.childEnded('r_UNKNOWN'))?.id, (await attempt.childEnded(past.runId))?.id);
            return done;
          },
          { waits: true },
        ),
      ]),
    );
    await ended(runId);
    assert.deepEqual(seen, [undefined, past.runId]);
  });

  it('is ended without its attempt when that ignores the cancel for the grace of its component', async () => {
    const stuck = gate();
    const { runId } = await engine.start(plan([task('stuck', stuck.script, { waits: true })]));
    await stuck.entered;
    const began = performance.now();
    await engine.cancel(runId, 'me');
    assert.equal((await ended(runId)).state, 'cancelled');
    assert.ok(performance.now() - began < 7000, 'it waited longer than the grace');
    stuck.open();
  });
});

describe('a memo', () => {
  it('is there for the next attempt, and only the owner of the task writes it', async () => {
    const seen: unknown[] = [];
    const { runId } = await engine.start(
      plan([
        task(
          'a',
          async (attempt) => {
            seen.push(attempt.task.memo);
            if (attempt.number === 1) {
              await attempt.remember({ child: 'r_1', text: 'a\0b' });
              throw new Failure('connection_lost', 'again');
            }
            const large = await attempt.remember('x'.repeat(64 * 1024)).catch((error: Failure) => error.kind);
            await scripted.test.store.pool.query(`update task set fence = fence + 1 where id = $1`, [attempt.task.id]);
            const late = await attempt.remember('late').catch((error: Failure) => error.kind);
            await scripted.test.store.pool.query(`update task set fence = fence - 1 where id = $1`, [attempt.task.id]);
            seen.push(large, late);
            return done;
          },
          { retry: { limit: 1, firstDelayMs: 1 } },
        ),
      ]),
    );
    assert.equal((await ended(runId)).state, 'succeeded');
    assert.deepEqual(seen, [null, { child: 'r_1', text: 'a\0b' }, 'bad_request', 'lease_lost']);
    assert.deepEqual((await engine.tasks(runId))[0]!.memo, { child: 'r_1', text: 'a\0b' });
  });
});

describe('a task that answers a failure', () => {
  it('keeps its output when it ends, after the retries that the kind of the failure allows', async () => {
    let attempts = 0;
    const { runId } = await engine.start(
      plan([
        task(
          'a',
          async () => ({
            outcome: 'failed',
            failure: new Failure('connection_lost', `attempt ${++attempts}`),
            output: { attempts },
          }),
          { retry: { limit: 2, firstDelayMs: 1 } },
        ),
      ]),
    );
    const run = await ended(runId);
    assert.deepEqual([run.state, run.error?.message], ['failed', 'attempt 3']);
    assert.deepEqual((await engine.tasks(runId))[0]!.output, { attempts: 3 });
  });

  it('is cancelled with its output when the run was to end', async () => {
    const began = gate();
    const { runId } = await engine.start(
      plan([
        task('a', async (attempt) => {
          void began.script(attempt);
          const failure = await untilAborted(attempt).catch((error: Failure) => error);
          return { outcome: 'failed', failure, output: 'as far as it came' };
        }),
      ]),
    );
    await began.entered;
    await engine.cancel(runId, 'me');
    assert.equal((await ended(runId)).state, 'cancelled');
    const [view] = await engine.tasks(runId);
    assert.deepEqual([view!.state, view!.output], ['cancelled', 'as far as it came']);
  });
});

describe('a cancel', () => {
  it('reaches all living descendants, admitted or not', async () => {
    const ids: string[] = [];
    const busy = gate();
    const grandchild = task('grandchild', (attempt) => (void busy.script(attempt), untilAborted(attempt)));
    const child = task(
      'child',
      async (attempt) => {
        ids.push((await startChild(attempt, { phases: [[grandchild]] })).runId);
        return untilAborted(attempt);
      },
      { waits: true },
    );
    const parent = await engine.start(
      plan([
        task(
          'parent',
          async (attempt) => {
            ids.push((await startChild(attempt, { definition: 'a', phases: [[child]], lane: 'family' })).runId);
            ids.push((await startChild(attempt, { definition: 'b', lane: 'family' })).runId);
            return untilAborted(attempt);
          },
          { waits: true },
        ),
      ]),
    );
    await busy.entered;
    await until(() => ids.length === 3);
    assert.equal(await engine.cancel(parent.runId, 'me'), true);
    for (const runId of [parent.runId, ...ids]) await ended(runId);
    assert.deepEqual(await Promise.all([parent.runId, ...ids].map(stateOf)), Array(4).fill('cancelled'));
  });

  it('lets no child appear after it', async () => {
    let refused: unknown;
    const { runId } = await engine.start(
      plan([
        task('a', async (attempt) => {
          await engine.cancel(attempt.run.id, 'me');
          refused = await startChild(attempt).catch((error: unknown) => error);
          throw attempt.signal.reason;
        }),
      ]),
    );
    assert.equal((await ended(runId)).state, 'cancelled');
    assert.equal((refused as Failure).kind, 'cancelled');
    assert.deepEqual(await engine.children(runId), []);
  });

  it('that broke off before the children is finished by the sweep', async () => {
    const busy = gate();
    let child = '';
    const parent = await engine.start(
      plan([
        task('a', async (attempt) => {
          child = (await startChild(attempt, { phases: [[task('b', untilAborted)]] })).runId;
          return busy.script(attempt);
        }),
      ]),
    );
    await busy.entered;
    await sql`update run set cancel_requested_at = now(), cancel_requested_by = 'me' where id = ${parent.runId}`.execute(
      scripted.test.store.db,
    );
    assert.equal((await ended(child)).state, 'cancelled');
    busy.open();
    await ended(parent.runId);
  });

  it('happens only in the states that it is meant for', async () => {
    const busy = gate();
    const { runId } = await engine.start(plan([task('a', busy.script)]));
    await busy.entered;
    assert.equal(await engine.cancel(runId, 'me', { onlyIn: ['planned', 'queued'] }), false);
    assert.equal((await engine.get(runId))?.cancelRequested, false);
    busy.open();
    assert.equal((await ended(runId)).state, 'succeeded');
  });

  it('is one transaction with what is written beside it, and names who asked for it', async () => {
    const busy = gate();
    const { runId } = await engine.start(plan([task('a', busy.script)]));
    await busy.entered;
    const refuse = async (): Promise<void> => {
      throw new Error('the audit is full');
    };
    await assert.rejects(engine.cancel(runId, 'me', { beside: refuse }), /the audit is full/);
    assert.equal((await engine.get(runId))?.cancelledBy, null);
    let calls = 0;
    const count = async (): Promise<void> => void (calls += 1);
    assert.equal(await engine.cancel(runId, 'me', { beside: count }), true);
    assert.equal(calls, 1);
    busy.open();
    assert.equal((await ended(runId)).cancelledBy, 'me');
    assert.equal(await engine.cancel(runId, 'you', { beside: count }), false);
    assert.equal(calls, 1);
  });
});

describe('a worker that stops', () => {
  it('lets those that wait move at once, and they go on where they were', async () => {
    const own = await openScriptedEngine();
    try {
      const release = gate();
      const { runId } = await own.engine.start(
        own.plan([
          own.task(
            'wait',
            async (attempt) => {
              const work = own.task('work', release.script);
              const child = await attempt.startChild({ kind: 'test', project: 'p', phases: [[work]] });
              const run = await attempt.childEnded(child.runId, attempt.signal);
              return { outcome: 'succeeded', output: [attempt.number, child.outcome, run?.state] };
            },
            { waits: true },
          ),
        ]),
      );
      const first = await own.engine.startWorker();
      await release.entered;
      const stopping = first.stop(30_000);
      await until(async () => (await own.engine.tasks(runId))[0]!.state === 'queued');
      release.open();
      await stopping;
      await own.engine.startWorker();
      await own.ended(runId);
      assert.deepEqual((await own.engine.tasks(runId))[0]!.output, [2, 'existing', 'succeeded']);
    } finally {
      await own.close();
    }
  });
});
