import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { sql } from 'kysely';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { createWorld } from '../world.ts';
import { createEngine, installQueue } from './index.ts';
import type { OpenEngine } from './index.ts';
import { openQueue } from './queue.ts';
import type { Queue } from './queue.ts';
import { claimMessages, markUndelivered, pruneOutbox } from './tables/outbox.ts';
import { removeOldLogs, removeOldRuns, renewMissingJobs } from './tables/sweep.ts';

let test: TestStore;
let engine: OpenEngine;
let queue: Queue;

before(async () => {
  test = await createTestStore({ prepare: installQueue });
  engine = await createEngine({
    store: test.store,
    world: createWorld(),
    components: [],
    observers: [],
    deliverers: {},
    settings: { slots: 1, leaseSeconds: 10 },
  });
  queue = await openQueue(test.store, () => undefined);
});

beforeEach(async () => {
  await sql`delete from run`.execute(test.store.db);
  await sql`delete from task`.execute(test.store.db);
  await sql`delete from run_label`.execute(test.store.db);
  await sql`delete from pgboss.job`.execute(test.store.db);
});

after(async () => {
  await queue?.stop();
  await engine?.close();
  await test?.close();
});

async function startRun(): Promise<string> {
  const phases = [[{ key: 'a', component: 'x', input: null }]];
  const { runId } = await engine.start({ kind: 'test', project: 'p', trigger: 'api', phases });
  return runId;
}

async function count(table: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::float8 as n from ${sql.table(table)}`.execute(
    test.store.db,
  );
  return rows[0]!.n;
}

describe('retention', () => {
  it('removes runs that ended long ago with all that belongs to them, and no others', async () => {
    const { db } = test.store;
    const old = await startRun();
    const young = await startRun();
    const live = await startRun();
    await sql`insert into log_head values (${old}, 5, false)`.execute(db);
    await sql`insert into log_chunk values (${old}, 0, 5, 1, 'text')`.execute(db);
    await sql`insert into attempt (task_id, number, fence, worker) select id, 1, 1, 'w' from task`.execute(db);
    await engine.cancel(old, 'someone');
    await engine.cancel(young, 'someone');
    await sql`update run set ended_at = now() - interval '31 days' where id = ${old}`.execute(db);
    await sql`update run set queued_at = now() - interval '31 days' where id = ${live}`.execute(db);
    assert.equal(await removeOldRuns(db, { days: 30, limit: 10 }), 1);
    assert.equal(await engine.get(old), undefined);
    assert.ok((await engine.get(young)) && (await engine.get(live)));
    assert.deepEqual(await Promise.all(['task', 'attempt', 'log_head', 'log_chunk'].map(count)), [2, 2, 0, 0]);
  });
});

describe('a kept run', () => {
  it('outlives the retention with its tasks, without its log', async () => {
    const { db } = test.store;
    const phases = [[{ key: 'a', component: 'x', input: null }]];
    const plan = { kind: 'test', project: 'p', trigger: 'api', phases, labels: { config: '1' } } as const;
    const { runId } = await engine.start({ ...plan, keep: true });
    const other = await engine.start(plan);
    for (const id of [runId, other.runId]) {
      await sql`insert into log_head values (${id}, 5, false)`.execute(db);
      await sql`insert into log_chunk values (${id}, 0, 5, 1, 'text')`.execute(db);
      await engine.cancel(id, 'someone');
    }
    await sql`update run set ended_at = now() - interval '31 days'`.execute(db);
    assert.equal(await removeOldRuns(db, { days: 30, limit: 10 }), 1);
    assert.equal(await removeOldLogs(db, { days: 30, limit: 10 }), 1);
    assert.equal(await removeOldLogs(db, { days: 30, limit: 10 }), 0);
    const { runs } = await engine.list({ labels: { config: '1' }, limit: 10, offset: 0 });
    assert.deepEqual(
      runs.map((run) => run.id),
      [runId],
    );
    assert.deepEqual(await Promise.all(['task', 'run_label', 'log_head', 'log_chunk'].map(count)), [1, 1, 0, 0]);
    const log = await engine.readLog(runId, { cursor: -1, limit: 10, direction: 'older', hideDebug: false });
    assert.deepEqual(log?.entries, []);
  });
});

describe('a queued task without a job', () => {
  it('gets a new one, so that a restored database goes on', async () => {
    const runId = await startRun();
    await sql`delete from pgboss.job`.execute(test.store.db);
    await sql`update task set queued_at = now() - interval '1 minute'`.execute(test.store.db);
    const renew = () => test.store.transaction(async (tx) => queue.enqueue(tx, await renewMissingJobs(tx, 10)));
    await renew();
    await renew();
    const taken = await test.store.transaction((tx) => queue.take(tx, 'task', 10));
    assert.deepEqual(
      taken.map((dispatch) => dispatch.taskId),
      (await engine.tasks(runId)).map((task) => task.id),
    );
  });
});

describe('the queue', () => {
  it('gives a job to one taker only, and back when the taking is rolled back', async () => {
    await startRun();
    await assert.rejects(
      test.store.transaction(async (tx) => {
        assert.equal((await queue.take(tx, 'task', 10)).length, 1);
        assert.equal((await test.store.transaction((other) => queue.take(other, 'task', 10))).length, 0);
        throw new Error('crash');
      }),
    );
    assert.equal((await test.store.transaction((tx) => queue.take(tx, 'task', 10))).length, 1);
    assert.equal(await count('pgboss.job'), 0);
  });

  it('may be installed again', async () => {
    await startRun();
    await installQueue(test.store);
    assert.equal((await test.store.transaction((tx) => queue.take(tx, 'task', 10))).length, 1);
  });
});

describe('an outbox message', () => {
  it('is held for its sender, and is kept with its last error when it is given up', async () => {
    const { db } = test.store;
    await test.store.transaction((tx) => engine.publish(tx, { key: 'k', topic: 't', payload: 1 }));
    const order = { topics: ['t'], limit: 10, holdSeconds: 60 };
    assert.equal((await claimMessages(db, { ...order, topics: ['other'] })).length, 0);
    const [message] = await claimMessages(db, order);
    assert.ok(message);
    assert.equal((await claimMessages(db, order)).length, 0);
    await markUndelivered(db, { ...message, error: 'no door', retryInSeconds: 0 });
    const [again] = await claimMessages(db, order);
    assert.equal(again?.attempt, 2);
    // The first sender comes back late: its word does not count any more.
    await markUndelivered(db, { ...message, error: 'late', retryInSeconds: 0 });
    assert.equal((await claimMessages(db, order)).length, 0);
    await markUndelivered(db, { ...again!, error: 'no house', retryInSeconds: undefined });
    await pruneOutbox(db);
    const { rows } = await sql`select last_error, due_at, dead_at is not null as dead from outbox`.execute(db);
    assert.deepEqual(rows, [{ last_error: 'no house', due_at: null, dead: true }]);
    await sql`update outbox set dead_at = now() - interval '31 days'`.execute(db);
    await pruneOutbox(db);
    assert.equal(await count('outbox'), 0);
  });
});
