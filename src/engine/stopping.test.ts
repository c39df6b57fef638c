import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { it } from 'node:test';
import { createTestStore } from '../../test/support/database.ts';
import { createWorld } from '../world.ts';
import { createEngine, installQueue, type Component } from './index.ts';

it('a worker that stops lets go of killed tasks that still wait: nothing of them reaches the store once it is closed', async () => {
  const test = await createTestStore({ prepare: installQueue });
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const deaf: Component = {
    name: 'deaf',
    graceMs: 60_000,
    async execute(attempt) {
      begun.resolve();
      await release.promise;
      attempt.progress({ late: true });
      attempt.log('info', 'too late');
      over.resolve();
      throw attempt.signal.reason;
    },
  };
  const told: string[] = [];
  const engine = await createEngine({
    store: test.store,
    world: createWorld(),
    components: [deaf],
    observers: [],
    deliverers: {},
    settings: { slots: 2, leaseSeconds: 10 },
    log: (level, message, fields) => void told.push(`${level} ${message} ${JSON.stringify(fields)}`),
  });
  const worker = await engine.startWorker();
  const phases = [[{ key: 'a', component: 'deaf', input: null }]];
  const { runId } = await engine.start({ kind: 'test', project: 'p', trigger: 'api', phases });
  await begun.promise;
  await engine.cancel(runId, 'the test');
  await worker.stop(0);
  assert.equal((await engine.get(runId))?.state, 'cancelled');
  await engine.close();
  await test.close();
  release.resolve();
  await over.promise;
  // Whatever still wrote would find the store closed at once; progress is written every half second.
  await delay(700);
  assert.deepEqual(told, []);
});
