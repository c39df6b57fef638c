/**
 * Figures of schedules, each of which makes a job of an orchestration with one trivial task; worker and scheduler in one
 * process, as `serve` runs them. Two cases, one after the other: as people spread them, each schedule every ten minutes
 * and a tenth of them at each minute; and the worst, all at the same instant. Lateness is counted from the nominal time to
 * the commit of the job's rows, both by the database's clock.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ComponentSpec } from '../src/components/kit/index.ts';
import { readConfig } from '../src/config.ts';
import { installQueue } from '../src/engine/index.ts';
import { connectStore, migrate, readMigrations, type Store } from '../src/store/index.ts';
import { createWorld } from '../src/world.ts';
import { openOrchestrate } from '../test/support/orchestrate-room.ts';
import { startTestPostgres } from '../test/support/postgres.ts';
import type { Figure, Scale } from './figures.ts';

const SCHEDULES = 10_000;
const SMOKE_SCHEDULES = 200;
/** Every ten minutes, at any of these: so many are due at each. */
const MINUTES = 10;
const PATIENCE_MS = 120_000;

const nothing: ComponentSpec = {
  id: 'bench.nothing',
  name: 'Nothing',
  description: 'Does nothing.',
  schema: { type: 'object', additionalProperties: false },
  isOffBecause: null,
  execute: async () => ({}),
};

/** Measures on a fresh, durable PostgreSQL of its own. */
export async function measure({ smoke }: Scale): Promise<readonly Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'penstock-bench-'));
  const postgres = await startTestPostgres({ durable: true, settings: { track_commit_timestamp: 'on' } });
  const store = await connectStore({ url: postgres.url, world: createWorld() });
  try {
    await migrate(store.pool, await readMigrations());
    await installQueue(store);
    const lane = await open(store, dataDir);
    try {
      const count = smoke ? SMOKE_SCHEDULES : SCHEDULES;
      await copy(lane, count);
      const tenth = count / MINUTES;
      return [
        ...(await fireAtOnce(
          lane,
          tenth,
          `${count} schedules, each every ten minutes, ${tenth} of them at this minute`,
        )),
        ...(await fireAtOnce(lane, count, `${count} schedules, all at the same instant`)),
      ];
    } finally {
      await lane.close();
    }
  } finally {
    await store.close();
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

type Opened = Awaited<ReturnType<typeof open>>;

async function open(store: Store, dataDir: string) {
  const config = readConfig({ PENSTOCK_DATA_DIR: dataDir, PENSTOCK_ADMIN_PASSWORD: 'x', PENSTOCK_PARALLELISM: '100' });
  const rooms = await openOrchestrate({ store, config, engine: { slots: 16 }, specs: [nothing] });
  const { id } = await rooms.orchestrate.definitions.create(await rooms.asAdmin(), {
    name: 'Bench',
    crontabRecord: '0 0 1 1 *',
    tasks: [{ component: nothing.id, actionParameters: {} }],
  });
  const worker = await rooms.engine.startWorker();
  const ticking = rooms.scheduler.start();
  return {
    store,
    first: id,
    async close() {
      await ticking.stop();
      await worker.stop(0);
      await rooms.close();
    },
  };
}

/** Copies one orchestration and its schedule; none is due. */
async function copy({ store, first }: Opened, count: number): Promise<void> {
  const { pool } = store;
  await pool.query(
    `insert into orchestration (project, name, crontab, token_id, tasks, notifications, created_by)
     select project, name || ' ' || n, crontab, token_id, tasks, notifications, created_by
     from orchestration, generate_series(2, ${count}) n where id = ${first}`,
  );
  await pool.query(
    `insert into schedule (key, frequency, zone, next_fire_at)
     select 'orchestration/' || id, '0 0 1 1 *', 'UTC', 'infinity' from orchestration where id <> ${first}`,
  );
  await pool.query('vacuum analyze');
}

/** Makes the first schedules due at one instant, the others within the minutes after, and waits for the end of every job. */
async function fireAtOnce({ store }: Opened, due: number, name: string): Promise<readonly Figure[]> {
  const { pool } = store;
  const { rows } = await pool.query<{ at: Date }>(
    `select date_trunc('second', clock_timestamp()) + interval '3 seconds' as at`,
  );
  const { at } = rows[0]!;
  await pool.query(
    `update schedule set next_fire_at = $1::timestamptz + (place / ${due}) * interval '1 minute'
     from (select key, row_number() over (order by key) - 1 as place from schedule) as placed
     where placed.key = schedule.key`,
    [at],
  );
  const ended = async (): Promise<number> => {
    const found = await pool.query<{ n: number }>(
      `select count(*)::float8 as n from run join orchestration_job job on job.run_id = run.id
       where scheduled_at = $1 and ended_at is not null`,
      [at],
    );
    return found.rows[0]!.n;
  };
  const end = performance.now() + PATIENCE_MS;
  while ((await ended()) < due) {
    if (performance.now() > end) throw new Error(`only ${await ended()} of ${due} jobs ended in time`);
    await delay(1000);
  }
  await pool.query(`update schedule set next_fire_at = 'infinity'`);
  return readFigures(store, { at, due, name });
}

interface Instant {
  readonly at: Date;
  readonly due: number;
  readonly name: string;
}

async function readFigures({ pool }: Store, { at, due, name }: Instant): Promise<readonly Figure[]> {
  const { rows } = await pool.query<Record<'jobs' | 'late50' | 'late99' | 'begun50' | 'begun99' | 'rate', number>>(
    `
    with job as (
      select pg_xact_commit_timestamp(label.xmin) as made, scheduled_at, run.started_at
      from run_label label join run on run.number = label.run_number and label.name = 'config'
      join orchestration_job on orchestration_job.run_id = run.id
      where scheduled_at = $1
    ), late as (
      select extract(epoch from made - scheduled_at) * 1000 as ms, extract(epoch from started_at - made) * 1000 as begun
      from job
    )
    select count(*)::float8 as jobs, (select count(*) / extract(epoch from max(started_at) - min(scheduled_at)) from job)::float8 as rate,
      percentile_cont(0.5) within group (order by ms)::float8 as late50,
      percentile_cont(0.99) within group (order by ms)::float8 as late99,
      percentile_cont(0.5) within group (order by begun)::float8 as begun50,
      percentile_cont(0.99) within group (order by begun)::float8 as begun99
    from late`,
    [at],
  );
  const { jobs, late50, late99, begun50, begun99, rate } = rows[0]!;
  if (jobs !== due) throw new Error(`${jobs} jobs for ${due} ticks`);
  return [
    { name: `${name}: lateness of ticks, median`, value: late50, unit: 'ms' },
    { name: `${name}: lateness of ticks, 99 of 100`, value: late99, unit: 'ms', reach: '<= 1000' },
    { name: `${name}: created to processing, median`, value: begun50, unit: 'ms' },
    { name: `${name}: created to processing, 99 of 100`, value: begun99, unit: 'ms' },
    { name: `${name}: jobs begun`, value: rate, unit: 'jobs/s' },
  ];
}
