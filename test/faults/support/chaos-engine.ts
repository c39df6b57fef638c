import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { Failure } from '../../../src/errors.ts';
import { createEngine } from '../../../src/engine/index.ts';
import type { Attempt, Component, OpenEngine, RunPlan } from '../../../src/engine/index.ts';
import { connectStore } from '../../../src/store/index.ts';
import type { Store } from '../../../src/store/index.ts';
import { createWorld } from '../../../src/world.ts';
import type { World } from '../../../src/world.ts';

/** What the chaos test looks at afterwards. `effect` has no unique key on purpose: a doubled effect must be seen. */
export const chaosTables = `
  create table effect (id bigint generated always as identity, task_id text, run_id text, phase integer, fence bigint);
  create index effect_of_task on effect (task_id);
  create table delivery (id bigint generated always as identity, key text);
`;

/** Writes its effect once per task, whatever the number of attempts; slow enough to be hit by kills on both sides. */
const effect: Component = {
  name: 'effect',
  async execute(attempt) {
    await delay(Math.random() * 20);
    await writeEffect(attempt);
    attempt.log('info', `effect of ${attempt.task.key}`);
    await delay(Math.random() * 20);
    return { outcome: 'succeeded' };
  },
};

/** Waits for a run that it starts; every attempt must find the same one. */
const parent: Component = {
  name: 'parent',
  waits: true,
  async execute(attempt) {
    const plan = {
      kind: 'chaos',
      project: 'chaos',
      pool: POOL,
      phases: [[{ key: 'one', component: 'effect', input: null }]],
    };
    const child = await attempt.startChild(plan);
    await attempt.remember({ child: child.runId });
    const run = await attempt.childEnded(child.runId, attempt.signal);
    if (run?.state !== 'succeeded') throw new Failure('internal', `the child is ${run?.state}`);
    await writeEffect(attempt);
    return { outcome: 'succeeded' };
  },
};

const POOL = { name: 'chaos', limit: 2 };

async function writeEffect(attempt: Attempt): Promise<void> {
  await attempt.guarded(async (tx) => {
    const { rows } = await sql`select 1 from effect where task_id = ${attempt.task.id}`.execute(tx);
    if (rows.length > 0) return;
    await sql`insert into effect (task_id, run_id, phase, fence)
      values (${attempt.task.id}, ${attempt.run.id}, ${attempt.task.phase}, ${attempt.fence})`.execute(tx);
  });
}

/**
 * The plans that the clients of the chaos test start, named `client-1-run-2`: three tasks one after another, some runs in
 * the lane of their client, some in a pool; or a task that waits for a child run in that pool.
 */
export function chaosPlan(idempotencyKey: string): RunPlan {
  const [, client, run] = /^client-(\d+)-run-(\d+)$/.exec(idempotencyKey)!;
  const phases = ['one', 'two', 'three'].map((key) => [{ key, component: 'effect', input: null }]);
  const plan: RunPlan = { kind: 'chaos', project: 'chaos', trigger: 'api', idempotencyKey, phases };
  const sorts: readonly RunPlan[] = [
    plan,
    { ...plan, lane: `client ${client}` },
    { ...plan, pool: POOL },
    { ...plan, phases: [[{ key: 'wait', component: 'parent', input: null, waits: true }]] },
  ];
  return sorts[Number(run) % sorts.length]!;
}

/** Store and engine of one process of the chaos test. Every run that ends leaves a message in the outbox. */
export async function openChaosEngine(
  url: string,
  { world = createWorld(), leaseSeconds = 10 }: { world?: World; leaseSeconds?: number } = {},
): Promise<{ store: Store; engine: OpenEngine }> {
  const store = await connectStore({ url, world });
  const engine: OpenEngine = await createEngine({
    store,
    world,
    components: [effect, parent],
    observers: [
      {
        kind: 'chaos',
        async runChanged(tx, run) {
          if (run.endedAt === null) return;
          await engine.publish(tx, { key: `ended/${run.id}`, topic: 'ended', payload: { state: run.state } });
        },
      },
    ],
    deliverers: {
      ended: async (message) => {
        await sql`insert into delivery (key) values (${message.key})`.execute(store.db);
      },
    },
    settings: { slots: 8, leaseSeconds },
  });
  return { store, engine };
}
