import { sql } from 'kysely';
import type { RunView } from '../../engine/index.ts';
import type { Queryable, Transaction } from '../../store/index.ts';
import { statusOf } from '../component-runs/describe.ts';
import { upcoming } from '../definitions/schedule.ts';
import type { AlertJob, AlertTaskRow } from './types.ts';

type Row = Omit<AlertJob, 'status' | 'nextTime'> &
  Pick<RunView, 'state' | 'kind' | 'cancelRequested' | 'startedAt'> & {
    readonly crontabRecord: string | null;
    readonly zone: string;
    readonly nextScheduledTime: Date | null;
    readonly isScheduled: boolean;
  };

/** Undefined for a run that is no job. */
export async function readAlertJob(db: Queryable, runId: string, now: Date): Promise<AlertJob | undefined> {
  const { rows } = await sql<Row>`
    select run.id as "runId", run.number::float8 as number, run.path, run.project, run.lane, run.kind, run.state,
      run.cancel_requested_at is not null as "cancelRequested", run.queued_at as "createdTime",
      run.started_at as "startTime", run.started_at as "startedAt", run.ended_at as "endTime",
      job.orchestration_id::float8 as "orchestrationId", job.initialized_by as "initializedBy",
      job.initiator_id::float8 as "initiatorId", job.emails, job.notifications, job.usual_seconds as "usualSeconds",
      orchestration.name as "orchestrationName", orchestration.crontab as "crontabRecord", orchestration.zone,
      orchestration.next_scheduled_at as "nextScheduledTime",
      orchestration.active and orchestration.deleted_at is null as "isScheduled"
    from orchestration_job job join run on run.id = job.run_id
      join orchestration on orchestration.id = job.orchestration_id
    where job.run_id = ${runId}`.execute(db);
  const [row] = rows;
  return row && { ...row, status: statusOf(row), nextTime: row.isScheduled ? upcoming(row, now) : null };
}

const LARGEST_OUTPUT_BYTES = 2_097_152;

/**
 * The first tasks of a job in this state: those that ended it come before those that it went on after, then in the order
 * of time.
 */
export async function readAlertTasks(
  db: Queryable,
  { runId, state, limit }: { readonly runId: string; readonly state: 'failed' | 'running'; readonly limit: number },
): Promise<readonly AlertTaskRow[]> {
  const { rows } = await sql<AlertTaskRow>`
    select task.key, task.run_id as "runId", task.input, task.error, child.error as "childError",
      case when octet_length(task.output::text) <= ${LARGEST_OUTPUT_BYTES} then task.output end as output,
      count(*) over ()::float8 as total
    from task left join lateral (
      select run.error from run where run.parent_run_id = task.run_id and run.parent_task_id = task.id
      order by run.number desc limit 1
    ) child on true
    where task.run_id = ${runId} and task.state = ${state}
    order by task.continue_on_failure, task.ended_at, task.phase, task.key limit ${limit}`.execute(db);
  return rows;
}

const MEASURED = 20;
const LEAST_MEASURED = 3;
/** How far back is looked for jobs that went well. */
const MOST_LOOKED_AT = 10_000;

/** Measures and keeps what the last jobs of this orchestration that went well took on average; null for fewer than 3. */
export async function keepUsualSeconds(tx: Transaction, runId: string, definition: string): Promise<number | null> {
  const { rows } = await sql<{ usual: number | null }>`
    update orchestration_job set usual_seconds = (
      select case when count(*) >= ${LEAST_MEASURED} then avg(seconds) end from (
        select extract(epoch from ended_at - started_at)::float8 as seconds from (
          select number, state, started_at, ended_at from run where definition = ${definition}
          order by number desc limit ${MOST_LOOKED_AT}
        ) looked where state in ('succeeded', 'warned') order by number desc limit ${MEASURED}
      ) measured)
    where run_id = ${runId} returning usual_seconds as usual`.execute(tx);
  return rows[0]?.usual ?? null;
}

/** Number of the job that one in this lane waits for. */
export async function readFormer(
  db: Queryable,
  { lane, number }: Pick<AlertJob, 'lane' | 'number'>,
): Promise<number | undefined> {
  const { rows } = await sql<{ number: number }>`
    select number::float8 as number from run
    where definition = ${lane} and state in ('queued', 'running') and number < ${number}
    order by number limit 1`.execute(db);
  return rows[0]?.number;
}

/** When runs were accepted. */
export async function readCreatedTimes(db: Queryable, runIds: readonly string[]): Promise<ReadonlyMap<string, Date>> {
  const { rows } = await sql<{ id: string; at: Date }>`
    select id, queued_at as at from run where id = any(${runIds})`.execute(db);
  return new Map(rows.map(({ id, at }) => [id, at]));
}
