import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { OpenConnection } from '../../src/sync/attempt/work.ts';
import { createFollowed, publish } from './changes-support.ts';
import { assertNoOrphans, assertRows, SWEEP } from './lake-checks.ts';
import { startCuttingProxy } from './support/cutting-proxy.ts';
import type { CuttingProxy } from './support/cutting-proxy.ts';
import { startMortalPostgres } from './support/mortal-postgres.ts';
import type { MortalPostgres } from './support/mortal-postgres.ts';
import { createJob } from './sync-support.ts';
import { lakeRows, sourceRows } from './support/orders.ts';
import type { LakeJob, Outcome } from './sync-support.ts';

const LOST = ['connection_lost', 'unreachable'];

let source: MortalPostgres;
let proxy: CuttingProxy;

before(async () => {
  source = await startMortalPostgres();
  await createFollowed(source, 3000);
  await publish(source);
  proxy = await startCuttingProxy(source.config);
});
after(async () => {
  await proxy?.close();
  await source?.stop();
});

function connectionBy(port: number, changes: boolean): OpenConnection {
  const log = { type: 'CDC', replication_slot: 'lake', publication: 'lake_tables', initial_wait_time: 120 };
  const update_method = changes ? log : { type: 'Standalone' };
  return { type: 'postgres', config: { ...source.config, port, retry_count: 0, update_method } };
}

async function withJob(
  mode: 'full_refresh' | 'cdc',
  port: number,
  work: (job: LakeJob) => Promise<void>,
): Promise<void> {
  const connection = connectionBy(port, mode === 'cdc');
  const job = await createJob(source, { destination: 'iceberg', mode, streams: ['orders'], connection });
  try {
    succeeded(await job.attempt());
    await work(job);
  } finally {
    await job.remove();
  }
}

function succeeded({ failure }: Outcome, place = 'a run'): void {
  assert.equal(failure, undefined, `${place}: ${failure?.message}`);
}

function assertLost({ failure }: Outcome, place: string): void {
  assert.ok(
    failure && LOST.includes(failure.kind),
    `${place}: ${failure?.kind ?? 'it succeeded'}: ${failure?.message}`,
  );
  assert.equal(failure.toRecord().retryable, true, place);
  assert.equal(failure.toRecord().blame, 'operator', place);
}

async function assertWhole(job: LakeJob, place: string): Promise<void> {
  const rows = (await job.read()).filter((row) => row['_op_type'] !== 'd');
  assert.equal(new Set(rows.map((row) => row['_olake_id'])).size, rows.length, `${place}: a row twice`);
  assertRows(lakeRows(rows), await sourceRows(source), place);
  assert.equal((await job.maintain(SWEEP)).failure, undefined, place);
  await assertNoOrphans(job, place);
}

let changes = 0;
async function changeMuch(): Promise<void> {
  changes++;
  await source.run(`update orders set name = 'changed ${changes} ' || id; delete from orders where id = ${changes}`);
}

describe('a source server that is killed and comes back', () => {
  for (const [mode, points] of [
    ['full_refresh', ['iceberg.data-file-started', 'sync.chunk-read', 'sync.published']],
    ['cdc', ['sync.log-read', 'iceberg.before-swap', 'sync.log-state-saved']],
  ] as const) {
    it(`costs a run an attempt and no row: ${mode}`, async () => {
      await withJob(mode, source.config.port, async (job) => {
        for (const point of points) {
          await changeMuch();
          const old = await job.read();
          let killed = false;
          const lost = await job.attempt({
            run: `run-${point}`,
            onPoint(name) {
              if (killed || name !== point) return;
              killed = true;
              source.kill();
            },
          });
          assert.ok(killed, `${point} was not reached`);
          // What needs nothing of the source any more may end well.
          if (lost.failure) assertLost(lost, point);
          const now = await job.read();
          assert.ok(now.length >= Math.min(old.length, 2900), `${point}: ${now.length} rows`);
          const away = await job.attempt({ run: `run-${point}` });
          assertLost(away, `${point}, while it is away`);
          await source.revive();
          succeeded(await job.attempt({ run: `run-${point}` }), point);
          await assertWhole(job, point);
        }
      });
    });
  }

  it('and has lost the slot, as a standby that took over: the run says so and the tables are loaded anew', async () => {
    await withJob('cdc', source.config.port, async (job) => {
      await changeMuch();
      source.kill();
      await source.revive();
      await source.run(`select pg_drop_replication_slot('lake')`);
      const { failure } = await job.attempt();
      assert.match(failure!.message, /"lake" does not exist/);
      assert.equal(failure!.toRecord().retryable, false);
      await source.run(`select pg_create_logical_replication_slot('lake', 'pgoutput')`);
      const outcome = await job.attempt();
      succeeded(outcome);
      assert.ok(outcome.result!.warnings > 0, 'no warning of lost changes');
      await assertWhole(job, 'after the new slot');
    });
  });
});

describe('a connection that is reset', () => {
  for (const mode of ['full_refresh', 'cdc'] as const) {
    it(`after any number of bytes costs a run an attempt and no row: ${mode}`, async () => {
      await withJob(mode, proxy.port, async (job) => {
        let lost = 0;
        // From the greeting over the catalog's answers to the middle of rows.
        for (const bytes of [0, 400, 3000, 20_000, 60_000, 120_000]) {
          await changeMuch();
          const cutBefore = proxy.cuts;
          proxy.cutAfter(bytes);
          const outcome = await job.attempt({ run: `run-${bytes}` });
          proxy.cutAfter(Infinity);
          if (proxy.cuts > cutBefore && outcome.failure) {
            assertLost(outcome, `${bytes} bytes`);
            lost++;
          }
          succeeded(await job.attempt({ run: `run-${bytes}` }), `${bytes} bytes`);
          await assertWhole(job, `${bytes} bytes`);
        }
        assert.ok(lost >= 3, `only ${lost} runs failed`);
      });
    });
  }
});
