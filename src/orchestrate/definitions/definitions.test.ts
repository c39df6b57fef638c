import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Deliver } from '../../engine/index.ts';
import { createLab, type Lab } from '../lab.test-support.ts';

void suite('definitions of orchestrations', () => {
  let lab: Lab;
  const definitions = () => lab.orchestrate.definitions;

  before(async () => {
    lab = await createLab();
  });
  after(() => lab.close());

  test('leave the job that exists as it is when they are changed, and the other way round', async () => {
    const id = await lab.define([{ component: 'lab.hold', actionParameters: { name: 'snapshot' } }]);
    const job = await lab.start(id);
    await lab.holds.begun('snapshot');
    await definitions().update(lab.scope(), id, { sent: { name: 'renamed', tasks: [{ component: 'lab.echo' }] } });
    lab.holds.release('snapshot');
    const ended = await lab.ended(job.run.number);
    assert.deepEqual(
      ended.tasks.map((task) => task.component),
      ['lab.hold'],
    );
    const { name, tasks } = await definitions().get('1', id);
    assert.deepEqual([name, tasks.length, tasks[0]!.component], ['renamed', 1, 'lab.echo']);
  });

  test('are another project’s business alone', async () => {
    const id = await lab.define([]);
    const foreign = { ...lab.scope(), project: '2' };
    await assert.rejects(definitions().get('2', id), /not found/);
    await assert.rejects(definitions().update(foreign, id, { sent: { name: 'x' } }), /not found/);
    await assert.rejects(definitions().replaceTasks(foreign, id, []), /not found/);
    await assert.rejects(definitions().renewToken(foreign, id), /not found/);
    await assert.rejects(definitions().remove(foreign, id), /not found/);
    assert.deepEqual(await definitions().list('2'), []);
    const held = await lab.store.transaction((tx) => definitions().hold(tx, id, '2'));
    assert.equal(held, undefined);
  });

  test('leave an audit entry for every change, and none for a change that was refused', async () => {
    const id = await lab.define([]);
    await definitions().update(lab.scope(), id, { sent: { name: 'B' } });
    await definitions().replaceTasks(lab.scope(), id, [{ component: 'lab.echo' }]);
    await assert.rejects(definitions().update(lab.scope(), id, { sent: { crontabRecord: 'x' } }));
    await definitions().renewToken(lab.scope(), id);
    await definitions().remove(lab.scope(), id);
    const { rows } = await lab.store.pool.query<{ action: string; face: string }>(
      `select action, face from audit where subject = $1 and face = 'keboola' and action like '%orchestration%' order by id`,
      [String(id)],
    );
    assert.deepEqual(
      rows.map(({ action }) => action),
      [
        'create orchestration',
        'update orchestration',
        'update orchestration',
        'renew token of orchestration',
        'delete orchestration',
      ],
    );
  });

  test('have a schedule exactly while they are active and have a crontab record', async () => {
    const id = await lab.define([], { crontabRecord: '@midnight' });
    const key = `orchestration/${id}`;
    const change = (sent: object) => definitions().update(lab.scope(), id, { sent: { ...sent } });
    assert.notEqual(await lab.scheduler.get(key), undefined);
    assert.equal((await change({ active: false })).nextScheduledTime, null);
    assert.equal(await lab.scheduler.get(key), undefined);
    assert.equal((await change({ crontabRecord: '5 4 * * *' })).nextScheduledTime, null);
    const active = await change({ active: true });
    assert.deepEqual([active.nextScheduledTime?.getUTCHours(), active.nextScheduledTime?.getUTCMinutes()], [4, 5]);
    assert.deepEqual((await lab.scheduler.get(key))?.nextFireAt, active.nextScheduledTime);
    await change({ crontabRecord: null });
    assert.equal(await lab.scheduler.get(key), undefined);
  });

  test('show an instant to come also while no scheduler handles those that pass', async () => {
    const id = await lab.define([], { crontabRecord: '* * * * *' });
    await lab.store.pool.query(
      `update orchestration set next_scheduled_at = now() - interval '3 hours' where id = $1`,
      [id],
    );
    const { nextScheduledTime } = await definitions().get('1', id);
    assert.ok(nextScheduledTime !== null && nextScheduledTime > new Date());
  });

  test('make nothing at all when one part of the making fails', async () => {
    const count = async () => {
      const { rows } = await lab.store.pool.query<{ count: number }>(
        `select (select count(*) from orchestration) + (select count(*) from storage_token) + (select count(*) from schedule)
          + (select count(*) from audit where face = 'keboola') as count`,
      );
      return Number(rows[0]!.count);
    };
    const earlier = await count();
    const { set } = lab.scheduler;
    Object.assign(lab.scheduler, { set: () => Promise.reject(new Error('the schedule is out of order')) });
    await assert.rejects(lab.define([], { crontabRecord: '@daily' }), /out of order/);
    Object.assign(lab.scheduler, { set });
    assert.equal(await count(), earlier);
  });

  test('end their jobs also when the process that deletes them dies before it ends them', async () => {
    const id = await lab.define([{ component: 'lab.hold', actionParameters: { name: 'orphan' } }]);
    const job = await lab.start(id);
    await lab.holds.begun('orphan');
    const { cancel } = lab.engine;
    Object.assign(lab.engine, { cancel: () => Promise.reject(new Error('the process died')) });
    await definitions().remove(lab.scope(), id);
    Object.assign(lab.engine, { cancel });
    const topic = 'orchestration-deleted';
    const deliver = definitions().deliverers[topic] as Deliver;
    const { rows } = await lab.store.pool.query<{ payload: unknown; key: string }>(
      'select key, payload from outbox where topic = $1',
      [topic],
    );
    assert.equal(rows.length, 1);
    await deliver({ id: '1', attempt: 1, topic, key: rows[0]!.key, payload: rows[0]!.payload });
    assert.equal((await lab.ended(job.run.number)).status, 'terminated');
  });
});
