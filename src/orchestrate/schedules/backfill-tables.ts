import { sql } from 'kysely';
import type { State } from '../../engine/index.ts';
import type { Queryable, Transaction } from '../../store/index.ts';
import { ORCHESTRATION_RUN, statusOf } from '../component-runs/describe.ts';
import type { Backfill, BackfillJob, BackfillState, BackfillView } from './types.ts';

/** A backfill with who asked for it. */
export interface StoredBackfill extends Backfill {
  readonly initiatorId: number;
  readonly initiatorAgent: string;
}

const COLUMNS = sql.raw(`id, orchestration_id as "orchestrationId", from_at as "from", to_at as "to", times, made,
  concurrency, state, message, created_at as "createdTime", ended_at as "endedTime", initiator_id as "initiatorId",
  initiator_agent as "initiatorAgent"`);

export type NewBackfill = Pick<
  StoredBackfill,
  'orchestrationId' | 'from' | 'to' | 'times' | 'concurrency' | 'initiatorId' | 'initiatorAgent'
>;

/** Undefined while another backfill of the orchestration is active. */
export async function insertBackfill(tx: Transaction, row: NewBackfill): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`
    insert into orchestration_backfill (orchestration_id, from_at, to_at, times, concurrency, initiator_id, initiator_agent)
    values (${row.orchestrationId}, ${row.from}, ${row.to}, ${row.times.map((time) => time.toISOString())}::timestamptz[],
      ${row.concurrency}, ${row.initiatorId}, ${row.initiatorAgent})
    on conflict do nothing returning id`.execute(tx);
  return rows[0]?.id;
}

/** Locked until the transaction ends. */
export async function lockBackfill(tx: Transaction, id: number): Promise<StoredBackfill | undefined> {
  const { rows } = await sql<StoredBackfill>`
    select ${COLUMNS} from orchestration_backfill where id = ${id} for update`.execute(tx);
  return rows[0];
}

export async function updateBackfill(
  tx: Transaction,
  id: number,
  change: { readonly made: number; readonly state: BackfillState; readonly message?: string },
): Promise<void> {
  await sql`
    update orchestration_backfill set made = ${change.made}, state = ${change.state}, message = ${change.message ?? null},
      ended_at = case when ${change.state !== 'active'}::boolean then clock_timestamp() end
    where id = ${id}`.execute(tx);
}

export async function bindJob(tx: Transaction, runId: string, backfillId: number): Promise<void> {
  await sql`update orchestration_job set backfill_id = ${backfillId} where run_id = ${runId}`.execute(tx);
}

/** Jobs of a backfill that have not ended. */
export async function readLivingOf(db: Queryable, backfillId: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select run.id from orchestration_job job join run on run.id = job.run_id
    where job.backfill_id = ${backfillId} and run.ended_at is null order by run.number`.execute(db);
  return rows.map(({ id }) => id);
}

export async function readBackfillOf(db: Queryable, runId: string): Promise<number | undefined> {
  const { rows } = await sql<{ id: number | null }>`
    select backfill_id as id from orchestration_job where run_id = ${runId}`.execute(db);
  return rows[0]?.id ?? undefined;
}

interface JobState {
  readonly backfillId: number;
  readonly logicalTime: Date;
  readonly number: number;
  readonly state: State;
  readonly startedAt: Date | null;
  readonly cancelRequested: boolean;
}

/** The newest backfills of an orchestration with their jobs, or the one with this id. */
export async function readBackfills(
  db: Queryable,
  { orchestrationId, id, limit }: { readonly orchestrationId: number; readonly id?: number; readonly limit: number },
): Promise<readonly BackfillView[]> {
  const one = id === undefined ? sql`true` : sql`id = ${id}`;
  const { rows } = await sql<StoredBackfill>`
    select ${COLUMNS} from orchestration_backfill where orchestration_id = ${orchestrationId} and ${one}
    order by id desc limit ${limit}`.execute(db);
  const { rows: jobs } = await sql<JobState>`
    select job.backfill_id as "backfillId", job.logical_at as "logicalTime", run.number::float8 as number, run.state,
      run.started_at as "startedAt", run.cancel_requested_at is not null as "cancelRequested"
    from orchestration_job job join run on run.id = job.run_id
    where job.backfill_id = any(${rows.map((row) => row.id)}) order by run.number`.execute(db);
  const byBackfill = Map.groupBy(jobs, (job) => job.backfillId);
  return rows.map((row) => ({ ...row, jobs: jobsOf(row, byBackfill.get(row.id) ?? []) }));
}

function jobsOf({ times }: Backfill, jobs: readonly JobState[]): readonly BackfillJob[] {
  const byTime = new Map(jobs.map((job) => [job.logicalTime.getTime(), job]));
  return times.map((logicalTime) => {
    const job = byTime.get(logicalTime.getTime());
    if (job === undefined) return { logicalTime, number: null, status: null };
    return { logicalTime, number: job.number, status: statusOf({ ...job, kind: ORCHESTRATION_RUN }) };
  });
}
