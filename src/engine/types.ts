import type { FailureRecord } from '../errors.ts';
import type { Transaction } from '../store/index.ts';

/** Engine words for the life of a run and of a task; the last five are terminal. */
export type State = 'planned' | 'queued' | 'running' | 'succeeded' | 'warned' | 'failed' | 'cancelled' | 'skipped';

export type Trigger = 'manual' | 'api' | 'schedule' | 'event' | 'backfill' | 'parent';

export interface RetryRule {
  /** Attempts after the first. */
  readonly limit: number;
  readonly firstDelayMs: number;
  readonly factor: number;
  readonly longestDelayMs: number;
}

export interface TaskPlan {
  /** Unique inside the run; people see it. */
  readonly key: string;
  readonly component: string;
  /** JSON handed to the component. Secrets in it are sealed. */
  readonly input: unknown;
  readonly timeoutMs?: number;
  readonly retry?: Partial<RetryRule>;
  /** A failure of this task lets the run go on and end `warned`. */
  readonly continueOnFailure?: boolean;
  /** Added to the run's priority; below 0, the tasks of other runs go first. 0 when absent. */
  readonly priority?: number;
  /** Listed, never executed. */
  readonly skip?: boolean;
  /** At most one running task with the same key. */
  readonly concurrencyKey?: string;
}

export interface RunPlan {
  /** What sort of run, e.g. `sync`, `clear`. */
  readonly kind: string;
  readonly project: string;
  /** What it is a run of, e.g. `sync.job/11`; history is listed by it. */
  readonly definition?: string;
  /** Immutable copy of what is run, taken now. */
  readonly snapshot?: unknown;
  /** Phases in sequence; tasks of a phase in parallel. */
  readonly phases: readonly (readonly TaskPlan[])[];
  readonly trigger: Trigger;
  /** At most one run that is not terminal per key; a second start answers `refused`. */
  readonly concurrencyKey?: string;
  /** Higher first; 0 when absent. */
  readonly priority?: number;
  /** The same key gives back the same run. */
  readonly idempotencyKey?: string;
  readonly parentTaskId?: string;
  readonly createdBy?: string;
  readonly startAfter?: Date;
}

export type StartResult =
  | { readonly outcome: 'started'; readonly runId: string }
  | { readonly outcome: 'existing'; readonly runId: string }
  | { readonly outcome: 'refused'; readonly runId: string };

export interface RunView {
  readonly id: string;
  readonly kind: string;
  readonly project: string;
  readonly definition: string | null;
  readonly state: State;
  readonly trigger: Trigger;
  readonly snapshot: unknown;
  readonly createdBy: string;
  readonly queuedAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly attempts: number;
  readonly progress: unknown;
  readonly warnings: number;
  readonly error: FailureRecord | null;
  readonly cancelRequested: boolean;
}

export interface TaskView {
  readonly id: string;
  readonly runId: string;
  readonly phase: number;
  readonly key: string;
  readonly component: string;
  readonly state: State;
  readonly attempt: number;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: FailureRecord | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly time: string;
  readonly message: string;
}

export interface LogPage {
  readonly entries: readonly LogEntry[];
  /** Byte offset of the first line returned, in the run's NDJSON log. */
  readonly olderCursor: number;
  /** Byte offset after the last line returned. */
  readonly newerCursor: number;
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
}

export interface LogQuery {
  /** Byte offset; -1 = the end. */
  readonly cursor: number;
  readonly limit: number;
  readonly direction: 'older' | 'newer';
  /** Leaves debug lines out when true. */
  readonly hideDebug: boolean;
}

/** What a component gets for one attempt. */
export interface Attempt {
  readonly run: RunView;
  readonly task: TaskView;
  /** 1 for the first. */
  readonly number: number;
  /** Grows with every attempt of every task; a smaller one never overwrites a larger one. */
  readonly fence: number;
  /** Aborts on cancel, timeout, lease loss and shutdown; `signal.reason` is a `Failure`. */
  readonly signal: AbortSignal;
  log(level: LogEntry['level'], message: string): void;
  /** Replaces the run's progress; kept at most every 500 ms and once at the end. */
  progress(value: unknown): void;
  /** Runs `work` in a transaction that holds only while this attempt owns the task; else throws `lease_lost`. */
  guarded<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Starts a child run whose end is not waited for; its id is bound to this task, so a retry finds the same child. */
  startChild(plan: Omit<RunPlan, 'trigger' | 'parentTaskId'>): Promise<StartResult>;
  /**
   * Adds queued tasks to the phase of this task, and answers all of the plans' tasks as they are now: one whose key is
   * there already stays as it is. Throws `cancelled` when the run is to end, `lease_lost` as `guarded` does.
   */
  addTasks(plans: readonly TaskPlan[]): Promise<readonly TaskView[]>;
  /** Skips those of the tasks with these keys in the phase of this task that nobody has begun; answers their keys. */
  withdrawTasks(keys: readonly string[]): Promise<readonly string[]>;
}

export type AttemptResult =
  | { readonly outcome: 'succeeded'; readonly output?: unknown }
  | { readonly outcome: 'warned'; readonly warnings: number; readonly output?: unknown }
  /** The task stays running without a lease until `engine.callback` with this key, or fails at the deadline. */
  | { readonly outcome: 'waiting'; readonly callbackKey: string; readonly deadlineMs: number };

/** Something that a task can be. One folder or file each; failures are thrown as `Failure`. */
export interface Component {
  readonly name: string;
  execute(attempt: Attempt): Promise<AttemptResult>;
}

/** Told of every state change of a run inside the transaction that makes it. Must be short; may write rows. */
export interface RunObserver {
  readonly kind: string;
  runChanged(tx: Transaction, run: RunView): Promise<void>;
}

export interface RunQuery {
  readonly project?: string;
  readonly definition?: string;
  readonly kind?: string;
  readonly states?: readonly State[];
  readonly limit: number;
  readonly offset: number;
}

/** A fact to deliver outside, at least once; the receiver drops doubles by `key`. */
export interface OutboxMessage {
  readonly key: string;
  readonly topic: string;
  readonly payload: unknown;
}

/** Delivers one topic; a thrown failure is retried after 1 s, 5 s, 25 s, … up to 24 h. */
export type Deliverer = (message: OutboxMessage & { readonly id: string; readonly attempt: number }) => Promise<void>;

export interface Engine {
  /** One transaction (the caller's, if given): run, tasks, queue. Durable when that commits. */
  start(plan: RunPlan, tx?: Transaction): Promise<StartResult>;
  get(runId: string): Promise<RunView | undefined>;
  /** Newest first, with the total. */
  list(query: RunQuery): Promise<{ runs: readonly RunView[]; total: number }>;
  tasks(runId: string): Promise<readonly TaskView[]>;
  /** Asks a run to end; idempotent; false when it is unknown or terminal. Running attempts see it within 200 ms. */
  cancel(runId: string, by: string): Promise<boolean>;
  /** Waits until the run is terminal or the time is over; answers the run as it is then. */
  settled(runId: string, timeoutMs: number): Promise<RunView | undefined>;
  /** Ends a waiting task by its one-time key. The same key again answers the stored state; an unknown one, undefined. */
  callback(key: string, result: CallbackResult): Promise<TaskView | undefined>;
  readLog(runId: string, query: LogQuery): Promise<LogPage | undefined>;
  /** Streams the whole log as NDJSON, in bounded pieces. */
  streamLog(runId: string): AsyncIterable<string>;
  /** Lines after `cursor` as they come, until the run ends or the signal aborts. */
  followLog(
    runId: string,
    options: { cursor: number; signal: AbortSignal; hideDebug?: boolean },
  ): AsyncIterable<LogPage>;
  publish(tx: Transaction, message: OutboxMessage): Promise<void>;
  /** Claims and executes tasks, sweeps deadlines and lost leases, delivers the outbox. */
  startWorker(): Promise<Worker>;
}

export interface CallbackResult {
  readonly outcome: 'succeeded' | 'warned' | 'failed';
  readonly output?: unknown;
  readonly error?: FailureRecord;
}

export interface Worker {
  /** No new work; running attempts get `graceMs`, then are aborted and handed back for another worker. */
  stop(graceMs: number): Promise<void>;
}
