import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { installQueue } from '../../src/engine/index.ts';
import { connectStore, migrate, readMigrations, type EmbeddedPostgres, type Store } from '../../src/store/index.ts';
import { createWorld } from '../../src/world.ts';
import { startTestPostgres } from '../support/postgres.ts';
import { keepProcess, type KeptProcess } from './support/processes.ts';
import { until } from '../support/waiting.ts';
import { noteKill, testKills } from './points.ts';
import { openScheduleRooms } from './support/schedule-process.ts';

/** More than one process sees to at once. */
const ORCHESTRATIONS = 250;
const TICKS = 4;
/** The instant before the first tick, long ago: ticks are made up for. */
const EPOCH = Date.parse('2026-03-01T00:00:00Z');

let dataDir: string;
let postgres: EmbeddedPostgres;
let store: Store;
const processes: KeptProcess[] = [];

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'schedules-'));
  postgres = await startTestPostgres();
  store = await connectStore({ url: postgres.url, world: createWorld() });
  await migrate(store.pool, await readMigrations());
  await installQueue(store);
});

after(async () => {
  for (const one of processes) await one.stop();
  await store?.close();
  await postgres?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function count(statement: string): Promise<number> {
  return (await store.pool.query<{ n: number }>(statement)).rows[0]!.n;
}

/** Orchestrations with one task that is skipped, and no tick of their own within years but those that the test makes. */
async function define(): Promise<void> {
  const rooms = await openScheduleRooms(postgres.url, dataDir);
  const { id } = await rooms.orchestrate.definitions.create(await rooms.asAdmin(), {
    name: 'Tick',
    overlap: 'enqueue',
    crontabRecord: '0 0 29 2 *',
    tasks: [{ component: 'none', active: false }],
  });
  await store.pool.query(
    `insert into orchestration (project, name, crontab, overlap, token_id, tasks, notifications, created_by)
     select project, name, crontab, overlap, token_id, tasks, notifications, created_by
     from orchestration, generate_series(2, ${ORCHESTRATIONS}) where id = ${id}`,
  );
  await store.pool.query(
    `insert into schedule (key, frequency) select 'orchestration/' || id, '0 0 29 2 *' from orchestration
     on conflict do nothing`,
  );
  await rooms.close();
  await rooms.store.close();
}

/** Makes one tick of every orchestration due; ticks follow each other by a second. */
async function makeDue(tick: number): Promise<void> {
  await store.pool.query(`update schedule set next_fire_at = $1`, [new Date(EPOCH + tick * 1000)]);
}

function jobs(where = 'true'): Promise<number> {
  return count(`select count(*) as n from orchestration_job where ${where}`);
}

async function untilSeen(): Promise<void> {
  await until(
    'all schedules have moved on',
    async () => (await count('select count(*) as n from schedule where next_fire_at <= now()')) === 0,
  );
}

describe('schedules under kill -9 of the processes that tick', () => {
  it('make one job for each tick: none is lost, none comes twice, none is there in part', async (context) => {
    await define();
    const script = join(import.meta.dirname, 'support', 'schedule-process.ts');
    const keep = (role: string): KeptProcess => {
      const kept = keepProcess(script, [postgres.url, dataDir, role]);
      processes.push(kept);
      return kept;
    };
    await makeDue(1);
    const dying = keep('dies');
    await until('a death before the commit', async () => dying.killed() > 0);
    noteKill('orchestrate.ticks-seen');
    const [worker, other] = [keep('works'), keep('ticks')] as const;
    for (let tick = 1; tick <= TICKS; tick++) {
      if (tick > 1) await makeDue(tick);
      await until('the first jobs', async () => (await jobs()) > (tick - 1) * ORCHESTRATIONS);
      // Each time a little later in the work on the tick.
      await delay((tick - 1) * 15);
      (tick % 2 === 0 ? worker : other).kill();
      await untilSeen();
      assert.equal(await jobs(), tick * ORCHESTRATIONS);
    }
    // The clock is put back: a tick that was seen to comes again.
    await makeDue(TICKS);
    await untilSeen();
    const deaths = { worker: worker.killed(), other: other.killed(), dying: dying.killed() };
    for (const one of processes) await one.stop();
    context.diagnostic(JSON.stringify({ deaths, jobs: await jobs() }));
    await assertOneJobForEachTick();
    assert.ok(deaths.worker >= 1 && deaths.other >= 1 && deaths.dying >= 1, JSON.stringify(deaths));
  });
});

async function assertOneJobForEachTick(): Promise<void> {
  assert.equal(await jobs(), ORCHESTRATIONS * TICKS);
  const { rows: perTick } = await store.pool.query(
    `select extract(epoch from scheduled_at)::integer as at, count(distinct orchestration_id)::integer as jobs
     from orchestration_job group by 1 order by 1`,
  );
  const expected = Array.from({ length: TICKS }, (_, tick) => ({ at: EPOCH / 1000 + tick + 1, jobs: ORCHESTRATIONS }));
  assert.deepEqual(perTick, expected);
  assert.equal(await count('select count(*) as n from run'), ORCHESTRATIONS * TICKS);
  const incomplete = await count(
    `select count(*) as n from run where (select count(*) from task where run_id = run.id) <> 2
      or (select count(*) from run_label where run_number = run.number) <> 3
      or (select count(*) from admission_line where run_id = run.id) <> case when ended_at is null then 1 else 0 end`,
  );
  assert.equal(incomplete, 0);
  const { rows: failed } = await store.pool.query(
    `select state, error::text, count(*) from run where state not in ('planned', 'queued', 'running', 'succeeded')
     group by 1, 2`,
  );
  assert.deepEqual(failed, []);
  assert.equal(await count('select count(*) as n from orchestration_tick'), 0);
  assert.equal(await count('select count(*) as n from schedule where last_error is not null'), 0);
}

testKills('schedules');
