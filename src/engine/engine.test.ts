import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { Failure } from '../errors.ts';
import { createWorld } from '../world.ts';
import { createEngine, installQueue } from './index.ts';
import type {
  Attempt,
  AttemptResult,
  Component,
  OpenEngine,
  OutboxMessage,
  RunPlan,
  RunView,
  Worker,
} from './index.ts';
import { LONGEST_MESSAGE_BYTES } from './logs.ts';

const PATIENCE_MS = 60_000;
/** Of a lease of ten seconds: what comes sooner came by a signal. */
const HEARTBEAT_MS = 3000;
const world = createWorld();

let test: TestStore;
let engine: OpenEngine;
let worker: Worker;
/** What the component `scripted` does, by the task's input. */
const scripts = new Map<string, (attempt: Attempt) => Promise<AttemptResult>>();
const observed: RunView[] = [];
const delivered: OutboxMessage[] = [];
let deliveriesToFail = 0;
let lastId = 0;

const scripted: Component = {
  name: 'scripted',
  execute: (attempt) => {
    const found = scripts.get(attempt.task.input as string);
    return found === undefined ? succeed() : found(attempt);
  },
};

function script(work: (attempt: Attempt) => Promise<AttemptResult>): string {
  const name = `script ${++lastId}`;
  scripts.set(name, work);
  return name;
}

const succeed = async (): Promise<AttemptResult> => ({ outcome: 'succeeded' });

function plan(phases: RunPlan['phases'], more: Partial<RunPlan> = {}): RunPlan {
  return { kind: 'test', project: 'p', trigger: 'api', phases, ...more };
}

function task(key: string, input: unknown = null, more: object = {}): RunPlan['phases'][number][number] {
  return { key, component: 'scripted', input, ...more };
}

async function finished(start: RunPlan): Promise<RunView> {
  const { runId } = await engine.start(start);
  return ended(runId);
}

async function ended(runId: string): Promise<RunView> {
  const run = await engine.settled(runId, PATIENCE_MS);
  assert.ok(run?.endedAt, `run ${runId} did not end: ${JSON.stringify(run)}`);
  return run;
}

async function statesOf(runId: string): Promise<Record<string, string>> {
  return Object.fromEntries((await engine.tasks(runId)).map((one) => [one.key, one.state]));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'the condition was not met in time');
    await delay(20);
  }
}

/** A gate that a script can wait at, and the test can open. */
function gate(): { reached: Promise<void>; enter: () => Promise<void>; open: () => void } {
  let open!: () => void;
  let reach!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { reached, open, enter: () => (reach(), opened) };
}

function untilAborted(attempt: Attempt): Promise<never> {
  return new Promise((_, reject) => {
    attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason as Error));
  });
}

before(async () => {
  test = await createTestStore({ prepare: installQueue });
  engine = await createEngine({
    store: test.store,
    world,
    components: [scripted],
    observers: [{ kind: 'observed', runChanged: async (_tx, run) => void observed.push(run) }],
    deliverers: {
      parcel: async (message) => {
        if (deliveriesToFail-- > 0) throw new Error('the door was closed');
        delivered.push(message);
      },
    },
    settings: { slots: 8, leaseSeconds: 10, logLimitBytes: 512 * 1024 },
  });
  worker = await engine.startWorker();
});

after(async () => {
  await worker?.stop(1000);
  await engine?.close();
  await test?.close();
});

describe('running a plan', () => {
  it('executes phases in sequence and the tasks of a phase together', async () => {
    const order: string[] = [];
    const both = [gate(), gate()] as const;
    const first = script(
      async () => (order.push('a'), await both[0].enter(), { outcome: 'succeeded', output: { n: 1 } }),
    );
    const second = script(async () => (order.push('b'), await both[1].enter(), { outcome: 'succeeded' }));
    const third = script(async () => (order.push('c'), { outcome: 'succeeded' }));
    const { runId } = await engine.start(plan([[task('a', first), task('b', second)], [task('c', third)]]));
    await Promise.all([both[0].reached, both[1].reached]);
    assert.deepEqual(await statesOf(runId), { a: 'running', b: 'running', c: 'planned' });
    both[0].open();
    both[1].open();
    const run = await ended(runId);
    assert.equal(run.state, 'succeeded');
    assert.equal(order.at(-1), 'c');
    assert.deepEqual((await engine.tasks(runId))[0]?.output, { n: 1 });
    assert.equal(run.attempts, 1);
  });

  it('gives a component its input as it was, hostile characters included', async () => {
    let seen: unknown;
    const input = { text: 'nul \0, lone \ud800, quote "\\u0000', number: 1.5, deep: [{}] };
    const name = script(succeed);
    await engine.start(plan([[task('a', name)]]));
    const run = await finished(plan([[{ key: 'a', component: 'scripted', input }]], { snapshot: input }));
    seen = (await engine.tasks(run.id))[0]?.input;
    assert.deepEqual(seen, input);
    assert.deepEqual(run.snapshot, input);
  });

  it('never executes a task to skip, and ends a run of nothing else at once', async () => {
    const name = script(async () => assert.fail('executed'));
    const { runId } = await engine.start(plan([[task('a', name, { skip: true })], []]));
    assert.equal((await engine.get(runId))?.state, 'succeeded');
    const run = await finished(plan([[task('a', name, { skip: true })], [task('b')]]));
    assert.equal(run.state, 'succeeded');
    assert.deepEqual(await statesOf(run.id), { a: 'skipped', b: 'succeeded' });
  });

  it('lets siblings of a failed task end, cancels later phases and reports the first cause', async () => {
    const wait = gate();
    const failing = script(async () => {
      throw new Failure('credentials_refused', 'the password is wrong');
    });
    const slow = script(async () => (await wait.enter(), { outcome: 'succeeded' }));
    const { runId } = await engine.start(plan([[task('a', failing), task('b', slow)], [task('c')]]));
    await wait.reached;
    await until(async () => (await statesOf(runId))['a'] === 'failed');
    assert.equal((await engine.get(runId))?.state, 'running');
    wait.open();
    const run = await ended(runId);
    assert.equal(run.state, 'failed');
    assert.equal(run.error?.kind, 'credentials_refused');
    assert.equal(run.error?.message, 'the password is wrong');
    assert.deepEqual(await statesOf(runId), { a: 'failed', b: 'succeeded', c: 'cancelled' });
    const page = await engine.readLog(runId, { cursor: -1, limit: 10, direction: 'older', hideDebug: true });
    assert.equal(page?.entries.at(-1)?.message, 'the password is wrong');
  });

  it('goes on after a failure that may be, and ends warned', async () => {
    const failing = script(async () => {
      throw new Failure('object_missing', 'gone');
    });
    const run = await finished(plan([[task('a', failing, { continueOnFailure: true })], [task('b')]]));
    assert.equal(run.state, 'warned');
    assert.equal(run.error, null);
    assert.deepEqual(await statesOf(run.id), { a: 'failed', b: 'succeeded' });
    const warned = await finished(
      plan([
        [
          task(
            'a',
            script(async () => ({ outcome: 'warned', warnings: 3 })),
          ),
        ],
      ]),
    );
    assert.deepEqual([warned.state, warned.warnings], ['warned', 3]);
  });

  it('fails a task whose component nobody has', async () => {
    const run = await finished(plan([[{ key: 'a', component: 'unheard of', input: null }]]));
    assert.deepEqual([run.state, run.error?.kind], ['failed', 'object_missing']);
  });

  it('refuses a plan with double keys or a NUL in a name', async () => {
    await assert.rejects(engine.start(plan([[task('a'), task('a')]])), { kind: 'bad_request' });
    await assert.rejects(engine.start(plan([[task('a')]], { definition: 'x\0' })), { kind: 'bad_request' });
  });

  it('lists runs newest first with the total', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await finished(plan([[task('a')]], { definition: 'listed' }))).id);
    const { runs, total } = await engine.list({ definition: 'listed', states: ['succeeded'], limit: 2, offset: 0 });
    assert.equal(total, 3);
    assert.deepEqual(
      runs.map((run) => run.id),
      ids.reverse().slice(0, 2),
    );
  });

  it('tells observers of every state inside the transaction', async () => {
    const run = await finished(plan([[task('a')]], { kind: 'observed' }));
    const seen = observed.filter((one) => one.id === run.id).map((one) => one.state);
    assert.deepEqual(seen, ['queued', 'running', 'succeeded']);
  });
});

describe('keys', () => {
  it('answers the same run for the same idempotency key, also to clients that race', async () => {
    const one = plan([[task('a')]], { idempotencyKey: 'same' });
    const results = await Promise.all(Array.from({ length: 8 }, () => engine.start(one)));
    assert.equal(new Set(results.map((result) => result.runId)).size, 1);
    assert.equal(results.filter((result) => result.outcome === 'started').length, 1);
    assert.equal(results.filter((result) => result.outcome === 'existing').length, 7);
  });

  it('refuses a second live run with the same concurrency key, and accepts it afterwards', async () => {
    const wait = gate();
    const one = plan(
      [
        [
          task(
            'a',
            script(async () => (await wait.enter(), { outcome: 'succeeded' })),
          ),
        ],
      ],
      {
        concurrencyKey: 'only',
      },
    );
    const first = await engine.start(one);
    assert.deepEqual(await engine.start(one), { ...first, outcome: 'refused' });
    wait.open();
    await ended(first.runId);
    const again = await engine.start(one);
    assert.equal(again.outcome, 'started');
    await ended(again.runId);
  });

  it('runs tasks with the same concurrency key one after another', async () => {
    let now = 0;
    let most = 0;
    const name = script(async () => {
      most = Math.max(most, ++now);
      await delay(30);
      now -= 1;
      return { outcome: 'succeeded' };
    });
    const keyed = (key: string) => task(key, name, { concurrencyKey: 'one at a time' });
    const run = await finished(plan([[keyed('a'), keyed('b'), keyed('c')]]));
    assert.equal(run.state, 'succeeded');
    assert.equal(most, 1);
  });

  it('starts with the caller’s transaction, or not at all', async () => {
    const { store } = test;
    let runId = '';
    await assert.rejects(
      store.transaction(async (tx) => {
        runId = (await engine.start(plan([[task('a')]]), tx)).runId;
        throw new Error('changed my mind');
      }),
    );
    assert.equal(await engine.get(runId), undefined);
    const result = await store.transaction((tx) => engine.start(plan([[task('a')]]), tx));
    assert.equal((await ended(result.runId)).state, 'succeeded');
  });

  it('claims a higher priority first, and nothing before its time', async () => {
    const order: string[] = [];
    const note = (name: string) => script(async () => (order.push(name), { outcome: 'succeeded' }));
    const waits = Array.from({ length: 8 }, () => gate());
    const busy = await Promise.all(
      waits.map((wait) =>
        engine.start(
          plan([
            [
              task(
                'a',
                script(async () => (await wait.enter(), { outcome: 'succeeded' })),
              ),
            ],
          ]),
        ),
      ),
    );
    await Promise.all(waits.map((wait) => wait.reached));
    const low = await engine.start(plan([[task('a', note('low'))]], { priority: -5 }));
    const high = await engine.start(plan([[task('a', note('high'))]], { priority: 5 }));
    const later = await engine.start(plan([[task('a', note('later'))]], { startAfter: new Date(Date.now() + 1500) }));
    waits[0]!.open();
    await Promise.all([ended(low.runId), ended(high.runId)]);
    for (const wait of waits) wait.open();
    await Promise.all(busy.map(({ runId }) => ended(runId)));
    await ended(later.runId);
    assert.deepEqual(order, ['high', 'low', 'later']);
  });
});

describe('failures', () => {
  it('retries what may go away, as often as the rule says', async () => {
    const numbers: number[] = [];
    const name = script(async (attempt) => {
      numbers.push(attempt.number);
      throw new Failure('unreachable', 'nobody answers');
    });
    const run = await finished(plan([[task('a', name, { retry: { limit: 2, firstDelayMs: 10 } })]]));
    assert.deepEqual(numbers, [1, 2, 3]);
    assert.deepEqual([run.state, run.attempts, run.error?.kind], ['failed', 3, 'unreachable']);
  });

  it('does not retry what cannot go away', async () => {
    let count = 0;
    const name = script(async () => {
      count += 1;
      throw new Failure('configuration_invalid', 'no such option');
    });
    await finished(plan([[task('a', name, { retry: { limit: 5, firstDelayMs: 10 } })]]));
    assert.equal(count, 1);
  });

  it('aborts an attempt at its time limit', async () => {
    let reason: unknown;
    const name = script(async (attempt) =>
      untilAborted(attempt).catch((error) => ((reason = error), Promise.reject(error))),
    );
    const run = await finished(plan([[task('a', name, { timeoutMs: 50 })]]));
    assert.deepEqual([run.state, run.error?.kind, (reason as Failure).kind], ['failed', 'timed_out', 'timed_out']);
  });

  it('refuses to write for an attempt that another has taken over', async () => {
    const wait = gate();
    let stale: unknown;
    const name = script(async (attempt) => {
      if (attempt.number > 1) return { outcome: 'succeeded', output: attempt.number };
      await wait.enter();
      stale = await attempt.guarded(async () => 'written').catch((error: unknown) => error);
      return { outcome: 'succeeded', output: 'stale' };
    });
    const { runId } = await engine.start(plan([[task('a', name)]]));
    await wait.reached;
    await until(async () => {
      if ((await engine.tasks(runId))[0]?.attempt === 2) return true;
      await expireLeases(runId);
      return false;
    });
    wait.open();
    assert.equal((await ended(runId)).state, 'succeeded');
    await until(() => stale !== undefined);
    assert.equal((stale as Failure).kind, 'lease_lost');
    assert.equal((await engine.tasks(runId))[0]?.output, 2);
  });

  it('hands a lost worker’s task over without using up its retries, and gives up after five in a row', async () => {
    let attempts = 0;
    const name = script(async (attempt) => {
      attempts = attempt.number;
      return untilAborted(attempt);
    });
    const { runId } = await engine.start(plan([[task('a', name)]]));
    // Again and again, because a heartbeat may renew a lease before the sweep sees it.
    await until(async () => {
      await expireLeases(runId);
      return (await engine.get(runId))?.endedAt !== null;
    });
    assert.equal(attempts, 5);
    const run = await ended(runId);
    assert.deepEqual([run.state, run.error?.kind, run.attempts], ['failed', 'worker_lost', 5]);
  });

  /** As if the worker had stopped renewing: by the database's clock the lease is over. */
  async function expireLeases(runId: string): Promise<void> {
    await sql`update attempt set lease_until = now() - interval '1 second'
      where ended_at is null and task_id in (select id from task where run_id = ${runId})`.execute(test.store.db);
  }
});

describe('cancelling', () => {
  it('aborts a running attempt at once and cancels what has not begun', async () => {
    const wait = gate();
    let abortedAt = 0;
    const name = script(async (attempt) => {
      void wait.enter();
      await untilAborted(attempt).finally(() => (abortedAt = performance.now()));
      return { outcome: 'succeeded' };
    });
    const { runId } = await engine.start(plan([[task('a', name)], [task('b')]]));
    await wait.reached;
    assert.equal(await engine.cancel(runId, 'someone'), true);
    const cancelledAt = performance.now();
    const run = await ended(runId);
    assert.deepEqual([run.state, run.cancelRequested], ['cancelled', true]);
    assert.deepEqual(await statesOf(runId), { a: 'cancelled', b: 'cancelled' });
    assert.ok(abortedAt - cancelledAt < HEARTBEAT_MS, `aborted after ${abortedAt - cancelledAt} ms`);
    assert.equal(await engine.cancel(runId, 'someone'), false);
  });

  it('reaches an attempt in another process, and its end is seen from there', async () => {
    const settings = { slots: 1, leaseSeconds: 10 };
    const far = await createEngine({
      store: test.store,
      world,
      components: [],
      observers: [],
      deliverers: {},
      settings,
    });
    try {
      const wait = gate();
      let abortedAt = 0;
      const name = script(async (attempt) => {
        void wait.enter();
        return untilAborted(attempt).finally(() => (abortedAt = performance.now()));
      });
      const { runId } = await far.start(plan([[task('a', name)]]));
      await wait.reached;
      await far.cancel(runId, 'someone');
      const cancelledAt = performance.now();
      assert.equal((await far.settled(runId, PATIENCE_MS))?.state, 'cancelled');
      assert.ok(abortedAt - cancelledAt < HEARTBEAT_MS, `aborted after ${abortedAt - cancelledAt} ms`);
    } finally {
      await far.close();
    }
  });

  it('reaches an attempt whose signal was lost through the next heartbeat', async () => {
    const wait = gate();
    const { runId } = await engine.start(
      plan([
        [
          task(
            'a',
            script(async (attempt) => (void wait.enter(), untilAborted(attempt))),
          ),
        ],
      ]),
    );
    await wait.reached;
    await sql`update run set cancel_requested_at = now() where id = ${runId}`.execute(test.store.db);
    assert.equal((await ended(runId)).state, 'cancelled');
  });

  it('ends a run of which nothing runs in the same transaction', async () => {
    const { runId } = await engine.start(plan([[task('a')]], { startAfter: new Date(Date.now() + 3_600_000) }));
    assert.equal(await engine.cancel(runId, 'someone'), true);
    assert.equal((await engine.get(runId))?.state, 'cancelled');
    const { rows } =
      await sql`select 1 from pgboss.job, task where job.data ->> 'taskId' = task.id and run_id = ${runId}`.execute(
        test.store.db,
      );
    assert.equal(rows.length, 0);
  });

  it('ends an attempt that ignores its signal', async () => {
    const wait = gate();
    const { runId } = await engine.start(
      plan([
        [
          task(
            'a',
            script(async () => (void wait.enter(), new Promise(() => {}))),
          ),
        ],
      ]),
    );
    await wait.reached;
    await engine.cancel(runId, 'someone');
    assert.equal((await ended(runId)).state, 'cancelled');
  });

  it('knows no unknown run, whatever it is called', async () => {
    for (const id of ['r_\0', '', 'x'.repeat(10_000), "'; drop table run; --"]) {
      assert.equal(await engine.cancel(id, 'someone'), false);
      assert.equal(await engine.get(id), undefined);
      assert.deepEqual(await engine.tasks(id), []);
      const query = { cursor: -1, limit: 1, direction: 'older', hideDebug: true } as const;
      assert.equal(await engine.readLog(id, query), undefined);
    }
    assert.equal(await engine.cancel('r_unknown', 'someone'), false);
    assert.equal(await engine.get('r_unknown'), undefined);
  });
});

describe('waiting for a callback', () => {
  const waiting = (key: string, deadlineMs = PATIENCE_MS) =>
    script(async () => ({ outcome: 'waiting', callbackKey: key, deadlineMs }));

  it('ends the task once, and answers the stored state to a double', async () => {
    const { runId } = await engine.start(plan([[task('a', waiting('key one'))], [task('b')]]));
    await until(async () => (await engine.callback('key one', { outcome: 'succeeded', output: 7 })) !== undefined);
    const run = await ended(runId);
    assert.equal(run.state, 'succeeded');
    const again = await engine.callback('key one', { outcome: 'failed' });
    assert.deepEqual([again?.state, again?.output], ['succeeded', 7]);
    assert.equal(await engine.callback('no such key', { outcome: 'succeeded' }), undefined);
    const { rows } = await sql<{
      text: string;
    }>`select callback_hash as text from attempt where callback_hash is not null`.execute(test.store.db);
    assert.ok(rows.every((row) => !row.text.includes('key')));
  });

  it('fails the task at its deadline', async () => {
    const run = await finished(plan([[task('a', waiting('never used', 100))]]));
    assert.deepEqual([run.state, run.error?.kind], ['failed', 'timed_out']);
  });

  it('is cancelled at once', async () => {
    const { runId } = await engine.start(plan([[task('a', waiting('cancelled one'))]]));
    await until(async () => {
      const { rows } = await sql`select 1 from attempt join task on task.id = task_id
        where run_id = ${runId} and deadline_at is not null`.execute(test.store.db);
      return rows.length === 1;
    });
    await engine.cancel(runId, 'someone');
    assert.equal((await engine.get(runId))?.state, 'cancelled');
  });
});

describe('child runs', () => {
  it('finds the same child again on a retry', async () => {
    const children: string[] = [];
    const name = script(async (attempt) => {
      const child = await attempt.startChild({ kind: 'child', project: 'p', definition: 'd', phases: [[task('x')]] });
      children.push(child.runId);
      if (attempt.number === 1) throw new Failure('unreachable', 'once more');
      return { outcome: 'succeeded' };
    });
    await finished(plan([[task('a', name, { retry: { limit: 1, firstDelayMs: 10 } })]]));
    assert.equal(children.length, 2);
    assert.equal(children[0], children[1]);
    assert.equal((await ended(children[0]!)).trigger, 'parent');
  });
});

describe('progress', () => {
  it('keeps the last value', async () => {
    const name = script(async (attempt) => {
      for (let rows = 0; rows <= 100; rows++) attempt.progress({ rows });
      return { outcome: 'succeeded' };
    });
    assert.deepEqual((await finished(plan([[task('a', name)]]))).progress, { rows: 100 });
  });
});

describe('the outbox', () => {
  it('delivers after the commit, again after a failure, and a double key once', async () => {
    deliveriesToFail = 1;
    for (let i = 0; i < 2; i++) {
      await test.store.transaction((tx) => engine.publish(tx, { key: 'parcel 1', topic: 'parcel', payload: { a: 1 } }));
    }
    await until(() => delivered.length > 0);
    await until(async () => {
      const { rows } = await sql`select 1 from outbox where key = 'parcel 1' and delivered_at is not null`.execute(
        test.store.db,
      );
      return rows.length === 1;
    });
    assert.equal(delivered.length, 1);
    assert.deepEqual(delivered[0]?.payload, { a: 1 });
    assert.equal(delivered[0]?.key, 'parcel 1');
  });

  it('sends nothing of a transaction that was rolled back', async () => {
    await assert.rejects(
      test.store.transaction(async (tx) => {
        await engine.publish(tx, { key: 'never', topic: 'parcel', payload: null });
        throw new Error('no');
      }),
    );
    await test.store.transaction((tx) => engine.publish(tx, { key: 'last', topic: 'parcel', payload: null }));
    await until(() => delivered.some((message) => message.key === 'last'));
    assert.ok(!delivered.some((message) => message.key === 'never'));
  });
});

describe('the log of a run', () => {
  it('is paged by byte offsets in both directions without repeating or skipping a line', async () => {
    const name = script(async (attempt) => {
      for (let i = 0; i < 1234; i++) {
        attempt.log(i % 3 === 0 ? 'debug' : 'info', `Zeile ${i} – ${'ü'.repeat(i % 50)}\n\0"`);
        if (i % 400 === 0) await delay(250);
      }
      return { outcome: 'succeeded' };
    });
    const { id } = await finished(plan([[task('a', name)]]));
    let whole = '';
    for await (const piece of engine.streamLog(id)) whole += piece;
    const all = whole
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: string; message: string });
    assert.equal(all.length, 1234);
    assert.ok(all.every((line, i) => line.message.startsWith(`Zeile ${i} `)));

    for (const hideDebug of [true, false]) {
      const expected = all.filter((line) => !hideDebug || line.level !== 'debug');
      for (const limit of [1000, 77]) {
        const older: typeof all = [];
        let cursor = -1;
        for (let more = true; more;) {
          const page = await engine.readLog(id, { cursor, limit, direction: 'older', hideDebug });
          assert.ok(page);
          assert.equal(page.hasNewer, cursor !== -1);
          older.unshift(...page.entries);
          ({ olderCursor: cursor, hasOlder: more } = page);
        }
        assert.deepEqual(older, expected);
        const newer: typeof all = [];
        cursor = 0;
        for (let more = true; more;) {
          const page = await engine.readLog(id, { cursor, limit, direction: 'newer', hideDebug });
          assert.ok(page);
          assert.equal(page.hasOlder, newer.length > 0);
          assert.equal(whole.length > 0 && Buffer.from(whole).subarray(0, page.newerCursor).at(-1), 10);
          newer.push(...page.entries);
          ({ newerCursor: cursor, hasNewer: more } = page);
        }
        assert.deepEqual(newer, expected);
      }
    }
  });

  it('cuts a line that is too long and ends when it is full', async () => {
    const name = script(async (attempt) => {
      attempt.log('info', 'é'.repeat(LONGEST_MESSAGE_BYTES));
      for (let i = 0; i < 20; i++) attempt.log('info', 'x'.repeat(50_000));
      return { outcome: 'succeeded' };
    });
    const { id } = await finished(plan([[task('a', name)]]));
    let whole = '';
    for await (const piece of engine.streamLog(id)) whole += piece;
    assert.ok(Buffer.byteLength(whole) <= 512 * 1024);
    const lines = whole
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { message: string });
    assert.match(lines.at(-1)!.message, /log of this run is full/);
  });

  it('is followed until the run ends', async () => {
    const wait = gate();
    const name = script(async (attempt) => {
      attempt.log('info', 'one');
      await wait.enter();
      attempt.log('info', 'two');
      return { outcome: 'succeeded' };
    });
    const { runId } = await engine.start(plan([[task('a', name)]]));
    const seen: string[] = [];
    for await (const page of engine.followLog(runId, { cursor: 0, signal: new AbortController().signal })) {
      seen.push(...page.entries.map((entry) => entry.message));
      if (seen.at(-1) === 'one') wait.open();
    }
    assert.deepEqual(seen, ['one', 'two']);
    assert.equal(
      await engine.readLog('r_unknown', { cursor: -1, limit: 1, direction: 'older', hideDebug: true }),
      undefined,
    );
  });

  it('of a run without lines is an empty page', async () => {
    const { id } = await finished(plan([[task('a')]]));
    const page = await engine.readLog(id, { cursor: -1, limit: 10, direction: 'older', hideDebug: true });
    assert.deepEqual(page, { entries: [], olderCursor: 0, newerCursor: 0, hasOlder: false, hasNewer: false });
  });
});

describe('stopping a worker', () => {
  it('hands running attempts to another worker without counting a retry or a loss', async () => {
    const wait = gate();
    const name = script(async (attempt) => {
      if (attempt.number === 2) return { outcome: 'succeeded' };
      void wait.enter();
      return untilAborted(attempt);
    });
    const { runId } = await engine.start(plan([[task('a', name)]]));
    await wait.reached;
    await worker.stop(0);
    assert.deepEqual(await statesOf(runId), { a: 'queued' });
    worker = await engine.startWorker();
    const run = await ended(runId);
    assert.deepEqual([run.state, run.attempts], ['succeeded', 2]);
  });
});
