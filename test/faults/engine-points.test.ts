import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { installQueue } from '../../src/engine/index.ts';
import type { OpenEngine } from '../../src/engine/index.ts';
import { createWorld } from '../../src/world.ts';
import { createTestStore } from '../support/database.ts';
import type { TestStore } from '../support/database.ts';
import { until } from '../support/waiting.ts';
import { noteKill, testKills } from './points.ts';
import { chaosPlan, chaosTables, openChaosEngine } from './support/chaos-engine.ts';

/** One run of each sort: plain, in a lane, in a pool, with a child; and one more behind each. */
const KEYS = Array.from({ length: 8 }, (_, run) => `client-0-run-${run}`);
const PATIENCE_MS = 60_000;

/** The points at which the engine may be killed, as a run of it reaches them; a new one is tried without being listed. */
const points = await reachedPoints();

describe('the engine killed at any of its points', { concurrency: 4 }, () => {
  for (const point of points.flatMap((name) => [name, `${name}:3`])) {
    it(`ends every run once after a kill at ${point}`, async () => {
      const test = await createTestStore({ prepare: installQueue });
      await test.store.pool.query(chaosTables);
      try {
        await dieAt(test, point);
        await examine(test);
      } finally {
        await test.close();
      }
    });
  }
});

async function reachedPoints(): Promise<readonly string[]> {
  const test = await createTestStore({ prepare: installQueue });
  await test.store.pool.query(chaosTables);
  const reached = new Set<string>();
  const world = createWorld({ onPoint: (point) => reached.add(point) });
  const { engine, store } = await openChaosEngine(test.store.url, { world });
  try {
    await engine.startWorker();
    await startAndEnd(engine);
    await until('a message is delivered', () => reached.has('engine.outbox-delivered'));
    return [...reached].filter((point) => point.startsWith('engine.')).toSorted();
  } finally {
    await engine.close();
    await store.close();
    await test.close();
  }
}

async function startAndEnd(engine: OpenEngine): Promise<void> {
  for (const key of KEYS) {
    const { runId } = await engine.start(chaosPlan(key));
    const run = await engine.settled(runId, PATIENCE_MS);
    assert.equal(run?.state, 'succeeded', `${key}: ${run?.state} ${run?.error?.message}`);
  }
}

async function dieAt(test: TestStore, point: string): Promise<void> {
  const script = join(import.meta.dirname, 'support', 'points-worker.ts');
  const process = fork(script, [test.store.url, point, ...KEYS], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const signal = await new Promise((resolve) => process.once('exit', (_code, by) => resolve(by)));
  assert.equal(signal, 'SIGKILL', `${point} was not reached`);
  noteKill(point);
}

/** Another process goes on, and the client, who was not answered, asks for the same runs again. */
async function examine(test: TestStore): Promise<void> {
  const { engine, store } = await openChaosEngine(test.store.url, { leaseSeconds: 2 });
  try {
    await engine.startWorker();
    await startAndEnd(engine);
    const { runs } = await engine.list({ limit: 100, offset: 0 });
    assert.deepEqual([...new Set(runs.map(({ state }) => state))], ['succeeded']);
    assert.equal(runs.length, KEYS.length + 2);
    const { rows } = await store.pool.query<{ doubled: number; missing: number; line: number }>(`
      select (select count(*) from (select 1 from effect group by task_id having count(*) > 1) d)::int as doubled,
        (select count(*) from task where not exists (select 1 from effect where task_id = task.id))::int as missing,
        (select count(*) from admission_line)::int as line`);
    assert.deepEqual(rows, [{ doubled: 0, missing: 0, line: 0 }]);
  } finally {
    await engine.close();
    await store.close();
  }
}

testKills('engine-points');
