import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createTestStore, type TestStore } from '../../test/support/database.ts';
import { makeOnce } from './repeats.ts';
import type { Caller } from './types.ts';

void suite('a request with an idempotency key', () => {
  let database: TestStore;
  let made = 0;
  const callerOf = (id: number, key?: string): Caller =>
    ({ token: { id }, userAgent: '', parentPath: null, ...(key !== undefined && { idempotencyKey: key }) }) as Caller;
  const make = (caller: Caller, body: unknown, path = '/run') =>
    database.store.transaction((tx) => makeOnce(tx, { caller, path, body }, async () => `run-${++made}`));

  before(async () => {
    database = await createTestStore();
  });
  after(() => database.close());

  test('is answered with what was made first, for the same token, path and body in any order of keys', async () => {
    const first = await make(callerOf(1, 'k'), { config: 7, tasks: [{ a: 1, b: 2 }] });
    assert.deepEqual(first, { made: 'run-1', isRepeat: false });
    const again = await make(callerOf(1, 'k'), { tasks: [{ b: 2, a: 1 }], config: 7 });
    assert.deepEqual(again, { made: 'run-1', isRepeat: true });
    const others = [await make(callerOf(2, 'k'), {}), await make(callerOf(1, 'k'), {}, '/jobs/7/retry')];
    assert.deepEqual(
      others.map(({ isRepeat }) => isRepeat),
      [false, false],
    );
  });

  test('is a conflict with another body', async () => {
    await make(callerOf(3, 'k'), { config: 7 });
    await assert.rejects(make(callerOf(3, 'k'), { config: '7' }), /used before with another body/);
    await assert.rejects(make(callerOf(3, 'k'), [{ config: 7 }]), /used before with another body/);
  });

  test('is new after 24 hours, and old keys are removed', async () => {
    const old = await make(callerOf(4, 'old'), { a: 1 });
    await make(callerOf(4, 'other'), { a: 1 });
    await database.store.pool.query(
      `update orchestration_request set created_at = created_at - interval '25 hours' where token_id = 4`,
    );
    const again = await make(callerOf(4, 'old'), { a: 2 });
    assert.equal(again.isRepeat, false);
    assert.notEqual(again.made, old.made);
    const { rows } = await database.store.pool.query('select key from orchestration_request where token_id = 4');
    assert.deepEqual(rows, [{ key: 'old' }]);
  });

  test('leaves nothing when making fails: the next one makes it', async () => {
    const failing = database.store.transaction((tx) =>
      makeOnce(tx, { caller: callerOf(5, 'k'), path: '/run', body: {} }, () => Promise.reject(new Error('no'))),
    );
    await assert.rejects(failing, /no/);
    assert.equal((await make(callerOf(5, 'k'), {})).isRepeat, false);
  });

  test('is made once when many come at once, and each time without a key', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => make(callerOf(6, 'k'), {})));
    assert.equal(new Set(all.map((one) => one.made)).size, 1);
    assert.equal(all.filter(({ isRepeat }) => !isRepeat).length, 1);
    const [one, other] = [await make(callerOf(6), {}), await make(callerOf(6), {})];
    assert.notEqual(one.made, other.made);
  });
});
