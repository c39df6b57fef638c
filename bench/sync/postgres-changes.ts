import type { Client as Postgres } from 'pg';
import { type Figure, median, type Scale } from '../figures.ts';
import { createTrips, insertTrips } from '../tables/index.ts';
import { changesSeconds } from './floors.ts';
import { createJob, runJob } from './jobs.ts';
import { openPostgres, postgresConfig, type Stage } from './stage.ts';

const BACKLOG = 1_000_000;
const SMOKE_BACKLOG = 5000;
const PER_TRANSACTION = 10_000;
export const PUBLICATION = 'bench';

const kinds = [
  { name: 'append', append: true, reach: 0.85 },
  { name: 'upsert', append: false, reach: 0.6 },
] as const;

/** A backlog of changes of one table into Iceberg, against `pg_recvlogical` reading the same changes. */
export async function measureBacklog(stage: Stage, scale: Scale): Promise<readonly Figure[]> {
  const changes = scale.smoke ? SMOKE_BACKLOG : BACKLOG;
  const source = await openPostgres(stage, 'source_changes');
  const { postgres, url } = source;
  try {
    await prepareChanges(postgres, ['bench_floor', ...kinds.map(({ name }) => `bench_${name}`)]);
    const jobs = [];
    for (const { name, append, reach } of kinds) {
      const config = { ...postgresConfig(url), update_method: changesOf(`bench_${name}`) };
      const settings = {
        name: `changes_${name}`,
        type: 'postgres',
        config,
        table: 'trips',
        mode: 'cdc',
        append,
      } as const;
      const job = await createJob(stage, settings);
      // The load of the empty table; what comes after it is read from the log.
      await runJob(stage, job);
      jobs.push({ name, reach, job, rates: [] as number[], peaks: [] as number[] });
    }
    const floors: number[] = [];
    for (let round = 0; round < scale.rounds; round++) {
      await writeBacklog(postgres, 1 + round * changes, changes);
      const upTo = String((await postgres.query('select pg_current_wal_lsn() as at')).rows[0].at);
      const seconds = await changesSeconds(url, { name: 'bench_floor', publication: PUBLICATION, upTo });
      if (seconds !== undefined) floors.push(changes / seconds);
      for (const { job, rates, peaks } of jobs) {
        const ran = await runJob(stage, job);
        if (ran.rows !== changes) throw new Error(`${ran.rows} changes were committed, not ${changes}`);
        rates.push(ran.rate);
        peaks.push(ran.peak);
      }
    }
    const floor = floors.length > 0 ? median(floors) : undefined;
    return [
      ...jobs.flatMap(({ name, reach, rates, peaks }): Figure[] => {
        const who = `PostgreSQL changes, ${name}`;
        const ratio = { name: `${who}: ratio to pg_recvlogical`, unit: '×', reach: `>= ${reach}` };
        return [
          ...(floor === undefined ? [] : [{ ...ratio, value: median(rates) / floor }]),
          { name: `${who}: rate`, value: median(rates), unit: 'changes/s' },
          { name: `${who}: peak memory of a process`, value: Math.max(...peaks), unit: 'MB', reach: '<= 350' },
        ];
      }),
      ...(floor === undefined ? [] : [{ name: 'PostgreSQL changes: floor', value: floor, unit: 'changes/s' }]),
    ];
  } finally {
    await source.stop();
  }
}

/** An empty table `trips`, its publication and the slots. */
export async function prepareChanges(postgres: Postgres, slots: readonly string[]): Promise<void> {
  await createTrips(postgres, 0, true);
  await postgres.query(`create publication ${PUBLICATION} for table trips`);
  for (const slot of slots) await postgres.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
}

export function changesOf(slot: string): Record<string, unknown> {
  return { type: 'CDC', replication_slot: slot, publication: PUBLICATION, initial_wait_time: 120 };
}

async function writeBacklog(postgres: Postgres, first: number, changes: number): Promise<void> {
  for (let at = 0; at < changes; at += PER_TRANSACTION) {
    await insertTrips(postgres, first + at, Math.min(PER_TRANSACTION, changes - at));
  }
}
