import type { Failure, FailureRecord } from '../errors.ts';
import type { Transaction } from '../store/index.ts';

/**
 * Engine words for the life of a run and of a task; the last five are terminal. A `planned` run is accepted and waits
 * for its lane or its pool; a `queued` one waits for a worker only.
 */
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
  /** Its component only waits for others and says so (`Component.waits`): the task takes no worker slot. */
  readonly waits?: boolean;
}

/** Runs that share a limit, e.g. the component runs of a project. */
export interface Pool {
  readonly name: string;
  /** Runs of the pool at once. A run whose parent has none of its runs in the pool is admitted above it. */
  readonly limit: number;
}

export type Labels = Readonly<Record<string, string>>;

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
  /** The runs of a lane are executed one after another, by their numbers. Until its turn the run is `planned`. */
  readonly lane?: string;
  readonly pool?: Pool;
  /** The task that starts it: its run is the parent. */
  readonly parentTaskId?: string;
  /** The parent, when no task starts it. A run that has ended is no parent; its path counts all the same. */
  readonly parentRunId?: string;
  /** Path of a parent that is no run here: `77` or `77.81`, at most 255 characters. Used when there is no other parent. */
  readonly parentPath?: string;
  /** Never removed by age, nor its tasks; only its log is. */
  readonly keep?: boolean;
  /** What people look for it by; at most 20, names of letters, digits, `.`, `_`, `-` and values up to 300 characters. */
  readonly labels?: Labels;
  readonly createdBy?: string;
  readonly startAfter?: Date;
}

export interface StartResult {
  /** `existing`: the same idempotency key. `refused`: the same concurrency key; the answer names the run in the way. */
  readonly outcome: 'started' | 'existing' | 'refused';
  readonly runId: string;
  readonly number: number;
  readonly path: string;
}

export interface RunView {
  readonly id: string;
  /** From one sequence for all runs: later ones have larger numbers. */
  readonly number: number;
  /** The numbers of its ancestors and its own, with dots: `77.81`. */
  readonly path: string;
  readonly kind: string;
  readonly project: string;
  readonly definition: string | null;
  readonly state: State;
  readonly trigger: Trigger;
  readonly snapshot: unknown;
  readonly createdBy: string;
  readonly parentRunId: string | null;
  readonly parentTaskId: string | null;
  readonly labels: Labels;
  readonly lane: string | null;
  readonly pool: string | null;
  /** When it was accepted. */
  readonly queuedAt: Date;
  /** Null also when it was cancelled before anything of it began. */
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly attempts: number;
  readonly progress: unknown;
  readonly warnings: number;
  readonly error: FailureRecord | null;
  readonly cancelRequested: boolean;
  /** Who asked first for its end, as `Engine.cancel` was told; null when nobody did. */
  readonly cancelledBy: string | null;
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
  /** What an attempt remembered last (`Attempt.remember`); null when none did. */
  readonly memo: unknown;
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
  /**
   * Aborts on cancel, timeout, lease loss and shutdown; `signal.reason` is a `Failure`. With kind `cancelled` or
   * `timed_out` the task ends; with `worker_lost` or `lease_lost` another attempt goes on with it.
   */
  readonly signal: AbortSignal;
  log(level: LogEntry['level'], message: string): void;
  /** Replaces the run's progress; kept at most every 500 ms and once at the end. */
  progress(value: unknown): void;
  /** Runs `work` in a transaction that holds only while this attempt owns the task; else throws `lease_lost`. */
  guarded<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Reads our own database outside of any transaction of this attempt. When its connection breaks, or none is to be had
   * in time, that is no fault of the task: another attempt goes on with it.
   */
  reading<T>(work: () => Promise<T>): Promise<T>;
  /** Keeps a JSON value of at most 64 KiB for later attempts of this task (`task.memo`). Throws `lease_lost` as `guarded`. */
  remember(value: unknown): Promise<void>;
  /**
   * Starts a child run; it is bound to this task by its idempotency key (else definition, else kind), so a later attempt
   * finds the same child. Throws `cancelled` when the run is to end: no child appears after that. A cancel of the run
   * cancels its children; their end is not waited for (`childEnded`).
   */
  startChild(plan: Omit<RunPlan, 'trigger' | 'parentTaskId' | 'parentRunId' | 'parentPath'>): Promise<StartResult>;
  /**
   * Runs `work` in a transaction that holds only while this attempt owns the task and its run is not to end (else
   * `lease_lost`, `cancelled`): for a child that `Engine.start` accepts with `parentTaskId` beside rows of its own.
   */
  asParent<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Waits until a run is terminal; undefined when there is none with this id. Thousands may wait at once. Goes on after
   * `signal` has aborted, unless it is given as `until`: then rejects with that signal's reason.
   */
  childEnded(runId: string, until?: AbortSignal): Promise<RunView | undefined>;
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
  /** Like a thrown `failure`, its kind's retry included, but the output stays on the task when it ends with it. */
  | { readonly outcome: 'failed'; readonly failure: Failure; readonly output?: unknown }
  /** The task stays running without a lease until `engine.callback` with this key, or fails at the deadline. */
  | { readonly outcome: 'waiting'; readonly callbackKey: string; readonly deadlineMs: number };

/** Something that a task can be. One folder or file each; failures are thrown as `Failure`. */
export interface Component {
  readonly name: string;
  /**
   * It only waits for others, hardly using the processor: its tasks take no slot. Tasks of it must be planned with
   * `waits`, by which they get a queue of their own; one planned so whose component does not say it fails.
   */
  readonly waits?: true;
  /** How long an aborted attempt may take to come back before it is ended without it; 8 s when absent. */
  readonly graceMs?: number;
  execute(attempt: Attempt): Promise<AttemptResult>;
}

/** Told of every state change of a run inside the transaction that makes it. Must be short; may write rows. */
export interface RunObserver {
  readonly kind: string;
  runChanged(tx: Transaction, run: RunView): Promise<void>;
}

/** What a run may be like; all that is given must hold. */
export interface RunCondition {
  readonly states: readonly State[];
  readonly kind?: string;
  readonly exceptKind?: string;
  /** Whether something of it has begun. */
  readonly hasBegun?: boolean;
  readonly cancelRequested?: boolean;
}

export interface PathCondition {
  readonly text: string;
  /** The path only begins with the text. */
  readonly isPrefix: boolean;
  readonly isExcluded: boolean;
}

export interface RunQuery {
  readonly project?: string;
  readonly definition?: string;
  readonly kind?: string;
  readonly states?: readonly State[];
  /** All of these labels. */
  readonly labels?: Labels;
  /** Labels of these names, whatever their values. */
  readonly labelled?: readonly string[];
  /** None of these: a run that has all the labels of one entry is left out. */
  readonly withoutLabels?: readonly Labels[];
  /** Not those whose parent is of this kind. */
  readonly exceptChildrenOf?: string;
  /** The run with this path alone. */
  readonly path?: string;
  /** The run with this path and its descendants. */
  readonly pathPrefix?: string;
  /** One condition of each list; an empty list finds nothing. */
  readonly either?: readonly (readonly RunCondition[])[];
  /** Each of these, by the text of the path. */
  readonly paths?: readonly PathCondition[];
  readonly limit: number;
  readonly offset: number;
}

/** A fact to deliver outside, at least once; the receiver drops doubles by `key`. */
export interface OutboxMessage {
  readonly key: string;
  readonly topic: string;
  readonly payload: unknown;
  /** Not delivered before; the time after which it is given up counts from here. */
  readonly dueAt?: Date;
}

export type Deliver = (message: OutboxMessage & { readonly id: string; readonly attempt: number }) => Promise<void>;

/**
 * Delivers one topic; a thrown failure is retried after 1 s, 5 s, 25 s, … up to 24 h, or after the given delays: a message
 * that fails again after the last is given up.
 */
export type Deliverer =
  | Deliver
  | {
      readonly deliver: Deliver;
      readonly retryDelaysSeconds?: readonly number[];
      /** It waits for others, e.g. a mail server: its messages hold back no other topic. */
      readonly isSlow?: true;
    };

/** What became of a message. `dead` ones are kept for 30 days, `delivered` ones for a day. */
export interface OutboxState {
  readonly state: 'waiting' | 'delivered' | 'dead';
  /** Deliveries tried. */
  readonly attempts: number;
  /** When it is tried next. */
  readonly dueAt: Date | null;
  readonly lastError: string | null;
}

export interface Engine {
  /** One transaction (the caller's, if given): run, tasks, queue. Durable when that commits. */
  start(plan: RunPlan, tx?: Transaction): Promise<StartResult>;
  /** Like `start`, for many runs in a few statements; they are numbered in their order. */
  startMany(plans: readonly RunPlan[], tx: Transaction): Promise<readonly StartResult[]>;
  /** Writes a line into the log of a run that no attempt of it writes, e.g. why it was made. */
  note(tx: Transaction, runId: string, line: Omit<LogEntry, 'time'>): Promise<void>;
  get(runId: string): Promise<RunView | undefined>;
  getByNumber(number: number): Promise<RunView | undefined>;
  /** The runs that were started as children of these, in their order; without snapshots. */
  children(runIds: string | readonly string[]): Promise<readonly RunView[]>;
  /** Newest first (by number), with the total; without snapshots. */
  list(query: RunQuery): Promise<{ runs: readonly RunView[]; total: number }>;
  /** Run by run, in the order of their plans. */
  tasks(runIds: string | readonly string[]): Promise<readonly TaskView[]>;
  /**
   * Asks a run and its living descendants to end; idempotent. False, and nothing done, when it is unknown, terminal, or
   * in none of the states in `onlyIn`. Running attempts see it within 200 ms.
   */
  cancel(runId: string, by: string, options?: CancelOptions): Promise<boolean>;
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
  /** What became of the message with this key; undefined when there is none any more. */
  outboxState(key: string): Promise<OutboxState | undefined>;
  /** Claims and executes tasks, sweeps deadlines and lost leases, delivers the outbox. */
  startWorker(): Promise<Worker>;
}

export interface CancelOptions {
  /** Only when the run is in one of these states. */
  readonly onlyIn?: readonly State[];
  /** Written in the transaction that asks the run itself to end, e.g. the audit; done only if that is. */
  readonly beside?: (tx: Transaction) => Promise<void>;
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
