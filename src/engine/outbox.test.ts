import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { openScriptedEngine, until } from '../../test/support/scripted-engine.ts';
import type { ScriptedEngine } from '../../test/support/scripted-engine.ts';
import { Failure } from '../errors.ts';
import type { OpenEngine, OutboxMessage } from './index.ts';

let scripted: ScriptedEngine;
let engine: OpenEngine;
const released = Promise.withResolvers<void>();
const delivered: { readonly key: string; readonly attempt: number; readonly at: number }[] = [];

before(async () => {
  const note = (message: OutboxMessage & { readonly attempt: number }): void => {
    delivered.push({ key: message.key, attempt: message.attempt, at: Date.now() });
  };
  scripted = await openScriptedEngine({
    deliverers: {
      timer: async (message) => note(message),
      flaky: async (message) => {
        if (message.attempt === 1) throw new Failure('unreachable', 'nobody answers');
      },
      stuck: {
        isSlow: true,
        deliver: async (message) => {
          note(message);
          await released.promise;
        },
      },
      stubborn: {
        retryDelaysSeconds: [0, 0.05],
        deliver: async (message) => {
          note(message);
          throw new Failure('unreachable', 'nobody answers');
        },
      },
    },
  });
  engine = scripted.engine;
  await engine.startWorker();
});

after(async () => {
  await scripted?.close();
});

function publish(message: OutboxMessage): Promise<void> {
  return scripted.test.store.transaction((tx) => engine.publish(tx, message));
}

const deliveries = (key: string) => delivered.filter((one) => one.key === key);

describe('a message of the outbox', () => {
  it('waits for no message of a topic that waits for others', async () => {
    await publish({ key: 'stuck', topic: 'stuck', payload: null });
    await until(() => deliveries('stuck').length === 1);
    await publish({ key: 'quick', topic: 'timer', payload: null });
    await until(async () => (await engine.outboxState('quick'))?.state === 'delivered');
    // Its first delivery still goes on: nothing had to give it up.
    const stuck = await engine.outboxState('stuck');
    assert.deepEqual([stuck?.state, stuck?.attempts, stuck?.lastError], ['waiting', 1, null]);
    released.resolve();
    await until(async () => (await engine.outboxState('stuck'))?.state === 'delivered');
  });

  it('is not delivered before it is due', async () => {
    const dueAt = new Date(Date.now() + 400);
    await publish({ key: 'soon', topic: 'timer', payload: null, dueAt });
    await publish({ key: 'later', topic: 'timer', payload: null, dueAt: new Date(Date.now() + 3_600_000) });
    await publish({ key: 'now', topic: 'timer', payload: null });
    for (const key of ['now', 'soon']) {
      await until(async () => (await engine.outboxState(key))?.state === 'delivered');
      assert.equal(deliveries(key).length, 1);
    }
    assert.ok(deliveries('soon')[0]!.at >= dueAt.getTime());
    assert.deepEqual(deliveries('later'), []);
    assert.equal((await engine.outboxState('later'))?.state, 'waiting');
  });

  it('that was due long after it was written is tried as often as one due at once', async () => {
    const dueAt = new Date(Date.now() + 300);
    await scripted.test.store.transaction(async (tx) => {
      await engine.publish(tx, { key: 'old', topic: 'flaky', payload: null, dueAt });
      await sql`update outbox set created_at = now() - interval '3 days' where key = 'old'`.execute(tx);
    });
    // The first failure does not end it: it is old, but was due just now.
    await until(async () => (await engine.outboxState('old'))?.state === 'delivered');
    assert.equal((await engine.outboxState('old'))?.attempts, 2);
  });

  it('is tried again after the delays of its deliverer, then given up with its last error', async () => {
    await publish({ key: 'refused', topic: 'stubborn', payload: null });
    await until(async () => (await engine.outboxState('refused'))?.state === 'dead');
    assert.deepEqual(
      deliveries('refused').map(({ attempt }) => attempt),
      [1, 2, 3],
    );
    assert.deepEqual(await engine.outboxState('refused'), {
      state: 'dead',
      attempts: 3,
      dueAt: null,
      lastError: 'nobody answers',
    });
    assert.equal(await engine.outboxState('unknown'), undefined);
  });
});
