import type { FailureRecord } from '../../errors.ts';
import type { Labels, RetryRule, RunView, State, TaskView, Trigger } from '../types.ts';

/** Rows as `row_to_json` gives them: instants are ISO text, bigints are numbers. */
export interface RunRow {
  readonly id: string;
  readonly number: number;
  readonly path: string;
  readonly project: string;
  readonly kind: string;
  readonly definition: string | null;
  readonly state: State;
  readonly trigger: Trigger;
  readonly snapshot: unknown;
  readonly priority: number;
  readonly parent_run_id: string | null;
  readonly parent_task_id: string | null;
  readonly labels: Labels;
  readonly lane: string | null;
  readonly pool: string | null;
  readonly created_by: string;
  readonly queued_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly phase: number;
  readonly open_tasks: number;
  readonly attempts: number;
  readonly progress: unknown;
  readonly warnings: number;
  readonly has_warned: boolean;
  readonly has_failed: boolean;
  readonly has_cancelled: boolean;
  readonly error: FailureRecord | null;
  readonly cancel_requested_at: string | null;
  readonly cancel_requested_by: string | null;
}

export interface TaskRow {
  readonly id: string;
  readonly run_id: string;
  readonly phase: number;
  readonly key: string;
  readonly component: string;
  readonly state: State;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: FailureRecord | null;
  readonly timeout_ms: number | null;
  readonly retry: RetryRule;
  readonly continue_on_failure: boolean;
  readonly concurrency_key: string | null;
  readonly priority: number;
  readonly attempt: number;
  readonly retries: number;
  readonly losses: number;
  readonly fence: number | null;
  readonly waits: boolean;
  readonly memo: unknown;
  readonly job_id: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
}

/** A task that has just become queued: what the queue needs to know of it. */
export interface QueuedTask {
  readonly taskId: string;
  readonly jobId: string;
  readonly priority: number;
  readonly hasConcurrencyKey: boolean;
  readonly waits: boolean;
}

function instant(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}

/** A run as the other rooms see it. */
export function toRunView(row: RunRow): RunView {
  return {
    id: row.id,
    number: row.number,
    path: row.path,
    kind: row.kind,
    project: row.project,
    definition: row.definition,
    state: row.state,
    trigger: row.trigger,
    snapshot: row.snapshot,
    createdBy: row.created_by,
    parentRunId: row.parent_run_id,
    parentTaskId: row.parent_task_id,
    labels: row.labels,
    lane: row.lane,
    pool: row.pool,
    queuedAt: new Date(row.queued_at),
    startedAt: instant(row.started_at),
    endedAt: instant(row.ended_at),
    attempts: row.attempts,
    progress: row.progress,
    warnings: row.warnings,
    error: row.error,
    cancelRequested: row.cancel_requested_at !== null,
    cancelledBy: row.cancel_requested_by,
  };
}

/** A task as the other rooms see it. */
export function toTaskView(row: TaskRow): TaskView {
  return {
    id: row.id,
    runId: row.run_id,
    phase: row.phase,
    key: row.key,
    component: row.component,
    state: row.state,
    attempt: row.attempt,
    input: row.input,
    output: row.output,
    error: row.error,
    memo: row.memo,
    startedAt: instant(row.started_at),
    endedAt: instant(row.ended_at),
  };
}

/** JSON text for a `json` column; an absent value is stored as null. */
export function toJson(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}
