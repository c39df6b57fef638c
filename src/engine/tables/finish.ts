import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { FailureRecord } from '../../errors.ts';
import { keepPlan } from '../../store/index.ts';
import type { Transaction } from '../../store/index.ts';
import { runStateAfter, runStatesBefore, taskStateAfter, taskStatesBefore } from '../state.ts';
import type { RunEvent, TaskEvent } from '../state.ts';
import { toJson } from './rows.ts';
import type { QueuedTask, RunRow } from './rows.ts';

export interface Owner {
  readonly runId: string;
  readonly taskId: string;
  readonly fence: number;
}

export interface TaskEnd extends Owner {
  readonly event: Extract<TaskEvent, 'succeed' | 'warn' | 'fail' | 'cancel'>;
  /** What the attempt row says; differs from the task's state for timeouts and lost workers. */
  readonly outcome: string;
  readonly output?: unknown;
  readonly warnings: number;
  readonly error: FailureRecord | null;
  /** A failure of this task fails its run. */
  readonly failsRun: boolean;
}

/**
 * Locks the run: every transaction that touches tasks of a run takes this lock first. It leaves room for rows that refer
 * to the run, such as lines of its log.
 */
export async function lockRun(tx: Transaction, runId: string): Promise<RunRow | undefined> {
  const { rows } = await sql<{ run: RunRow }>`${keepPlan}
    select row_to_json(run) as run from run where id = ${runId} for no key update`.execute(tx);
  return rows[0]?.run;
}

export interface EndedTask {
  readonly run: RunRow;
  /** Whether the run has tasks in later phases; null while this phase goes on. */
  readonly hasNextPhase: boolean | null;
}

/**
 * Ends a running task whose fence matches, closes its attempt and counts it on the run. Undefined, and nothing
 * written, when somebody newer owns the task or it is not running any more.
 */
export async function endTask(tx: Transaction, end: TaskEnd): Promise<EndedTask | undefined> {
  const state = taskStateAfter(end.event);
  const error = toJson(end.error);
  const { rows } = await sql<EndedTask>`${keepPlan}
    with locked as (
      select id from run where id = ${end.runId} for no key update
    ), ended as (
      update task set state = ${state}, output = ${toJson(end.output)}::json, error = ${error}::json,
        losses = 0, ended_at = now()
      from locked
      where task.id = ${end.taskId} and task.run_id = locked.id and task.fence = ${end.fence}
        and task.state = any(${taskStatesBefore(end.event)})
      returning task.run_id, task.id, task.attempt
    ), closed as (
      update attempt set ended_at = now(), outcome = ${end.outcome}, error = ${error}::json, lease_until = null,
        deadline_at = null
      from ended where attempt.task_id = ended.id and attempt.number = ended.attempt
    ), counted as (
      update run set open_tasks = run.open_tasks - 1, warnings = run.warnings + ${end.warnings},
        has_warned = run.has_warned or ${end.event === 'warn' || (end.event === 'fail' && !end.failsRun)},
        has_failed = run.has_failed or ${end.failsRun},
        has_cancelled = run.has_cancelled or ${end.event === 'cancel'},
        error = case when ${end.failsRun} then coalesce(run.error, ${error}::json) else run.error end
      from ended where run.id = ended.run_id
      returning run.*
    )
    select row_to_json(counted) as run, case when counted.open_tasks = 0 then exists (
      select 1 from task where task.run_id = counted.id and task.state = 'planned') end as "hasNextPhase"
    from counted`.execute(tx);
  return rows[0];
}

export interface TaskReturn extends Owner {
  readonly event: Extract<TaskEvent, 'retry' | 'hand_back'>;
  readonly outcome: string;
  readonly error: FailureRecord | null;
  readonly delaySeconds: number;
  /** A lost worker counts towards the bound; a retry starts that count again; a planned stop changes nothing. */
  readonly losses: 'add' | 'reset' | 'keep';
}

/** Puts a running task whose fence matches back to queued and closes its attempt; the caller enqueues it. */
export async function returnTask(tx: Transaction, back: TaskReturn): Promise<QueuedTask | undefined> {
  const losses = { add: sql`losses + 1`, reset: sql`0`, keep: sql`losses` }[back.losses];
  const { rows } = await sql<QueuedTask>`
    with returned as (
      update task set state = ${taskStateAfter(back.event)}, retries = retries + ${back.event === 'retry' ? 1 : 0},
        losses = ${losses}, job_id = gen_random_uuid(),
        queued_at = now() + make_interval(secs => ${back.delaySeconds})
      where id = ${back.taskId} and fence = ${back.fence} and state = any(${taskStatesBefore(back.event)})
      returning *
    ), closed as (
      update attempt set ended_at = now(), outcome = ${back.outcome}, error = ${toJson(back.error)}::json,
        lease_until = null, deadline_at = null
      from returned where attempt.task_id = returned.id and attempt.number = returned.attempt
    )
    select id as "taskId", job_id as "jobId", priority, concurrency_key is not null as "hasConcurrencyKey",
      waits
    from returned`.execute(tx);
  return rows[0];
}

/** Leaves a running task without a lease until its callback or its deadline. False when the fence does not own it. */
export async function parkTask(
  tx: Transaction,
  wait: Owner & { callbackHash: string; deadlineMs: number },
): Promise<boolean> {
  const { rows } = await sql`
    with owned as (
      select id, attempt from task where id = ${wait.taskId} and fence = ${wait.fence} and state = 'running'
      for no key update
    )
    update attempt set lease_until = null, callback_hash = ${wait.callbackHash},
      deadline_at = clock_timestamp() + make_interval(secs => ${wait.deadlineMs / 1000})
    from owned where attempt.task_id = owned.id and attempt.number = owned.attempt and attempt.ended_at is null
    returning 1`.execute(tx);
  return rows.length > 0;
}

/** Queues the tasks of the first phase that still has planned ones; none when the run has no phase left. */
export async function queueNextPhase(
  tx: Transaction,
  runId: string,
): Promise<{ run: RunRow; queued: readonly QueuedTask[] } | undefined> {
  const { rows } = await sql<{ run: RunRow; queued: QueuedTask[] }>`${keepPlan}
    with queued as (
      update task set state = ${taskStateAfter('queue')}, queued_at = now(), job_id = gen_random_uuid()
      where run_id = ${runId} and state = any(${taskStatesBefore('queue')})
        and phase = (select min(phase) from task where run_id = ${runId} and state = any(${taskStatesBefore('queue')}))
      returning *
    ), summary as (
      select min(phase) as phase, count(*) as size, json_agg(json_build_object('taskId', id, 'jobId', job_id,
        'priority', priority, 'hasConcurrencyKey', concurrency_key is not null, 'waits', waits) order by position) as queued
      from queued having count(*) > 0
    ), moved as (
      update run set phase = summary.phase, open_tasks = summary.size from summary where run.id = ${runId}
      returning run.*
    )
    select row_to_json(moved) as run, summary.queued from moved, summary`.execute(tx);
  return rows[0];
}

/** Lets others have its lane and its place in the pool. */
function leftLine(runId: string): RawBuilder<unknown> {
  return sql`freed as (delete from admission_line where run_id = ${runId}),`;
}

/** Ends a run, begun or not; its planned tasks become cancelled with `reason`. */
export async function closeRun(
  tx: Transaction,
  close: { runId: string; event: Exclude<RunEvent, 'queue' | 'claim'>; reason: FailureRecord; isInLine: boolean },
): Promise<RunRow | undefined> {
  const { rows } = await sql<{ run: RunRow }>`${keepPlan}
    with dropped as (
      update task set state = ${taskStateAfter('cancel')}, error = ${toJson(close.reason)}::json, ended_at = now()
      where run_id = ${close.runId} and state = 'planned'
    ), ${close.isInLine ? leftLine(close.runId) : sql``} closed as (
      update run set state = ${runStateAfter(close.event)}, ended_at = now(), open_tasks = 0
      where id = ${close.runId} and state = any(${runStatesBefore(close.event)})
      returning *
    )
    select row_to_json(closed) as run from closed`.execute(tx);
  return rows[0]?.run;
}
