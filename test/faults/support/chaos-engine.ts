import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { createEngine } from '../../../src/engine/index.ts';
import type { Component, OpenEngine, RunPlan } from '../../../src/engine/index.ts';
import { connectStore } from '../../../src/store/index.ts';
import type { Store } from '../../../src/store/index.ts';
import { createWorld } from '../../../src/world.ts';

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
    await attempt.guarded(async (tx) => {
      const { rows } = await sql`select 1 from effect where task_id = ${attempt.task.id}`.execute(tx);
      if (rows.length > 0) return;
      await sql`insert into effect (task_id, run_id, phase, fence)
        values (${attempt.task.id}, ${attempt.run.id}, ${attempt.task.phase}, ${attempt.fence})`.execute(tx);
    });
    attempt.log('info', `effect of ${attempt.task.key}`);
    await delay(Math.random() * 20);
    return { outcome: 'succeeded' };
  },
};

/** The plan that the clients of the chaos test start: three tasks, one after another. */
export function chaosPlan(idempotencyKey: string): RunPlan {
  const phases = ['one', 'two', 'three'].map((key) => [{ key, component: 'effect', input: null }]);
  return { kind: 'chaos', project: 'chaos', trigger: 'api', idempotencyKey, phases };
}

/** Store and engine of one process of the chaos test. Every run that ends leaves a message in the outbox. */
export async function openChaosEngine(url: string): Promise<{ store: Store; engine: OpenEngine }> {
  const world = createWorld();
  const store = await connectStore({ url, world });
  const engine: OpenEngine = await createEngine({
    store,
    world,
    components: [effect],
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
    settings: { slots: 8, leaseSeconds: 10 },
  });
  return { store, engine };
}
