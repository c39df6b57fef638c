/**
 * Figures of the engine: durable tasks per second and start latency with api and worker in one process, and the time
 * from kill -9 of a worker to the next attempt. Runs alone: `node bin/run.cjs bench/engine.ts`.
 */
import { fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { createEngine, installQueue } from '../src/engine/index.ts';
import type { Component, OpenEngine, RunPlan } from '../src/engine/index.ts';
import { connectStore, migrate, readMigrations } from '../src/store/index.ts';
import type { Store } from '../src/store/index.ts';
import { createWorld } from '../src/world.ts';
import { startTestPostgres } from '../test/support/postgres.ts';
import type { Figure, Scale } from './figures.ts';

const world = createWorld();
const LEASE_SECONDS = 10;

const beginnings = new Map<string, number>();
const components: readonly Component[] = [
  { name: 'nothing', execute: async () => ({ outcome: 'succeeded' }) },
  {
    name: 'note',
    async execute(attempt) {
      beginnings.set(attempt.run.id, performance.now());
      return { outcome: 'succeeded' };
    },
  },
  {
    // The first attempt stays with its worker until that is killed.
    name: 'stay',
    async execute(attempt) {
      if (attempt.number === 1) await new Promise(() => undefined);
      return { outcome: 'succeeded' };
    },
  },
];

function plan(...names: readonly string[]): RunPlan {
  const phases = names.map((component, index) => [{ key: `${index}`, component, input: null }]);
  return { kind: 'bench', project: 'bench', trigger: 'api', phases };
}

async function open(url: string): Promise<{ store: Store; engine: OpenEngine }> {
  const store = await connectStore({ url, world });
  const settings = { slots: 16, leaseSeconds: LEASE_SECONDS };
  return { store, engine: await createEngine({ store, world, components, observers: [], deliverers: {}, settings }) };
}

/** Measures on a fresh, durable PostgreSQL of its own. */
export async function measure(scale: Scale): Promise<readonly Figure[]> {
  const [runs, starts] = scale.smoke ? [50, 20] : [1000, 500];
  const postgres = await startTestPostgres({ durable: true });
  const { store, engine } = await prepare(postgres.url);
  try {
    const worker = await engine.startWorker();
    await measureThroughput(engine, 100);
    const latencies = await measureLatency(engine, starts);
    const tasksPerSecond = await measureThroughput(engine, runs);
    await worker.stop(1000);
    const takeOver = await measureTakeOver(engine, postgres.url);
    return [
      {
        name: 'durable no-op tasks, api and worker in one process',
        value: tasksPerSecond,
        unit: 'tasks/s',
        reach: '>= 300',
      },
      { name: 'start latency, median', value: percentile(latencies, 0.5), unit: 'ms', reach: '<= 10' },
      { name: 'start latency, 99 of 100', value: percentile(latencies, 0.99), unit: 'ms', reach: '<= 50' },
      { name: 'take-over after kill -9 of a worker', value: takeOver, unit: 's', reach: '<= 15' },
    ];
  } finally {
    await engine.close();
    await store.close();
    await postgres.stop();
  }
}

async function prepare(url: string): Promise<{ store: Store; engine: OpenEngine }> {
  const store = await connectStore({ url, world });
  await migrate(store.pool, await readMigrations());
  await installQueue(store);
  await store.close();
  return open(url);
}

/** From the first start until the last run has ended; 8 clients, three tasks a run. */
async function measureThroughput(engine: OpenEngine, runs: number): Promise<number> {
  const began = performance.now();
  let started = 0;
  const client = async (): Promise<void> => {
    while (started++ < runs) await engine.start(plan('nothing', 'nothing', 'nothing'));
  };
  await Promise.all(Array.from({ length: 8 }, client));
  for (;;) {
    const { total } = await engine.list({ states: ['queued', 'running'], limit: 1, offset: 0 });
    if (total === 0) break;
    await delay(20);
  }
  return (runs * 3) / ((performance.now() - began) / 1000);
}

/** From the answer to a start (committed) until the component begins, one run at a time. */
async function measureLatency(engine: OpenEngine, starts: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  for (let i = 0; i < starts; i++) {
    const { runId } = await engine.start(plan('note'));
    const accepted = performance.now();
    await engine.settled(runId, 30_000);
    latencies.push(Math.max(0, beginnings.get(runId)! - accepted));
  }
  return latencies.sort((one, other) => one - other);
}

function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** Seconds from the SIGKILL of the worker that holds a task until another has ended it. */
async function measureTakeOver(engine: OpenEngine, url: string): Promise<number> {
  const victim = fork(import.meta.filename, ['worker', url], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await new Promise((resolve) => victim.once('message', resolve));
  const { runId } = await engine.start(plan('stay'));
  while ((await engine.tasks(runId))[0]?.state !== 'running') await delay(20);
  const worker = await engine.startWorker();
  victim.kill('SIGKILL');
  const killed = performance.now();
  await engine.settled(runId, 60_000);
  await worker.stop(1000);
  return (performance.now() - killed) / 1000;
}

if (import.meta.main) {
  const [, , role, url] = process.argv;
  if (role === 'worker') {
    await (await open(url!)).engine.startWorker();
    process.send?.('ready');
    process.on('disconnect', () => process.exit(1));
  } else {
    for (const { name, value, unit, reach } of await measure({ smoke: false, rounds: 3 })) {
      console.log(`${name}: ${value.toFixed(1)} ${unit} (reach ${reach})`);
    }
  }
}
