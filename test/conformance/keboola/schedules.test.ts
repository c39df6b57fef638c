import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import type { ComponentSpec } from '../../../src/components/kit/index.ts';
import { startRig, type Rig } from './rig.ts';

type Json = Record<string, unknown>;

const held = new Map<string, () => void>();
let isHolding = false;

/** Waits while the test holds calls back. */
const work: ComponentSpec = {
  id: 'lab.work',
  name: 'Work',
  description: 'Works.',
  schema: { type: 'object', additionalProperties: true },
  isOffBecause: null,
  async execute({ attempt }) {
    if (isHolding) await new Promise<void>((resolve) => held.set(attempt.run.id, resolve));
    return {};
  },
};

let rig: Rig;
before(async () => {
  rig = await startRig({ components: [work] });
});
after(() => rig?.close());

async function make(more: Json = {}): Promise<number> {
  const tasks = [{ component: work.id }];
  const { body } = await rig.ask('POST', '/orchestrations', {
    body: { name: 'S', crontabRecord: '@hourly', tasks, ...more },
  });
  return (body as Json)['id'] as number;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    assert.ok(performance.now() < end, 'in time');
    await delay(50);
  }
}

async function get(path: string): Promise<Json> {
  const { status, body } = await rig.ask('GET', path);
  assert.equal(status, 200);
  return body as Json;
}

function release(): void {
  isHolding = false;
  for (const letGo of held.values()) letGo();
  held.clear();
}

void describe('the schedule of an orchestration', () => {
  it('is shown with its next five ticks and changed with the checks of orchestrations', async () => {
    const id = await make();
    const path = `/orchestrations/${id}/schedule`;
    const first = await get(path);
    assert.deepEqual(
      [first['crontabRecord'], first['zone'], first['overlap'], first['catchUp'], first['active'], first['lastError']],
      ['@hourly', 'UTC', 'coalesce', 'one', true, null],
    );
    assert.deepEqual(first['skippedTicks'], []);
    const runs = first['nextRuns'] as string[];
    assert.equal(runs.length, 5);
    assert.equal(runs[0], first['nextScheduledTime']);
    assert.match(runs[0]!, /^\d{4}-\d\d-\d\dT\d\d:00:00\+00:00$/);
    const sent = {
      zone: 'Europe/Berlin',
      overlap: 'skip',
      catchUp: 'none',
      crontabRecord: '30 3 * * *',
      name: 'ignored',
    };
    const { status, body } = await rig.ask('PUT', path, { body: sent });
    assert.equal(status, 200);
    assert.deepEqual(body, await get(path));
    const detail = await get(`/orchestrations/${id}`);
    assert.deepEqual(
      [detail['name'], detail['zone'], detail['overlap'], detail['catchUp']],
      ['S', 'Europe/Berlin', 'skip', 'none'],
    );
    assert.equal(detail['nextScheduledTime'], (body as Json)['nextScheduledTime']);
    await rig.ask('PUT', path, { body: { active: false } });
    assert.deepEqual((await get(path))['nextRuns'], []);
    for (const [field, value] of Object.entries({
      zone: 'Mars/Olympus',
      overlap: 'wait',
      catchUp: 'two',
      crontabRecord: '* * *',
      active: 'no',
    })) {
      const refused = await rig.ask('PUT', path, { body: { [field]: value } });
      assert.equal(refused.status, 400);
      assert.match(String((refused.body as Json)['message']), new RegExp(`^${field}: `));
    }
    assert.equal((await get(path))['zone'], 'Europe/Berlin');
    assert.equal((await rig.ask('GET', '/orchestrations/999999/schedule')).status, 404);
    assert.equal((await rig.ask('GET', path, { token: null })).status, 401);
  });

  it('shows the ticks that made no job', async () => {
    const id = await make({ crontabRecord: '* * * * *' });
    await sql`update schedule set next_fire_at = date_trunc('minute', now()) - interval '2 minutes'
      where key = ${`orchestration/${id}`}`.execute(rig.store.db);
    await rig.scheduler.tick();
    const { skippedTicks } = (await get(`/orchestrations/${id}/schedule`)) as { skippedTicks: Json[] };
    assert.ok(skippedTicks.length >= 2);
    assert.deepEqual(Object.keys(skippedTicks[0]!), ['scheduledTime', 'outcome', 'reason', 'job']);
    assert.equal(skippedTicks[0]!['outcome'], 'missed');
  });
});

void describe('a backfill', () => {
  const interval = { from: '2026-01-01T00:00:00+00:00', to: '2026-01-01T05:00:00Z' };

  it('makes a job for each tick of the interval, and lets others have their turn', async () => {
    const id = await make();
    isHolding = true;
    const { status, body } = await rig.ask('POST', `/orchestrations/${id}/backfill`, { body: interval });
    assert.equal(status, 202);
    const begun = body as { id: number; status: string; counts: Json; jobs: Json[] };
    assert.equal(begun.status, 'active');
    assert.deepEqual(begun.counts, { total: 5, created: 1, finished: 0, failed: 0 });
    assert.deepEqual(
      begun.jobs.map((job) => job['logicalTime']),
      [0, 1, 2, 3, 4].map((hour) => `2026-01-01T0${hour}:00:00+00:00`),
    );
    const manual = (await rig.ask('POST', `/orchestrations/${id}/jobs`, { body: {} })).body as Json;
    assert.equal((await rig.ask('POST', `/orchestrations/${id}/backfill`, { body: interval })).status, 409);
    await until(async () => held.size > 0);
    release();
    const path = `/orchestrations/${id}/backfills/${begun.id}`;
    await until(async () => (await get(path))['status'] === 'done');
    const done = (await get(path)) as { jobs: Json[]; counts: Json; endTime: string };
    assert.deepEqual(done.counts, { total: 5, created: 5, finished: 5, failed: 0 });
    assert.notEqual(done.endTime, null);
    const ids = done.jobs.map((job) => job['id'] as number);
    assert.ok(ids[0]! < (manual['id'] as number) && (manual['id'] as number) < ids[1]!, 'a manual job comes between');
    const job = await get(`/jobs/${ids[3]}`);
    assert.equal(job['logicalTime'], '2026-01-01T03:00:00+00:00');
    assert.equal(job['scheduledTime'], undefined);
    const retried = (await rig.ask('POST', `/jobs/${ids[3]}/retry`, { body: {} })).body as Json;
    assert.equal(retried['logicalTime'], '2026-01-01T03:00:00+00:00');
    assert.deepEqual(
      ((await rig.ask('GET', `/orchestrations/${id}/backfills`)).body as Json[]).map((one) => one['id']),
      [begun.id],
    );
  });

  it('can be cancelled: what waits is cancelled, what runs goes on, nothing follows', async () => {
    const id = await make();
    isHolding = true;
    const asked = { body: { ...interval, concurrency: 2 }, headers: { 'x-idempotency-key': 'once' } };
    const begun = (await rig.ask('POST', `/orchestrations/${id}/backfill`, asked)).body as { id: number };
    assert.equal(((await rig.ask('POST', `/orchestrations/${id}/backfill`, asked)).body as Json)['id'], begun.id);
    const path = `/orchestrations/${id}/backfills/${begun.id}`;
    await until(async () => held.size > 0);
    assert.equal((await rig.ask('DELETE', path)).status, 204);
    const statuses = async () => ((await get(path)) as { jobs: Json[] }).jobs.map((job) => job['status']);
    await until(async () => (await statuses())[1] === 'cancelled');
    release();
    await until(async () => (await statuses())[0] === 'success');
    assert.deepEqual(await statuses(), ['success', 'cancelled', null, null, null]);
    assert.equal((await get(path))['status'], 'cancelled');
    assert.equal((await rig.ask('DELETE', path)).status, 409);
    assert.equal((await rig.ask('GET', `/orchestrations/${id}/backfills/999999`)).status, 404);
  });

  it('is refused with the field that is wrong', async () => {
    const id = await make();
    const bad: [Json, RegExp][] = [
      [{ ...interval, from: 'yesterday' }, /^from: /],
      [{ ...interval, from: 5 }, /^from: /],
      [{ ...interval, to: interval.from }, /^to: /],
      [{ ...interval, to: '2999-01-01T00:00:00Z' }, /^to: /],
      [{ ...interval, from: '2020-01-01T00:00:00Z' }, /^to: the interval holds more than 1000/],
      [{ from: '2026-01-01T00:10:00Z', to: '2026-01-01T00:20:00Z' }, /^from: /],
      [{ ...interval, concurrency: 11 }, /^concurrency: /],
    ];
    for (const [body, message] of bad) {
      const refused = await rig.ask('POST', `/orchestrations/${id}/backfill`, { body });
      assert.equal(refused.status, 400, JSON.stringify(body));
      assert.match(String((refused.body as Json)['message']), message);
    }
    for (const more of [{ crontabRecord: null }, { tasks: [] }]) {
      const other = await make(more);
      assert.equal((await rig.ask('POST', `/orchestrations/${other}/backfill`, { body: interval })).status, 400);
    }
  });
});
