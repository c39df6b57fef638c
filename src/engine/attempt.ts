import { Failure, toFailure } from '../errors.ts';
import type { FailureRecord } from '../errors.ts';
import { toAttempt } from './attempt-handle.ts';
import type { EngineContext } from './context.ts';
import { createLogWriter } from './logs.ts';
import type { LogWriter } from './logs.ts';
import { createProgressWriter } from './progress.ts';
import type { ClaimedRows } from './tables/claim.ts';
import type { Attempt, AttemptResult } from './types.ts';
import type { WorkerContext } from './worker-context.ts';

/** An attempt that has not come back this long after its signal aborted is ended without it (`Component.graceMs`). */
const ABORT_GRACE_MS = 8000;

export interface RunningAttempt {
  readonly claim: ClaimedRows;
  /** Aborts the attempt's signal with this reason; the first reason stays. */
  abort(reason: Failure): void;
  /** It is another worker's from now on: ends at once, and what its component still says or answers is dropped. */
  letGo(): void;
  /**
   * How the component ended, or was given up, with its progress stored. The last lines of the log of a result are still to
   * be stored: with it. Never rejects.
   */
  readonly ended: Promise<AttemptEnd>;
}

export type AttemptEnd =
  | { readonly kind: 'result'; readonly result: Exclude<AttemptResult, { outcome: 'failed' }>; readonly log: LogWriter }
  | AttemptFailure;

export interface AttemptFailure {
  readonly kind: 'failure';
  readonly failure: FailureRecord;
  readonly abortedBy?: Failure;
  /** Kept on the task when the failure ends it. */
  readonly output?: unknown;
  /** Our own database broke away under it: no fault of the task, like a lost worker. */
  readonly hasLostStore: boolean;
  readonly log: LogWriter;
}

/** Executes the component of a claimed task. */
export function beginAttempt(context: WorkerContext, claim: ClaimedRows): RunningAttempt {
  const controller = new AbortController();
  const log = createLogWriter(context, claim.run.id);
  const progress = createProgressWriter(context, claim);
  const gone = Promise.withResolvers<Failure>();
  let handedOver: Failure | undefined;
  const health = { hasLostStore: false };
  const attempt = toAttempt(context, claim, { signal: controller.signal, log, progress, health });
  const abort = (reason: Failure): void => {
    if (!controller.signal.aborted) controller.abort(reason);
  };
  const timeoutMs = claim.task.timeout_ms;
  const stopTimer = timeoutMs === null ? undefined : startTimer(timeoutMs, () => abort(timedOut(timeoutMs)));
  const execute = async (): Promise<AttemptEnd> => {
    const graceMs = context.components.get(claim.task.component)?.graceMs ?? ABORT_GRACE_MS;
    const outcome = await Promise.race([
      runComponent(context, claim, attempt),
      giveUp(controller.signal, graceMs),
      gone.promise,
    ]);
    stopTimer?.();
    await progress.finish();
    if (outcome instanceof Failure || outcome.outcome === 'failed') {
      await log.flush();
      const reason = controller.signal.aborted ? (controller.signal.reason as Failure) : undefined;
      const abortedBy = outcome === handedOver ? handedOver : reason;
      const failed = outcome instanceof Failure ? { failure: outcome, output: undefined } : outcome;
      const failure = (abortedBy ?? failed.failure).toRecord();
      return { kind: 'failure', failure, output: failed.output, abortedBy, hasLostStore: health.hasLostStore, log };
    }
    return { kind: 'result', result: outcome, log };
  };
  const letGo = (): void => {
    handedOver ??= new Failure('lease_lost', 'the worker has handed this attempt over');
    gone.resolve(handedOver);
  };
  return { claim, abort, letGo, ended: execute() };
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
  if (claim.task.waits && component.waits !== true) {
    const reason = `component "${component.name}" works and must not run as a task that only waits`;
    return new Failure('internal', reason);
  }
  try {
    return await component.execute(attempt);
  } catch (error) {
    return toFailure(error);
  }
}

/** Resolves when the signal has been aborted for too long. */
function giveUp(signal: AbortSignal, graceMs: number): Promise<Failure> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => setTimeout(() => resolve(signal.reason as Failure), graceMs).unref(), {
      once: true,
    });
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
