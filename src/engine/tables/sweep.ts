import { sql } from 'kysely';
import type { Queryable, Transaction } from '../../store/index.ts';
import type { QueuedTask, TaskRow } from './rows.ts';

export interface OverdueAttempt {
  readonly task: TaskRow;
  readonly worker: string;
}

/** Open attempts whose lease is over. */
export async function findLostLeases(db: Queryable, limit: number): Promise<readonly OverdueAttempt[]> {
  const { rows } = await sql<OverdueAttempt>`
    select row_to_json(task) as task, attempt.worker
    from attempt join task on task.id = attempt.task_id and task.fence = attempt.fence
    where attempt.ended_at is null and attempt.lease_until < clock_timestamp() and task.state = 'running'
    order by attempt.lease_until limit ${limit}`.execute(db);
  return rows;
}

/** Waiting attempts whose deadline is over. */
export async function findOverdueCallbacks(db: Queryable, limit: number): Promise<readonly OverdueAttempt[]> {
  const { rows } = await sql<OverdueAttempt>`
    select row_to_json(task) as task, attempt.worker
    from attempt join task on task.id = attempt.task_id and task.fence = attempt.fence
    where attempt.ended_at is null and attempt.deadline_at < clock_timestamp() and task.state = 'running'
    order by attempt.deadline_at limit ${limit}`.execute(db);
  return rows;
}

/** Whether the lease or the deadline of this attempt is over still; asked with the run locked. */
export async function isOverdue(tx: Transaction, attempt: { taskId: string; number: number }): Promise<boolean> {
  const { rows } = await sql`
    select 1 from attempt where task_id = ${attempt.taskId} and number = ${attempt.number} and ended_at is null
      and coalesce(lease_until, deadline_at) < clock_timestamp()`.execute(tx);
  return rows.length > 0;
}

/** Removes runs that ended more than `days` ago, with tasks, attempts and logs, but not kept ones; answers how many. */
export async function removeOldRuns(db: Queryable, order: { days: number; limit: number }): Promise<number> {
  const { rows } = await sql`
    with removed as (
      delete from run where id in (
        select id from run where ended_at < now() - make_interval(days => ${order.days}) and not keep
        order by ended_at limit ${order.limit} for update skip locked)
      returning id, number, labels
    ), tasks as (
      delete from task using removed where task.run_id = removed.id
    ), unlabelled as (
      delete from run_label using removed, jsonb_each_text(removed.labels) label
      where run_label.name = label.key and run_label.value = label.value and run_label.run_number = removed.number
    )
    select 1 from removed`.execute(db);
  return rows.length;
}

/** Removes the logs of kept runs that ended more than `days` ago; answers how many runs it looked at. */
export async function removeOldLogs(db: Queryable, order: { days: number; limit: number }): Promise<number> {
  const { rows } = await sql`
    with old as (
      update run set is_log_removed = true where id in (
        select id from run where ended_at < now() - make_interval(days => ${order.days}) and keep and not is_log_removed
        order by ended_at limit ${order.limit} for update skip locked)
      returning id
    ), heads as (
      delete from log_head using old where log_head.run_id = old.id
    ), chunks as (
      delete from log_chunk using old where log_chunk.run_id = old.id
    )
    select 1 from old`.execute(db);
  return rows.length;
}

/** Due tasks that nobody has claimed: how many, and how long the oldest waits. */
export async function measureQueue(db: Queryable): Promise<{ depth: number; oldestMs: number }> {
  const { rows } = await sql<{ depth: number; oldestMs: number }>`
    select count(*)::float8 as depth,
      coalesce(extract(epoch from now() - min(task.queued_at)) * 1000, 0)::float8 as "oldestMs"
    from run join task on task.run_id = run.id
    where run.ended_at is null and task.state = 'queued' and task.queued_at <= now()`.execute(db);
  return rows[0] ?? { depth: 0, oldestMs: 0 };
}

/**
 * Gives a new job to queued tasks that have been due for a while and whose job is not in the queue: after a restore of
 * our tables without pg-boss's, for example.
 */
export async function renewMissingJobs(tx: Transaction, limit: number): Promise<readonly QueuedTask[]> {
  const { rows } = await sql<QueuedTask>`
    update task set job_id = gen_random_uuid() where id in (
      select task.id from run join task on task.run_id = run.id
      where run.ended_at is null and task.state = 'queued' and task.queued_at < now() - interval '30 seconds'
        and not exists (select 1 from pgboss.job where job.name = case when task.waits then 'waiting-task' else 'task' end
          and job.id = task.job_id)
      order by task.queued_at limit ${limit} for update of task skip locked)
    returning id as "taskId", job_id as "jobId", priority, concurrency_key is not null as "hasConcurrencyKey",
      waits
  `.execute(tx);
  return rows;
}
