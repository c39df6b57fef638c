import { sql } from 'kysely';
import { keepPlan } from '../../store/index.ts';
import type { Queryable, Transaction } from '../../store/index.ts';
import { runStateAfter, runStatesBefore, taskStateAfter, taskStatesBefore } from '../state.ts';
import type { QueuedTask, RunRow, TaskRow } from './rows.ts';

export interface ClaimedRows {
  readonly task: TaskRow;
  readonly run: RunRow;
  /** This claim moved the run from queued to running. */
  readonly beganRun: boolean;
  /** No other task of the run is open or to come. */
  readonly isLast: boolean;
  /** From the instant at which the task could start until now, by the database's clock. */
  readonly waitedMs: number;
}

export interface ClaimOrder {
  readonly taskIds: readonly string[];
  readonly worker: string;
  readonly leaseSeconds: number;
}

/**
 * Moves queued tasks to running, with a new fence, an open attempt and a lease. Tasks that are not queued (cancelled,
 * claimed by another) are left out. Locks the runs in order of their ids, then the tasks.
 */
export async function claimTasks(tx: Transaction, order: ClaimOrder): Promise<readonly ClaimedRows[]> {
  const { rows } = await sql<ClaimedRows>`${keepPlan}
    with locked as (
      select id from run where id in (select run_id from task where id = any(${order.taskIds}))
      order by id for no key update
    ), taken as (
      update task set state = ${taskStateAfter('claim')}, attempt = attempt + 1, fence = nextval('attempt_fence'),
        job_id = null, started_at = coalesce(started_at, now())
      where run_id in (select id from locked) and id = any(${order.taskIds})
        and state = any(${taskStatesBefore('claim')})
      returning *
    ), opened as (
      insert into attempt (task_id, number, fence, worker, lease_until)
      select id, attempt, fence, ${order.worker}, clock_timestamp() + make_interval(secs => ${order.leaseSeconds})
      from taken
    ), begun as (
      update run set state = ${runStateAfter('claim')}, started_at = coalesce(run.started_at, now()),
        attempts = greatest(run.attempts, t.attempt)
      from (select run_id, max(attempt) as attempt from taken group by run_id) t
      where run.id = t.run_id and run.state = any(${runStatesBefore('claim')})
      returning run.*
    )
    select row_to_json(taken) as task, row_to_json(begun) as run, begun.started_at = now() as "beganRun",
      begun.open_tasks = 1 and not exists (
        select 1 from task where task.run_id = begun.id and task.state = 'planned') as "isLast",
      greatest(0, extract(epoch from clock_timestamp() - taken.queued_at) * 1000)::float8 as "waitedMs"
    from taken join begun on begun.id = taken.run_id`.execute(tx);
  return rows;
}

/** Whether another task with the concurrency key of this one runs now. */
export async function isKeyTaken(tx: Transaction, taskId: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from task mine join task other on other.running_key = mine.concurrency_key and other.id <> mine.id
    where mine.id = ${taskId} limit 1`.execute(tx);
  return rows.length > 0;
}

/** Gives a task that is still queued a new job, for one that was fetched but could not be claimed yet. */
export async function replaceJob(
  tx: Transaction,
  taskId: string,
): Promise<Pick<QueuedTask, 'jobId' | 'priority' | 'waits'> | undefined> {
  const { rows } = await sql<Pick<QueuedTask, 'jobId' | 'priority' | 'waits'>>`
    update task set job_id = gen_random_uuid() where id = ${taskId} and state = 'queued'
    returning job_id as "jobId", priority, waits`.execute(tx);
  return rows[0];
}

export interface Held {
  readonly taskId: string;
  readonly number: number;
}

/**
 * Renews the leases of attempts that are still open; answers the ones that are, and whether their run is to be
 * cancelled. An attempt that is not in the answer has been taken over or ended. One that somebody has locked, because it
 * ends at this moment, is left as it is: to wait for it while others are locked would be a deadlock with ends that share
 * a transaction.
 */
export async function renewLeases(
  db: Queryable,
  order: { held: readonly Held[]; leaseSeconds: number },
): Promise<readonly { taskId: string; number: number; cancelRequested: boolean }[]> {
  const { rows } = await sql<{ taskId: string; number: number; cancelRequested: boolean }>`
    with held as materialized (
      select attempt.task_id, attempt.number, run.cancel_requested_at is not null as cancel_requested
      from unnest(${order.held.map((held) => held.taskId)}::text[], ${order.held.map((held) => held.number)}::integer[])
        as given (task_id, number), attempt, task, run
      where attempt.task_id = given.task_id and attempt.number = given.number and attempt.ended_at is null
        and task.id = attempt.task_id and run.id = task.run_id
    ), free as materialized (
      select attempt.task_id, attempt.number from attempt, held
      where attempt.task_id = held.task_id and attempt.number = held.number and attempt.ended_at is null
      for no key update of attempt skip locked
    ), renewed as (
      update attempt set lease_until = clock_timestamp() + make_interval(secs => ${order.leaseSeconds})
      from free where attempt.task_id = free.task_id and attempt.number = free.number
    )
    select task_id as "taskId", number, cancel_requested as "cancelRequested" from held`.execute(db);
  return rows;
}

/** Holds the task for the rest of the transaction if this fence still owns it; no later attempt can begin meanwhile. */
export async function holdTask(tx: Transaction, owner: { taskId: string; fence: number }): Promise<boolean> {
  const { rows } = await sql`${keepPlan}
    select 1 from task where id = ${owner.taskId} and fence = ${owner.fence} and state = 'running' for share`.execute(
    tx,
  );
  return rows.length > 0;
}

/**
 * Holds the run and the task like `holdTask`, the run first, as everywhere. Undefined when this fence does not own the
 * task. While it is held, nobody can ask the run to end.
 */
export async function holdTaskOfRun(
  tx: Transaction,
  owner: { runId: string; taskId: string; fence: number },
): Promise<{ cancelRequested: boolean } | undefined> {
  const { rows } = await sql<{ cancelRequested: boolean }>`${keepPlan}
    with held as materialized (
      select cancel_requested_at is not null as cancel_requested from run where id = ${owner.runId} for share
    )
    select held.cancel_requested as "cancelRequested" from held, task
    where task.id = ${owner.taskId} and task.fence = ${owner.fence} and task.state = 'running' for share of task
  `.execute(tx);
  return rows[0];
}

/** Keeps what an attempt wants the next one to know. False, and nothing written, when this fence does not own the task. */
export async function writeMemo(
  db: Queryable,
  owner: { taskId: string; fence: number; memo: string | null },
): Promise<boolean> {
  const { rows } = await sql`${keepPlan}
    update task set memo = ${owner.memo}::json
    where id = ${owner.taskId} and fence = ${owner.fence} and state = 'running' returning 1`.execute(db);
  return rows.length > 0;
}

/** Replaces the run's progress while this fence owns the task. */
export async function writeProgress(
  db: Queryable,
  owner: { taskId: string; fence: number; progress: string | null },
): Promise<void> {
  await sql`
    update run set progress = ${owner.progress}::json
    where id = (select run_id from task where id = ${owner.taskId} and fence = ${owner.fence} and state = 'running')
      and state = 'running'`.execute(db);
}
