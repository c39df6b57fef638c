import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLab, type Lab } from '../../src/orchestrate/lab.test-support.ts';

const WORKER = fileURLToPath(new URL('support/orchestrate-worker.ts', import.meta.url));
const LEASE_SECONDS = 2;

/** Works on the lab's database in a process of its own until that kills itself at the point. */
async function workUntil(lab: Lab, stopAt: string): Promise<void> {
  const joins = { url: lab.store.url, dataDir: lab.rooms.config.dataDir };
  const options = JSON.stringify({ joins, leaseSeconds: LEASE_SECONDS, stopAt });
  const child = spawn(process.execPath, [WORKER, options], { stdio: 'inherit' });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the worker reached ${stopAt}`);
}

describe('the cancel of a backfill', () => {
  it('ends the jobs that wait although every process dies before, and while, its message is delivered', async () => {
    const lab = await createLab({ works: false, leaseSeconds: LEASE_SECONDS });
    try {
      const { schedules } = lab.orchestrate;
      const orchestrationId = await lab.define([{ component: 'lab.hold', actionParameters: { name: 'first' } }], {
        crontabRecord: '@hourly',
      });
      const sent = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T05:00:00Z', concurrency: 3 };
      const which = await schedules.startBackfill(lab.scope(), { orchestrationId, path: '/backfill', sent });
      const cancelled = await schedules.cancelBackfill(lab.scope(), which);
      // Nobody has told the jobs.
      assert.equal(cancelled.state, 'cancelled');
      assert.deepEqual(
        cancelled.jobs.map(({ status }) => status),
        ['waiting', 'waiting', 'waiting', null, null],
      );
      await workUntil(lab, 'engine.outbox-claimed');
      lab.holds.release('first');
      // The claimed message comes again when the time of its holder has passed; the first job may have begun by then.
      await lab.store.pool.query('update outbox set due_at = now() where due_at is not null');
      await lab.restart();
      await lab.until(async () => {
        lab.holds.release('first');
        const { jobs } = await schedules.getBackfill(lab.scope().project, which);
        return jobs.every(({ status }) => status !== 'waiting' && status !== 'processing' && status !== 'terminating');
      });
      const { state, made, jobs } = await schedules.getBackfill(lab.scope().project, which);
      assert.deepEqual([state, made], ['cancelled', 3]);
      const [first, ...others] = jobs.map(({ status }) => status);
      assert.ok(first === 'cancelled' || first === 'terminated' || first === 'success', `first: ${first}`);
      assert.deepEqual(others, ['cancelled', 'cancelled', null, null]);
    } finally {
      await lab.close();
    }
  });
});
