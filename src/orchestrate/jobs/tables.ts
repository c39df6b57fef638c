import { sql } from 'kysely';
import type { State } from '../../engine/index.ts';
import type { FailureRecord } from '../../errors.ts';
import { keepPlan, type Queryable, type Transaction } from '../../store/index.ts';
import type { Initializer, NotificationRule, TaskDefinition, TaskEnd } from '../types.ts';

/** What a job is besides its run. */
export interface JobRow {
  readonly run_id: string;
  readonly orchestration_id: number;
  readonly orchestration_name: string;
  readonly initialized_by: Initializer;
  readonly token_id: number;
  readonly initiator_id: number;
  readonly initiator_agent: string;
  readonly emails: readonly string[];
  /** Null when those of the jobs before it are too large together. */
  readonly tasks: readonly TaskDefinition[] | null;
  readonly notifications: readonly NotificationRule[];
  readonly retry_of: number | null;
  readonly scheduled_at: Date | null;
  readonly logical_at: Date | null;
  readonly coalesced_ticks: number;
}

/** JSON is given as text. */
export interface NewJobRow {
  readonly run_id: string;
  readonly orchestration_id: number;
  readonly initialized_by: Initializer;
  readonly token_id: number;
  readonly initiator_id: number;
  readonly initiator_agent: string;
  readonly emails: string;
  readonly tasks: string;
  readonly notifications: string;
  readonly retry_of: number | null;
  readonly scheduled_at: Date | null;
  readonly logical_at: Date | null;
}

export async function insertJob(tx: Transaction, row: NewJobRow): Promise<void> {
  await tx.insertInto('orchestration_job').values(row).execute();
}

/** Of the definitions of tasks in one answer. */
const MOST_TASK_BYTES = 32 * 1024 * 1024;

/** By the ids of their runs; with the tasks of as many, from the newest on, as can be shown together. */
export async function readJobs(db: Queryable, runIds: readonly string[]): Promise<ReadonlyMap<string, JobRow>> {
  if (runIds.length === 0) return new Map();
  const { rows } = await sql<JobRow>`
    select job.run_id, job.orchestration_id, orchestration.name as orchestration_name, job.initialized_by, job.token_id,
      job.initiator_id, job.initiator_agent, job.emails, job.notifications, job.retry_of, job.scheduled_at,
      job.logical_at, job.coalesced_ticks,
      case when sum(job.tasks_bytes) over (order by job.run_id desc) <= ${MOST_TASK_BYTES} then job.tasks end as tasks
    from orchestration_job job join orchestration on orchestration.id = job.orchestration_id
    where job.run_id = any(${runIds})`.execute(db);
  return new Map(rows.map((row) => [row.run_id, row]));
}

/** A task of a job as the engine has it. */
export interface TaskRow {
  readonly id: string;
  readonly runId: string;
  readonly key: string;
  readonly state: State;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly error: FailureRecord | null;
  readonly end: TaskEnd | null;
}

/** Of the answers of all tasks in one answer; it holds them twice, in `tasks` and in `phases`. */
const MOST_ANSWER_BYTES = 4 * 1024 * 1024;

/** The first member of a `TaskEnd`. */
const STATUS = sql.raw(
  `coalesce(substring(output_head from '^{"status":"([a-z]+)"'), case state when 'succeeded' then 'success' else 'error' end)`,
);

/**
 * The tasks of jobs, all or those with this key. When their answers are too large together, the largest are left out, and say so; these are not read.
 */
export async function readTaskRows(
  db: Queryable,
  runIds: readonly string[],
  onlyKey: string | null = null,
): Promise<readonly TaskRow[]> {
  const omitted = 'This answer is too large to be shown beside those of other tasks; ask for the task alone.';
  const { rows } = await sql<TaskRow>`
    with sized as (
      select id, run_id, key, state, started_at, ended_at, error, output, output_bytes, ${STATUS} as status,
        sum(output_bytes) over (order by output_bytes, id) as together
      from task where run_id = any(${runIds}) and (${onlyKey}::text is null or key = ${onlyKey})
    )
    select id, run_id as "runId", key, state, started_at as "startedAt", ended_at as "endedAt", error,
      case when together <= ${MOST_ANSWER_BYTES} then output
        when output_bytes is not null then json_build_object('status', status, 'message', error->'message',
          'response', json_build_object('status', status, 'message', ${omitted}::text))
        end as "end"
    from sized`.execute(db);
  return rows;
}

/** Where the tasks of a job stand in it, by their ids; without what they answered, which may be large. */
export async function readPositions(db: Queryable, runId: string): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ id: string; key: string }>`select id, key from task where run_id = ${runId}`.execute(db);
  return new Map(rows.map(({ id, key }) => [id, Number(key)]));
}

/** Lets a job that begins act with the token that its orchestration has by now; answers the token's id. */
export async function bindPresentToken(tx: Transaction, runId: string): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`
    update orchestration_job job
    set token_id = case when orchestration.deleted_at is null then orchestration.token_id else job.token_id end
    from orchestration where orchestration.id = job.orchestration_id and job.run_id = ${runId}
    returning job.token_id as id`.execute(tx);
  return rows[0]?.id;
}

/** The tokens that jobs act with, by the ids of their runs. */
export async function readTokensOf(db: Queryable, runIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ runId: string; id: number }>`${keepPlan}
    select run_id as "runId", token_id as id from orchestration_job where run_id = any(${runIds})`.execute(db);
  return new Map(rows.map(({ runId, id }) => [runId, id]));
}

/** The run that was started with this idempotency key. */
export async function findRunByKey(db: Queryable, key: string): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`select id from run where idempotency_key = ${key}`.execute(db);
  return rows[0]?.id;
}

/** Whether the project has this orchestration, and not deleted. */
export async function hasOrchestration(db: Queryable, project: string, id: number): Promise<boolean> {
  const { rows } = await sql`
    select 1 from orchestration where id = ${id} and project = ${project} and deleted_at is null`.execute(db);
  return rows.length > 0;
}

export interface ChainedJob {
  readonly number: number;
  readonly path: string;
  readonly lane: string;
  readonly state: string;
  readonly orchestrationId: number;
}

const CHAINED = sql.raw(`run.number::float8 as number, run.path, run.lane, run.state,
  job.orchestration_id::float8 as "orchestrationId"`);

/** Those of the numbers that are jobs of orchestrations, by number. */
export async function readJobsByNumber(
  db: Queryable,
  project: string,
  numbers: readonly number[],
): Promise<readonly ChainedJob[]> {
  const { rows } = await sql<ChainedJob>`
    select ${CHAINED} from run join orchestration_job job on job.run_id = run.id
    where run.number = any(${numbers}) and run.project = ${project} order by run.number`.execute(db);
  return rows;
}

/** Every job that has not ended, by number. */
export async function readLivingJobs(db: Queryable, project: string): Promise<readonly ChainedJob[]> {
  const { rows } = await sql<ChainedJob>`
    select ${CHAINED} from run join orchestration_job job on job.run_id = run.id
    where run.ended_at is null and run.project = ${project} order by run.number`.execute(db);
  return rows;
}

/** Nested starts come one after another: two that close a circle at once would not see each other. */
export async function lockNesting(tx: Transaction): Promise<void> {
  await sql`lock table nesting_gate in exclusive mode`.execute(tx);
}
