import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { until } from '../../test/support/waiting.ts';
import { createScheduler, fireKey } from './index.ts';
import type { OnFire, Scheduler } from './index.ts';

let test: TestStore;

before(async () => {
  test = await createTestStore();
  await sql`create table fired (key text, due_at timestamptz)`.execute(test.store.db);
});

after(() => test?.close());

const record: OnFire = async (tx, schedule, dueAt) => {
  await sql`insert into fired values (${schedule.key}, ${dueAt})`.execute(tx);
};

function create(catchUpMinutes = 60, onFire: OnFire = record): Scheduler {
  return createScheduler({ store: test.store, onFire: { test: onFire }, catchUpMinutes });
}

async function firesOf(key: string): Promise<Date[]> {
  const { rows } = await sql<{ due: Date }>`select due_at as due from fired where key = ${key} order by 1`.execute(
    test.store.db,
  );
  return rows.map((row) => row.due);
}

async function set(scheduler: Scheduler, key: string, frequency: string): Promise<void> {
  await test.store.transaction((tx) => scheduler.set(tx, { key, frequency }));
}

/** As if nobody had been there since then. */
async function dueSince(key: string, ago: string): Promise<void> {
  await sql`update schedule set next_fire_at = now() - ${ago}::interval where key = ${key}`.execute(test.store.db);
}

describe('the scheduler', () => {
  it('fires each instant exactly once with three schedulers', async () => {
    const schedulers = [create(), create(), create()];
    await set(schedulers[0]!, 'test/second', '@every 1s');
    const ticking = schedulers.map((scheduler) => scheduler.start());
    await until('four fires', async () => (await firesOf('test/second')).length >= 4);
    for (const one of ticking) await one.stop();
    await test.store.transaction((tx) => schedulers[0]!.remove(tx, 'test/second'));
    const times = (await firesOf('test/second')).map((due) => due.getTime());
    assert.equal(new Set(times).size, times.length);
    assert.ok(times.every((time) => time % 1000 === 0));
  });

  it('makes up once for all instants that were missed', async () => {
    const scheduler = create();
    await set(scheduler, 'test/missed', '1-minutes');
    await dueSince('test/missed', '3 days');
    assert.equal(await scheduler.tick(), 1);
    assert.equal(await scheduler.tick(), 0);
    const [due, ...more] = await firesOf('test/missed');
    assert.ok(due && Date.now() - due.getTime() < 120_000, 'it is the newest instant');
    assert.equal(more.length, 0);
    assert.ok((await scheduler.get('test/missed'))!.nextFireAt! > new Date());
  });

  it('does not make up for an instant that is too old', async () => {
    const scheduler = create(60);
    await set(scheduler, 'test/old', '0 0 1 1 *');
    await dueSince('test/old', '2 hours');
    assert.equal(await scheduler.tick(), 1);
    assert.deepEqual(await firesOf('test/old'), []);
    assert.ok((await scheduler.get('test/old'))!.nextFireAt! > new Date());
  });

  it('does not fire what is paused or held, and counts from now afterwards', async () => {
    const scheduler = create();
    const { store } = test;
    const switches = [
      [scheduler.pause, scheduler.resume],
      [scheduler.hold, scheduler.release],
    ] as const;
    for (const [off, on] of switches) {
      await set(scheduler, 'test/off', '1-hours');
      await store.transaction((tx) => off(tx, 'test/off'));
      await dueSince('test/off', '1 minute');
      assert.equal(await scheduler.tick(), 0);
      await store.transaction((tx) => on(tx, 'test/off'));
      assert.equal(await scheduler.tick(), 0);
      assert.ok((await scheduler.get('test/off'))!.nextFireAt! > new Date());
    }
    assert.deepEqual(await firesOf('test/off'), []);
    await store.transaction((tx) => scheduler.remove(tx, 'test/off'));
    assert.equal(await scheduler.get('test/off'), undefined);
  });

  it('goes on after a handler that fails, without its writes', async () => {
    const scheduler = create(60, async (tx, schedule, dueAt) => {
      await record(tx, schedule, dueAt);
      throw new Error('no run today');
    });
    await set(scheduler, 'test/failing', '1-hours');
    await dueSince('test/failing', '1 second');
    assert.equal(await scheduler.tick(), 1);
    assert.deepEqual(await firesOf('test/failing'), []);
    assert.ok((await scheduler.get('test/failing'))!.nextFireAt! > new Date());
  });

  it('keeps an instant due while the database cannot do what it takes, and sees to the others', async () => {
    let isSlow = true;
    const scheduler = create(60, async (tx, schedule, dueAt) => {
      await record(tx, schedule, dueAt);
      if (!isSlow || schedule.key !== 'test/slow') return;
      await sql`set local statement_timeout = 20`.execute(tx);
      await sql`select pg_sleep(10)`.execute(tx);
    });
    for (const key of ['test/slow', 'test/quick']) {
      await set(scheduler, key, '1-hours');
      await dueSince(key, '1 second');
    }
    assert.equal(await scheduler.tick(), 1);
    assert.equal((await firesOf('test/quick')).length, 1);
    assert.deepEqual(await firesOf('test/slow'), []);
    isSlow = false;
    assert.equal(await scheduler.tick(), 1);
    assert.equal((await firesOf('test/slow')).length, 1);
    assert.equal((await firesOf('test/quick')).length, 1);
  });

  it('leaves schedules of others alone, and stores nothing it does not understand', async () => {
    const scheduler = create();
    await set(scheduler, 'other/1', '1-hours');
    await dueSince('other/1', '1 minute');
    assert.equal(await scheduler.tick(), 0);
    await assert.rejects(set(scheduler, 'test/bad', 'sometimes'), { kind: 'bad_request' });
    assert.equal(await scheduler.get('test/bad'), undefined);
    await assert.rejects(
      test.store.transaction((tx) => scheduler.set(tx, { key: 'test/bad', frequency: 'daily', zone: 'Mars/Olympus' })),
      { kind: 'bad_request' },
    );
  });

  it('names the run of an instant by key and instant', () => {
    assert.equal(fireKey({ key: 'a/1' }, new Date(0)), 'a/1@1970-01-01T00:00:00.000Z');
  });
});
