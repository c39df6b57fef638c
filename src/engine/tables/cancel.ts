import { sql } from 'kysely';
import type { FailureRecord } from '../../errors.ts';
import type { Queryable, Transaction } from '../../store/index.ts';
import { taskStateAfter } from '../state.ts';
import { toJson } from './rows.ts';
import type { RunRow } from './rows.ts';

export interface DroppedTask {
  readonly jobId: string | null;
  readonly waits: boolean;
  /** It counted among the open tasks of the run's phase. */
  readonly wasOpen: boolean;
}

/** Cancels the tasks of a run that no worker executes: planned, queued, and running ones without a lease. */
export async function cancelWaitingTasks(
  tx: Transaction,
  order: { runId: string; reason: FailureRecord },
): Promise<readonly DroppedTask[]> {
  const reason = toJson(order.reason);
  const { rows } = await sql<DroppedTask>`
    with idle as (
      select task.id, task.job_id, task.waits, task.state <> 'planned' as was_open
      from task left join attempt on attempt.task_id = task.id and attempt.number = task.attempt
      where task.run_id = ${order.runId} and (task.state in ('planned', 'queued')
        or (task.state = 'running' and attempt.ended_at is null and attempt.deadline_at is not null))
      for update of task
    ), closed as (
      update attempt set ended_at = now(), outcome = 'cancelled', error = ${reason}::json, deadline_at = null
      from idle join task on task.id = idle.id
      where task.state = 'running' and attempt.task_id = task.id and attempt.number = task.attempt
    ), dropped as (
      update task set state = ${taskStateAfter('cancel')}, error = ${reason}::json, job_id = null, ended_at = now()
      from idle where task.id = idle.id
    )
    select job_id as "jobId", waits, was_open as "wasOpen" from idle`.execute(tx);
  return rows;
}

/** Marks the run as to be cancelled, and as cancelled in part when tasks have been; keeps the first request. */
export async function requestCancel(
  tx: Transaction,
  order: { runId: string; by: string; ended: number; hasCancelled: boolean },
): Promise<RunRow | undefined> {
  const { rows } = await sql<{ run: RunRow }>`
    update run set cancel_requested_at = coalesce(cancel_requested_at, now()),
      cancel_requested_by = coalesce(cancel_requested_by, ${order.by}),
      open_tasks = open_tasks - ${order.ended}, has_cancelled = has_cancelled or ${order.hasCancelled}
    where id = ${order.runId} and ended_at is null
    returning row_to_json(run) as run`.execute(tx);
  return rows[0]?.run;
}

/** The children of a run that have not ended; those that wait for others first, so that none begins in their place. */
export async function findLiveChildren(db: Queryable, runId: string): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from run where parent_run_id = ${runId} and ended_at is null
    order by state = 'planned' desc, number desc
  `.execute(db);
  return rows.map((row) => row.id);
}

/** Living runs that nobody has asked to end although their parent was: what a crash in the middle of a cancel left. */
export async function findOrphans(
  db: Queryable,
  limit: number,
): Promise<readonly { readonly runId: string; readonly by: string }[]> {
  const { rows } = await sql<{ runId: string; by: string }>`
    select child.id as "runId", parent.cancel_requested_by as by
    from run child join run parent on parent.id = child.parent_run_id
    where child.parent_run_id is not null and child.ended_at is null
      and child.cancel_requested_at is null and parent.cancel_requested_at is not null
    limit ${limit}`.execute(db);
  return rows;
}
