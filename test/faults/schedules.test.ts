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
import { openScheduleRooms } from './support/schedule-process.ts';

const ORCHESTRATIONS = 300;
const TICKS = 4;
const PATIENCE_MS = 90_000;

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
  const { rows } = await store.pool.query<{ id: number }>('select id from users limit 1');
  const principal = { userId: rows[0]!.id, username: 'admin', role: 'admin', sessionId: null } as const;
  const token = await rooms.access.tokens.masterOf(principal);
  const project = String(rooms.config.projectId);
  const caller = { token, userAgent: 'test', parentPath: null };
  const { id } = await rooms.orchestrate.definitions.create(
    { project, caller, actor: { principal, face: 'keboola' } },
    { name: 'Tick', overlap: 'enqueue', crontabRecord: '0 0 29 2 *', tasks: [{ component: 'none', active: false }] },
  );
  await store.pool.query(
    `insert into orchestration (project, name, crontab, overlap, token_id, tasks, notifications, created_by)
     select project, name, crontab, overlap, token_id, tasks, notifications, created_by
     from orchestration, generate_series(2, ${ORCHESTRATIONS}) where id = ${id}`,
  );
  await store.pool.query(
    `insert into schedule (key, frequency) select 'orchestration/' || id, '0 0 29 2 *' from orchestration
     on conflict do nothing`,
  );
  await rooms.engine.close();
  await rooms.store.close();
}

describe('schedules under kill -9 of the processes that tick', () => {
  it('make one job for each tick: none is lost, none comes twice', async (context) => {
    await define();
    const script = join(import.meta.dirname, 'support', 'schedule-process.ts');
    for (let number = 0; number < 3; number++) processes.push(keepProcess(script, [postgres.url, dataDir]));
    let kills = 0;
    for (let tick = 1; tick <= TICKS; tick++) {
      await store.pool.query(`update schedule set next_fire_at = date_trunc('second', clock_timestamp())`);
      // In the middle of it, as soon as the first jobs of this tick are there.
      const earlier = (tick - 1) * ORCHESTRATIONS;
      await until('the first jobs', async () => (await count('select count(*) as n from orchestration_job')) > earlier);
      if (processes[tick % 3]!.kill()) kills += 1;
      await until(
        'all schedules',
        async () => (await count('select count(*) as n from schedule where next_fire_at <= now()')) === 0,
      );
      await delay(1000);
    }
    await until(
      'the ends of all jobs',
      async () => (await count('select count(*) as n from run where ended_at is null')) === 0,
    );
    const jobs = await count('select count(*) as n from orchestration_job');
    const doubled = await count(`select count(*) as n from (
      select 1 from orchestration_job group by orchestration_id, scheduled_at having count(*) > 1) as doubled`);
    const perOrchestration = await count(`select count(*) as n from (
      select 1 from orchestration_job group by orchestration_id having count(*) = ${TICKS}) as whole`);
    context.diagnostic(JSON.stringify({ kills, jobs }));
    assert.equal(doubled, 0);
    assert.equal(jobs, ORCHESTRATIONS * TICKS);
    assert.equal(perOrchestration, ORCHESTRATIONS);
    const { rows: others } = await store.pool.query(
      `select state, error::text, count(*) from run where state <> 'succeeded' group by 1, 2`,
    );
    assert.deepEqual(others, []);
    assert.equal(await count('select count(*) as n from orchestration_tick'), 0);
    assert.ok(kills >= 3, `${kills} kills`);
  });
});

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `not in time: ${what}`);
    await delay(20);
  }
}
