import { Failure, toFailure } from '../errors.ts';
import type { FailureRecord } from '../errors.ts';
import type { EngineContext } from './context.ts';
import { isConnectionLoss } from './connection-loss.ts';
import { createLogWriter } from './logs.ts';
import type { LogWriter } from './logs.ts';
import { addTasks, withdrawTasks } from './siblings.ts';
import { startRun } from './start.ts';
import { holdTask, writeProgress } from './tables/claim.ts';
import type { ClaimedRows } from './tables/claim.ts';
import { toJson, toRunView, toTaskView } from './tables/rows.ts';
import type { Attempt, AttemptResult, RunPlan } from './types.ts';

const PROGRESS_MS = 500;
/** An attempt that has not come back this long after its signal aborted is ended without it. */
export const ABORT_GRACE_MS = 8000;

export interface RunningAttempt {
  readonly claim: ClaimedRows;
  /** Aborts the attempt's signal with this reason; the first reason stays. */
  abort(reason: Failure): void;
  /** How the component ended, or was given up; with all its log lines and progress stored. Never rejects. */
  readonly ended: Promise<AttemptEnd>;
}

export type AttemptEnd =
  | { readonly kind: 'result'; readonly result: AttemptResult; readonly log: LogWriter }
  | AttemptFailure;

export interface AttemptFailure {
  readonly kind: 'failure';
  readonly failure: FailureRecord;
  readonly abortedBy?: Failure;
  /** Our own database broke away under it: no fault of the task, like a lost worker. */
  readonly hasLostStore: boolean;
  readonly log: LogWriter;
}

/** Executes the component of a claimed task. */
export function beginAttempt(context: EngineContext, claim: ClaimedRows): RunningAttempt {
  const controller = new AbortController();
  const log = createLogWriter(context, claim.run.id);
  const progress = createProgressWriter(context, claim);
  const health = { hasLostStore: false };
  const attempt = toAttempt(context, claim, { signal: controller.signal, log, progress, health });
  const abort = (reason: Failure): void => {
    if (!controller.signal.aborted) controller.abort(reason);
  };
  const timeoutMs = claim.task.timeout_ms;
  const stopTimer = timeoutMs === null ? undefined : startTimer(timeoutMs, () => abort(timedOut(timeoutMs)));
  const execute = async (): Promise<AttemptEnd> => {
    const outcome = await Promise.race([runComponent(context, claim, attempt), giveUp(controller.signal)]);
    stopTimer?.();
    await progress.finish();
    await log.flush();
    if (outcome instanceof Failure) {
      const abortedBy = controller.signal.aborted ? (controller.signal.reason as Failure) : undefined;
      const failure = (abortedBy ?? outcome).toRecord();
      return { kind: 'failure', failure, abortedBy, hasLostStore: health.hasLostStore, log };
    }
    return { kind: 'result', result: outcome, log };
  };
  return { claim, abort, ended: execute() };
}

async function runComponent(
  context: EngineContext,
  claim: ClaimedRows,
  attempt: Attempt,
): Promise<AttemptResult | Failure> {
  const component = context.components.get(claim.task.component);
  if (component === undefined) {
    return new Failure('object_missing', `this server has no component "${claim.task.component}"`);
  }
  try {
    return await component.execute(attempt);
  } catch (error) {
    return toFailure(error);
  }
}

/** Resolves when the signal has been aborted for too long. */
function giveUp(signal: AbortSignal): Promise<Failure> {
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => setTimeout(() => resolve(signal.reason as Failure), ABORT_GRACE_MS).unref(),
      { once: true },
    );
  });
}

function timedOut(timeoutMs: number): Failure {
  return new Failure('timed_out', `the task did not end within its time limit of ${timeoutMs / 1000} s`);
}

/** A timer for any length; the platform's own end after 24.8 days. */
function startTimer(delayMs: number, onEnd: () => void): () => void {
  const longest = 2 ** 31 - 1;
  let remaining = delayMs;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const step = Math.min(remaining, longest);
    remaining -= step;
    timer = setTimeout(() => (remaining > 0 ? arm() : onEnd()), step);
  };
  arm();
  return () => clearTimeout(timer);
}

interface AttemptParts {
  readonly signal: AbortSignal;
  readonly log: LogWriter;
  readonly progress: ProgressWriter;
  readonly health: { hasLostStore: boolean };
}

function toAttempt(context: EngineContext, claim: ClaimedRows, parts: AttemptParts): Attempt {
  const { task } = claim;
  const owner = { taskId: task.id, fence: task.fence ?? -1 };
  const guarded: Attempt['guarded'] = async (work) => {
    try {
      const result = await context.store.transaction(async (tx) => {
        if (!(await holdTask(tx, owner))) {
          throw new Failure('lease_lost', 'a newer attempt owns this task, or the task has ended');
        }
        return work(tx);
      });
      parts.health.hasLostStore = false;
      return result;
    } catch (error) {
      if (!isConnectionLoss(error)) throw error;
      parts.health.hasLostStore = true;
      throw new Failure('connection_lost', 'the connection to our own database broke', { cause: error });
    }
  };
  return {
    run: toRunView(claim.run),
    task: toTaskView(task),
    number: task.attempt,
    fence: owner.fence,
    signal: parts.signal,
    log: parts.log.write,
    progress: parts.progress.replace,
    guarded,
    async startChild(plan) {
      const child: RunPlan = {
        ...plan,
        trigger: 'parent',
        parentTaskId: task.id,
        createdBy: plan.createdBy ?? claim.run.created_by,
        idempotencyKey: `child/${task.id}/${plan.idempotencyKey ?? plan.definition ?? plan.kind}`,
      };
      const started = await guarded((tx) => startRun(context, child, tx));
      return started;
    },
    addTasks: (plans) => addTasks(context, { runId: task.run_id, ...owner }, plans),
    withdrawTasks: (keys) => withdrawTasks(context, { runId: task.run_id, ...owner }, keys),
  };
}

interface ProgressWriter {
  replace(value: unknown): void;
  finish(): Promise<void>;
}

/** Keeps the newest progress value; writes it at most every 500 ms, and what is left at the end. */
function createProgressWriter(context: EngineContext, claim: ClaimedRows): ProgressWriter {
  let value: unknown;
  let isDirty = false;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const store = async (): Promise<void> => {
    if (!isDirty) return;
    isDirty = false;
    const owner = { taskId: claim.task.id, fence: claim.task.fence ?? -1, progress: toJson(value) };
    await writeProgress(context.store.db, owner).catch((error: unknown) => {
      context.log('warn', 'progress could not be stored', { run: claim.run.id, error: String(error) });
    });
  };
  const write = (): Promise<void> => {
    timer = undefined;
    writing = writing.then(store);
    return writing;
  };
  return {
    replace(next) {
      value = next;
      isDirty = true;
      timer ??= setTimeout(() => void write(), PROGRESS_MS);
    },
    finish() {
      clearTimeout(timer);
      return write();
    },
  };
}
