import { sql } from 'kysely';
import type { Transaction } from '../../store/index.ts';
import { taskStateAfter } from '../state.ts';
import type { QueuedTask, TaskRow } from './rows.ts';

/**
 * Adds queued tasks to the run's present phase, after those that it has, and counts them as open; a task whose key is
 * taken is left out. Called with the run locked. Answers the added ones.
 */
export async function insertSiblings(
  tx: Transaction,
  order: { runId: string; tasks: readonly Readonly<Record<string, unknown>>[] },
): Promise<readonly QueuedTask[]> {
  const { rows } = await sql<QueuedTask>`
    with added as (
      insert into task (id, run_id, phase, position, key, component, state, input, timeout_ms, retry,
        continue_on_failure, concurrency_key, priority, waits, job_id, queued_at)
      select x.id, run.id, run.phase,
        (select max(position) from task where task.run_id = run.id and task.phase = run.phase) + 1 + x.position,
        x.key, x.component, ${taskStateAfter('queue')}, x.input::json, x.timeout_ms, x.retry,
        x.continue_on_failure, x.concurrency_key, run.priority + x.priority, x.waits, gen_random_uuid(),
        now()
      from run, json_to_recordset(${JSON.stringify(order.tasks)}::json) as x (
        id text, position integer, key text, component text, input text, timeout_ms bigint, retry json, continue_on_failure boolean,
        concurrency_key text, priority integer, waits boolean)
      where run.id = ${order.runId}
      on conflict (run_id, key) do nothing
      returning *
    ), counted as (
      update run set open_tasks = open_tasks + (select count(*) from added) where id = ${order.runId}
    )
    select id as "taskId", job_id as "jobId", priority, concurrency_key is not null as "hasConcurrencyKey",
      waits
    from added order by position`.execute(tx);
  return rows;
}

/** The tasks of a run with these keys. */
export async function findTasksByKey(
  tx: Transaction,
  runId: string,
  keys: readonly string[],
): Promise<readonly TaskRow[]> {
  const { rows } = await sql<{ task: TaskRow }>`
    select row_to_json(task) as task from task where run_id = ${runId} and key = any(${keys})
    order by phase, position`.execute(tx);
  return rows.map((row) => row.task);
}

/** Skips queued tasks of the phase and takes them off the run's open ones. Called with the run locked. */
export async function skipUnbegun(
  tx: Transaction,
  order: { runId: string; phase: number; keys: readonly string[]; except: string },
): Promise<readonly { key: string; jobId: string | null; waits: boolean }[]> {
  const { rows } = await sql<{ key: string; jobId: string | null; waits: boolean }>`
    with idle as (
      select id, key, job_id, waits from task
      where run_id = ${order.runId} and phase = ${order.phase} and key = any(${order.keys}) and state = 'queued'
        and id <> ${order.except}
      for update
    ), skipped as (
      update task set state = ${taskStateAfter('skip')}, job_id = null, ended_at = now()
      from idle where task.id = idle.id
    ), counted as (
      update run set open_tasks = open_tasks - (select count(*) from idle) where id = ${order.runId}
    )
    select key, job_id as "jobId", waits from idle`.execute(tx);
  return rows;
}
