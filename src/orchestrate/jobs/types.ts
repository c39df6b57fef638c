import type { Transaction } from '../../store/index.ts';
import type { QueueRun, StatusWord, TokenName } from '../component-runs/types.ts';
import type { Initializer, Job, Orchestration, Scope, TaskDefinition, TaskEnd } from '../types.ts';
import type { Sent } from '../definitions/index.ts';

/** A start as a room makes it, e.g. the schedule; the orchestration is held in the same transaction. */
export interface NewJob {
  readonly orchestration: Orchestration;
  /** The snapshot; the orchestration's tasks when absent. */
  readonly tasks?: readonly TaskDefinition[];
  readonly initializedBy: Initializer;
  readonly initiator: { readonly tokenId: number; readonly agent: string };
  readonly emails?: readonly string[];
  readonly retryOf?: number;
  readonly scheduledTime?: Date;
  readonly logicalTime?: Date;
  /** Dotted numbers of the runs that it is started by (7.6). */
  readonly parentPath?: string | null;
  /** The run with that path, if it is one of this server. */
  readonly parentRunId?: string;
  /** The task that starts it and waits for it. */
  readonly parentTaskId?: string;
  /** The same key gives back the same job. */
  readonly idempotencyKey?: string;
}

export interface StartedJob {
  readonly runId: string;
  readonly number: number;
  readonly isNew: boolean;
}

/** What a task of a job answered, or answers at this moment. */
export interface TaskResponse {
  /** Last body of what it called, or why it failed by itself; undefined when the run below says it all. */
  readonly body?: unknown;
  /** The run that it started here. */
  readonly run?: QueueRun;
  /** The job that it started here. */
  readonly job?: JobView;
}

/** One task of a job with what became of it (5.5). */
export interface ResultTask {
  readonly definition: TaskDefinition;
  /** Null while it is not reached, and for good when it is inactive. */
  readonly reached: null | {
    readonly status: 'processing' | TaskEnd['status'];
    readonly startTime: Date;
    readonly endTime: Date | null;
    /** Why it is no success, for people. */
    readonly message: string | null;
    readonly response: TaskResponse | null;
  };
}

/** A job as it is shown. */
export interface JobView extends Job {
  readonly status: StatusWord;
  /** The orchestration's. */
  readonly token: TokenName;
  readonly initiator: TokenName;
  /** Of all its tasks in their order; null until it has begun. */
  readonly results: readonly ResultTask[] | null;
}

export interface JobEvent {
  /** Grows along the list; what `after` takes. */
  readonly id: string;
  readonly created: Date;
  readonly type: 'info' | 'success' | 'warn' | 'error';
  readonly message: string;
  /** Dotted numbers of the run that tells it. */
  readonly runId: string;
  /** Position of the task of the job that it belongs to. */
  readonly taskIndex: number | null;
}

export interface Ask {
  /** Of the request, without its mount: to it an idempotency key belongs. */
  readonly path: string;
  /** The body as it came. */
  readonly sent: Sent;
}

/** Jobs of orchestrations (4.4 to 4.8, 4.11). */
export interface Jobs {
  /**
   * `sent`: `notificationsEmails` and `tasks`; without an id also `config`. Throws `not_found`, `bad_request` (no task,
   * wrong mail, nested too deep), `unprocessable` (the override differs), `conflict` (it would wait for itself).
   */
  start(scope: Scope, ask: Ask & { readonly orchestrationId?: number }): Promise<JobView>;
  /** As stored, told to the configured people; `conflict` when the orchestration is inactive. */
  trigger(scope: Scope, ask: Omit<Ask, 'sent'> & { readonly orchestrationId: number }): Promise<JobView>;
  /** Accepts a job in the caller's transaction, durable when that commits. */
  startIn(tx: Transaction, job: NewJob): Promise<StartedJob>;
  /** Newest first; `not_found` for an orchestration that is not there. */
  list(
    project: string,
    orchestrationId: number,
    paging: { readonly limit: number; readonly offset: number },
  ): Promise<{ readonly jobs: readonly JobView[]; readonly total: number }>;
  /** `not_found` for a number that is no job of an orchestration. */
  get(project: string, number: number): Promise<JobView>;
  /** The task at this position (from 0) of a job, with all of its answer. `not_found` also when the job has none there. */
  getTask(project: string, ask: { readonly number: number; readonly position: number }): Promise<ResultTask>;
  /** Throws `not_found` for a number that is no job of an orchestration; reads less than `get`. */
  check(project: string, number: number): Promise<void>;
  /** Ends a waiting job; `conflict` for any other. */
  cancel(scope: Scope, number: number): Promise<void>;
  /** A new job of the old one's tasks; without `tasks` sent, of those that 4.8 selects. `conflict` before its end. */
  retry(scope: Scope, ask: Ask & { readonly number: number }): Promise<JobView>;
  /** The tasks of the job as a retry without `tasks` would run them. `conflict` before its end. */
  previewRetry(project: string, number: number): Promise<readonly TaskDefinition[]>;
  /** What the job and its children told after the event `after`, in the order of time. */
  events(project: string, ask: EventsAsk & { readonly limit: number }): Promise<readonly JobEvent[]>;
  /** The same as they come, in pages, until the job has ended or the signal aborts. */
  followEvents(project: string, ask: EventsAsk & { readonly signal: AbortSignal }): AsyncIterable<readonly JobEvent[]>;
}

export interface EventsAsk {
  readonly number: number;
  readonly after: string | null;
  /** The number may also be that of a component's run. */
  readonly ofAnyRun?: boolean;
}
