import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { installQueue } from '../../src/engine/index.ts';
import { connectStore, migrate, readMigrations } from '../../src/store/index.ts';
import type { EmbeddedPostgres, Store } from '../../src/store/index.ts';
import { createWorld } from '../../src/world.ts';
import { startTestPostgres } from '../support/postgres.ts';
import { freePort, until } from '../support/waiting.ts';
import { chaosTables } from './support/chaos-engine.ts';
import { keepProcess, killTree } from './support/processes.ts';
import type { KeptProcess } from './support/processes.ts';

/** Length of the storm; a shorter one for a quick look. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 90);
const KILL_EVERY_MS = 2000;
const CLIENTS = 4;
const DRAIN_MS = 60_000;

let postgres: EmbeddedPostgres;
let store: Store;
const processes: KeptProcess[] = [];

before(async () => {
  postgres = await startTestPostgres({ durable: true, supervise: true });
  store = await connectStore({ url: postgres.url, world: createWorld() });
  await migrate(store.pool, await readMigrations());
  await installQueue(store);
  await store.pool.query(chaosTables);
});

after(async () => {
  for (const process of processes) await process.stop();
  await store?.close();
  await postgres?.stop();
});

describe('the engine under kill -9 of api, workers and database', () => {
  it('loses no acknowledged run, doubles no effect, keeps the order and drains', async (context) => {
    const port = await freePort();
    const start = (script: string, ...args: string[]): KeptProcess => {
      const kept = keepProcess(join(import.meta.dirname, 'support', script), [postgres.url, ...args]);
      processes.push(kept);
      return kept;
    };
    const api = start('chaos-api.ts', String(port));
    const workers = [start('chaos-worker.ts'), start('chaos-worker.ts')];
    const victims = [
      () => api.kill(),
      () => workers[0]!.kill(),
      () => (killTree(postgres.pid()), true),
      () => workers[1]!.kill(),
    ];

    const storm = new AbortController();
    const acknowledged = new Map<string, string>();
    const clients = Array.from({ length: CLIENTS }, (_, number) =>
      runClient({ number, port, storm: storm.signal, acknowledged }),
    );
    let kills = 0;
    const end = performance.now() + SECONDS * 1000;
    await until('a first run is accepted', () => acknowledged.size > 0);
    // Longer on a machine that is so busy that little was done to it.
    const isEnough = (): boolean => kills >= SECONDS / 3 && acknowledged.size > SECONDS;
    const last = end + 2 * SECONDS * 1000;
    for (let turn = 0; performance.now() < end || (performance.now() < last && !isEnough()); turn++) {
      await delay(KILL_EVERY_MS);
      // It may be on its way up still.
      await until('a process to kill', () => victims[turn % victims.length]!());
      kills += 1;
    }
    storm.abort();
    await Promise.all(clients);
    const drainFrom = performance.now();
    await until('everything has ended and was delivered', () => isDrained().catch(() => false), DRAIN_MS);
    const drainSeconds = (performance.now() - drainFrom) / 1000;

    const found = await examine(acknowledged);
    context.diagnostic(JSON.stringify({ kills, acknowledged: acknowledged.size, drainSeconds, ...found }));
    assert.ok(kills >= Math.floor(SECONDS / 3), `${kills} kills`);
    assert.ok(acknowledged.size > SECONDS, `only ${acknowledged.size} runs were accepted`);
    assert.equal(found.lost, 0);
    assert.equal(found.notSucceeded, 0);
    assert.equal(found.missingEffects, 0);
    assert.equal(found.doubledEffects, 0);
    assert.equal(found.orderViolations, 0);
    assert.equal(found.laneOverlaps, 0);
    assert.equal(found.doubledChildren, 0);
    assert.equal(found.inLine, 0);
    assert.equal(found.undelivered, 0);
  });
});

interface Client {
  readonly number: number;
  readonly port: number;
  readonly storm: AbortSignal;
  readonly acknowledged: Map<string, string>;
}

/** Starts one run after another; repeats each with the same key until it is acknowledged. */
async function runClient({ number, port, storm, acknowledged }: Client): Promise<void> {
  for (let count = 0; !storm.aborted; count++) {
    const key = `client-${number}-run-${count}`;
    for (;;) {
      const runId = await post(`http://127.0.0.1:${port}/${key}`);
      if (runId !== undefined) {
        acknowledged.set(key, runId);
        break;
      }
      // What was sent may have been stored all the same; it is not acknowledged, so nothing is promised.
      if (storm.aborted) return;
      await delay(100);
    }
    await delay(100);
  }
}

async function post(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(10_000) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

async function isDrained(): Promise<boolean> {
  const { rows } = await sql<{ left: number }>`
    select (select count(*) from run where ended_at is null)
      + (select count(*) from outbox where delivered_at is null) as left`.execute(store.db);
  return rows[0]?.left === 0;
}

async function examine(acknowledged: ReadonlyMap<string, string>) {
  const count = async (statement: ReturnType<typeof sql<{ n: number }>>): Promise<number> =>
    (await statement.execute(store.db)).rows[0]!.n;
  const keys = [...acknowledged.keys()];
  const ids = [...acknowledged.values()];
  return {
    runs: await count(sql`select count(*) as n from run`),
    attempts: await count(sql`select count(*) as n from attempt`),
    lostLeases: await count(sql`select count(*) as n from attempt where outcome = 'worker_lost'`),
    lost: await count(sql`select count(*) as n from unnest(${keys}::text[], ${ids}::text[]) as known (key, id)
      where not exists (select 1 from run where run.id = known.id and run.idempotency_key = known.key)`),
    notSucceeded: await count(sql`select count(*) as n from run where state <> 'succeeded'`),
    missingEffects: await count(sql`select count(*) as n from task
      where not exists (select 1 from effect where effect.task_id = task.id)`),
    doubledEffects: await count(sql`select count(*) as n from
      (select task_id from effect group by task_id having count(*) > 1) doubled`),
    orderViolations: await count(sql`select count(*) as n from effect one join effect other
      on other.run_id = one.run_id and other.phase > one.phase and other.id < one.id`),
    // In a lane, the effects of a run are never parted by those of another one.
    laneOverlaps: await count(sql`select count(*) as n from run
      join effect one on one.run_id = run.id join effect other on other.run_id = run.id and other.id > one.id
      where run.lane is not null and exists (
        select 1 from effect between_them join run stranger on stranger.id = between_them.run_id
        where between_them.id > one.id and between_them.id < other.id and stranger.lane = run.lane
          and stranger.id <> run.id)`),
    doubledChildren: await count(sql`select count(*) as n from
      (select parent_task_id from run where parent_task_id is not null group by 1 having count(*) > 1) doubled`),
    inLine: await count(sql`select count(*) as n from admission_line`),
    undelivered: await count(sql`select count(*) as n from run
      where not exists (select 1 from delivery where delivery.key = 'ended/' || run.id)`),
  };
}
