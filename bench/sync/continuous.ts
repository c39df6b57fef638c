import { setTimeout as delay } from 'node:timers/promises';
import type { Client as Postgres } from 'pg';
import type { Figure, Scale } from '../figures.ts';
import { insertTrips } from '../tables/index.ts';
import { createJob, type Job } from './jobs.ts';
import { changesOf, prepareChanges } from './postgres-changes.ts';
import { openPostgres, postgresConfig, type Stage } from './stage.ts';

const PER_SECOND = 5000;
const PER_TRANSACTION = 500;
const SECONDS = 30;
const SMOKE_SECONDS = 1;
/** How often the catalog is asked what it shows. */
const LOOK_MS = 50;
const PATIENCE_MS = 60_000;

/** A job that stays on while 5,000 rows a second are written: how long until a committed row is in the table. */
export async function measureContinuous(stage: Stage, scale: Scale): Promise<readonly Figure[]> {
  const source = await openPostgres(stage, 'source_continuous');
  try {
    await prepareChanges(source.postgres, ['bench_continuous']);
    const config = { ...postgresConfig(source.url), update_method: changesOf('bench_continuous') };
    const kind = { type: 'postgres', table: 'trips', mode: 'cdc', append: true, frequency: 'continuous' } as const;
    const job = await createJob(stage, { name: 'continuous', config, ...kind });
    await stage.client.post(`/jobs/${job.id}/sync`);
    await untilThere(stage, job);
    const rows = (scale.smoke ? SMOKE_SECONDS : SECONDS) * PER_SECOND;
    const commits: Commit[] = [];
    const delays = watch(stage, job, { commits, rows });
    await write(source.postgres, rows, commits);
    const seen = (await delays).toSorted((one, other) => one - other);
    await stage.client.post(`/jobs/${job.id}/activate`, { activate: false });
    await stage.client.post(`/jobs/${job.id}/cancel`);
    await untilIdle(stage, job);
    const at = (part: number): number => seen[Math.min(seen.length - 1, Math.floor(seen.length * part))]! / 1000;
    const what = 'continuous, 5,000 rows/s: visible after the commit';
    return [
      { name: `${what}, median`, value: at(0.5), unit: 's' },
      { name: `${what}, 95 of 100`, value: at(0.95), unit: 's' },
      { name: `${what}, longest`, value: at(1), unit: 's', reach: '<= 2' },
    ];
  } finally {
    await source.stop();
  }
}

/** A transaction of the source: all rows up to its last, committed at this time. */
interface Commit {
  readonly rows: number;
  readonly at: number;
}

async function write(postgres: Postgres, rows: number, commits: Commit[]): Promise<void> {
  const begun = performance.now();
  for (let written = 0; written < rows;) {
    await insertTrips(postgres, 1 + written, PER_TRANSACTION);
    written += PER_TRANSACTION;
    commits.push({ rows: written, at: performance.now() });
    const due = begun + (written / PER_SECOND) * 1000;
    await delay(Math.max(0, due - performance.now()));
  }
}

interface Watch {
  readonly commits: readonly Commit[];
  readonly rows: number;
}

interface TableAnswer {
  readonly metadata: { readonly snapshots?: readonly { readonly summary: Record<string, string> }[] };
}

/** Asks the catalog again and again; answers how long each commit took to show, in ms. */
async function watch(stage: Stage, { lake }: Job, { commits, rows }: Watch): Promise<number[]> {
  const delays: number[] = [];
  let movedAt = performance.now();
  for (let shown = 0; shown < rows; await delay(LOOK_MS)) {
    const total = (await look(stage, lake)) ?? 0;
    const now = performance.now();
    if (total > shown) movedAt = now;
    shown = total;
    while (delays.length < commits.length && commits[delays.length]!.rows <= shown) {
      delays.push(now - commits[delays.length]!.at);
    }
    if (now - movedAt > PATIENCE_MS) throw new Error(`after ${PATIENCE_MS / 1000} s only ${shown} rows are visible`);
  }
  return delays;
}

/** Until the table is in the catalog: then the job follows the log. */
async function untilThere(stage: Stage, { lake }: Job): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while ((await look(stage, lake)) === undefined) {
    if (performance.now() > until) throw new Error('the job that stays on did not make its table');
    await delay(LOOK_MS);
  }
}

async function untilIdle(stage: Stage, { id }: Job): Promise<void> {
  const isRunning = async (): Promise<boolean> => {
    const tasks = await stage.client.get<{ status: string }[]>(`/jobs/${id}/tasks`);
    return tasks.some(({ status }) => status === 'Running');
  };
  while (await isRunning()) await delay(LOOK_MS);
}

/** Rows that the table shows; undefined when there is no table. */
async function look(stage: Stage, { database, table }: Job['lake']): Promise<number | undefined> {
  const answer = await stage.get<TableAnswer>(`/iceberg/v1/olake/namespaces/${database}/tables/${table}`);
  return answer && Number(answer.metadata.snapshots?.at(-1)?.summary['total-records'] ?? 0);
}
