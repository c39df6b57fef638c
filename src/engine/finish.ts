import { createHash } from 'node:crypto';
import { Failure, failureKinds } from '../errors.ts';
import type { FailureRecord } from '../errors.ts';
import { admissionSubject } from './admission.ts';
import type { Queryable } from '../store/index.ts';
import { createBatches } from './batches.ts';
import { transact } from './context.ts';
import type { AfterCommit, EngineContext } from './context.ts';
import { dispatchTasks } from './dispatch.ts';
import type { Failing, Finishing, FinishOutcome, Succeeding, SucceedingHere, Success } from './ending.ts';
import { logRoom, writeFull } from './logs.ts';
import { tellObservers } from './observers.ts';
import { decideFailure, decidePhaseEnd } from './state.ts';
import type { RunEvent } from './state.ts';
import type { ClaimedRows } from './tables/claim.ts';
import { closeRun, endTask, lockRun, parkTask, queueNextPhase, returnTask } from './tables/finish.ts';
import type { Owner, TaskEnd } from './tables/finish.ts';
import type { RunRow } from './tables/rows.ts';
import { endLastTasks, endTasks } from './tables/work-ends.ts';
import type { EndedRun, EndedTasks, LastEnd } from './tables/work-ends.ts';
import type { RetryRule } from './types.ts';
import type { WorkerContext } from './worker-context.ts';

const notStarted = (run: RunRow): FailureRecord =>
  new Failure(
    'cancelled',
    run.cancel_requested_at === null
      ? 'not started, because an earlier task of this run failed'
      : 'not started, because the run was cancelled',
  ).toRecord();

/**
 * Ends a task that did its work, and what follows from it, with the last lines of its log in one transaction: of one
 * statement, when it was the last of its run and nobody observes that. `dropped`: somebody newer owns it.
 */
export async function finishSuccess(
  context: WorkerContext,
  { task, run, isLast }: Pick<ClaimedRows, 'task' | 'run' | 'isLast'>,
  success: Success,
): Promise<FinishOutcome> {
  const isObserved = context.observers.some(({ kind }) => kind === run.kind);
  if (isLast && !isObserved && success.outcome === 'succeeded') {
    const { output, lines } = success;
    const ended = await context.lastEnds({ ...toOwner(task), output, lines });
    if (ended !== undefined) {
      if (lines !== undefined) {
        if (!ended.isLogged) await writeFull(context, context.store.db, task.run_id);
        context.signals.send('log', task.run_id);
      }
      context.metrics.attemptEnded?.('succeeded');
      tellOfClosed(context, ended.run);
      context.world.reach('engine.finished');
      return 'ended';
    }
  }
  return context.turns.end(task.run_id, { task, success, openTasks: run.open_tasks });
}

/** Last tasks that end in one statement. */
const LAST_ENDS = 50;

/** Ends of last tasks that come together, of any runs. */
export function createLastEnds(context: EngineContext): WorkerContext['lastEnds'] {
  const run = async (ends: readonly LastEnd[]): Promise<readonly (EndedRun | undefined)[]> => {
    const ended = await endLastTasks(context.store.db, ends, logRoom(context));
    return ends.map(({ runId }) => ended.get(runId));
  };
  return createBatches({ size: LAST_ENDS, run });
}

/**
 * Ends tasks of one run that did their work, when that is all there is to it, in a statement that is a transaction of its
 * own; else undefined, and nothing is written.
 */
export async function endWithinPhase(
  context: EngineContext,
  finishes: readonly SucceedingHere[],
): Promise<readonly FinishOutcome[] | undefined> {
  if (finishes.some(({ openTasks }) => openTasks <= finishes.length)) return undefined;
  const ended = await endTasks(context.store.db, { ...toEnding(context, finishes), isPhaseToGoOn: true });
  if (ended === undefined) return undefined;
  const effects: (() => void)[] = [];
  const outcomes = await tellOfSuccesses(context, { db: context.store.db, effects }, { finishes, ended });
  for (const effect of effects) effect();
  return outcomes;
}

/** Ends tasks of one run that did their work, and what follows from that. */
export async function applySuccesses(
  context: EngineContext,
  commit: AfterCommit,
  finishes: readonly Succeeding[],
): Promise<readonly FinishOutcome[]> {
  const ended = await endTasks(commit.tx, { ...toEnding(context, finishes), isPhaseToGoOn: false });
  const outcomes = await tellOfSuccesses(context, { db: commit.tx, effects: commit.effects }, { finishes, ended });
  if (ended?.run.open_tasks === 0) await endPhase(context, commit, ended);
  return outcomes;
}

function toEnding(context: EngineContext, finishes: readonly Succeeding[]) {
  const ends = finishes.map(({ task, success }) => ({ ...toOwner(task), lines: undefined, ...success }));
  return { ends, limitBytes: logRoom(context) };
}

async function tellOfSuccesses(
  context: EngineContext,
  { db, effects }: { readonly db: Queryable; readonly effects: (() => void)[] },
  { finishes, ended }: { readonly finishes: readonly Succeeding[]; readonly ended: EndedTasks | undefined },
): Promise<readonly FinishOutcome[]> {
  const taskIds = new Set(ended?.taskIds);
  const done = finishes.filter(({ task }) => taskIds.has(task.id));
  for (const { success } of done) tellOfEnded(context, effects, success.outcome);
  for (let left = finishes.length - done.length; left > 0; left--)
    effects.push(() => context.metrics.fenceRejected?.());
  if (ended !== undefined && done.some(({ success }) => success.lines)) {
    if (!ended.isLogged) await writeFull(context, db, ended.run.id);
    effects.push(() => context.signals.send('log', ended.run.id));
  }
  return finishes.map(({ task }) => (taskIds.has(task.id) ? 'ended' : 'dropped'));
}

export async function applySuccess(
  context: EngineContext,
  commit: AfterCommit,
  finish: Succeeding,
): Promise<FinishOutcome> {
  return (await applySuccesses(context, commit, [finish]))[0]!;
}

/** Ends, retries, hands back or cancels a task whose attempt failed. `dropped`: somebody newer owns it. */
export async function finishFailure(context: WorkerContext, task: Finishing, failing: Failing): Promise<FinishOutcome> {
  return context.turns.take(task.run_id, (commit) => applyFailure(context, commit, { task, failing }));
}

export async function applyFailure(
  context: EngineContext,
  commit: AfterCommit,
  finish: { task: Finishing; failing: Failing },
): Promise<FinishOutcome> {
  const { task, failing } = finish;
  const run = await lockRun(commit.tx, task.run_id);
  if (run === undefined) return 'dropped';
  const cancelRequested = run.cancel_requested_at !== null;
  const decision =
    failing.cause === 'handed_back' && !cancelRequested
      ? 'hand_back'
      : decideFailure({
          cancelRequested,
          isRetryable: failureKinds[failing.failure.kind].retry,
          workerLost: failing.cause !== 'failed',
          retriesUsed: task.retries,
          retryLimit: task.retry.limit,
          lossesInRow: task.losses,
        });
  if (decision === 'retry' || decision === 'hand_back') return giveBack(context, commit, { task, failing, decision });
  const failsRun = decision === 'fail' && !task.continue_on_failure;
  const error = decision === 'cancel' ? cancelledRecord(failing) : failing.failure;
  return end(context, commit, {
    ...toOwner(task),
    event: decision,
    outcome: decision === 'cancel' ? 'cancelled' : outcomeOf(failing),
    output: failing.output,
    warnings: decision === 'fail' && !failsRun ? 1 : 0,
    error,
    failsRun,
  });
}

/**
 * Leaves a task waiting for its callback; the lease ends, the deadline begins. A run that is to be cancelled does not
 * wait. `dropped`: somebody newer owns it.
 */
export async function park(
  context: EngineContext,
  task: Finishing,
  wait: { callbackHash: string; deadlineMs: number },
): Promise<FinishOutcome | 'waiting'> {
  return transact(context, async (commit) => {
    const run = await lockRun(commit.tx, task.run_id);
    if (run !== undefined && run.cancel_requested_at !== null) {
      const failure = new Failure('cancelled', 'the run was cancelled').toRecord();
      return applyFailure(context, commit, { task, failing: { failure, cause: 'failed' } });
    }
    if (!(await parkTask(commit.tx, { ...toOwner(task), ...wait }))) return 'dropped';
    commit.effects.push(() => context.metrics.attemptEnded?.('waiting'));
    return 'waiting';
  });
}

async function giveBack(
  context: EngineContext,
  commit: AfterCommit,
  back: { task: Finishing; failing: Failing; decision: 'retry' | 'hand_back' },
): Promise<FinishOutcome> {
  const { task, failing, decision } = back;
  const delaySeconds = decision === 'retry' ? retryDelayMs(context, task.retry, task.retries) / 1000 : 0;
  const queued = await returnTask(commit.tx, {
    ...toOwner(task),
    event: decision,
    outcome: outcomeOf(failing),
    error: failing.failure,
    delaySeconds,
    losses: decision === 'retry' ? 'reset' : failing.cause === 'lost' ? 'add' : 'keep',
  });
  if (queued === undefined) return 'dropped';
  await dispatchTasks(context, commit, { tasks: [queued], delay: { seconds: delaySeconds } });
  commit.effects.push(() => {
    if (decision === 'retry') context.metrics.taskRetried?.();
    context.metrics.attemptEnded?.(outcomeOf(failing));
  });
  return decision === 'retry' ? 'retried' : 'returned';
}

/** Delay before retry number `used + 1`: exponential, capped, between half and all of it. */
function retryDelayMs(context: EngineContext, rule: RetryRule, used: number): number {
  const full = Math.min(rule.firstDelayMs * rule.factor ** used, rule.longestDelayMs);
  const jitter = context.world.random(2).readUInt16BE() / 65_536;
  return Math.round(full * (0.5 + jitter / 2));
}

async function end(context: EngineContext, commit: AfterCommit, taskEnd: TaskEnd): Promise<FinishOutcome> {
  const ended = await endTask(commit.tx, taskEnd);
  if (ended === undefined) {
    commit.effects.push(() => context.metrics.fenceRejected?.());
    return 'dropped';
  }
  tellOfEnded(context, commit.effects, taskEnd.outcome);
  if (ended.run.open_tasks === 0) await endPhase(context, commit, ended);
  return taskEnd.event === 'cancel' ? 'cancelled' : 'ended';
}

function tellOfEnded(context: EngineContext, effects: (() => void)[], outcome: string): void {
  context.world.reach('engine.task-ended');
  effects.push(() => {
    context.metrics.attemptEnded?.(outcome);
    context.world.reach('engine.finished');
  });
}

/** Called with the run locked and no open task left in its phase: begins the next phase or ends the run. */
export async function endPhase(
  context: EngineContext,
  commit: AfterCommit,
  { run, hasNextPhase }: { run: RunRow; hasNextPhase?: boolean | null },
): Promise<void> {
  const { tx } = commit;
  const facts = { hasFailed: run.has_failed, hasCancelled: run.has_cancelled, hasWarned: run.has_warned };
  let decision = decidePhaseEnd({ ...facts, hasNextPhase: hasNextPhase !== false });
  if (decision === 'next_phase') {
    const next = await queueNextPhase(tx, run.id);
    if (next !== undefined) {
      await dispatchTasks(context, commit, { tasks: next.queued });
      return;
    }
    decision = decidePhaseEnd({ ...facts, hasNextPhase: false });
  }
  await close(context, commit, { run, event: decision as Exclude<RunEvent, 'queue' | 'claim'> });
}

async function close(
  context: EngineContext,
  commit: AfterCommit,
  ending: { run: RunRow; event: Exclude<RunEvent, 'queue' | 'claim'> },
): Promise<void> {
  const closed = await closeRun(commit.tx, {
    runId: ending.run.id,
    event: ending.event,
    reason: notStarted(ending.run),
    isInLine: ending.run.lane !== null || ending.run.pool !== null,
  });
  if (closed === undefined) return;
  await tellObservers(context, commit.tx, { run: closed });
  commit.effects.push(() => tellOfClosed(context, closed));
}

function tellOfClosed(context: EngineContext, closed: RunRow): void {
  context.metrics.runEnded?.(closed.kind, closed.state);
  context.signals.send('run', closed.id, closed);
  if (closed.lane !== null || closed.pool !== null) context.signals.send('admit', admissionSubject(closed));
}

function toOwner(task: Finishing): Owner {
  return { runId: task.run_id, taskId: task.id, fence: task.fence ?? -1 };
}

function outcomeOf(failing: Failing): string {
  if (failing.cause === 'lost') return 'worker_lost';
  if (failing.cause === 'handed_back') return 'handed_back';
  return failing.failure.kind === 'timed_out' ? 'timed_out' : 'failed';
}

function cancelledRecord(failing: Failing): FailureRecord {
  if (failing.failure.kind === 'cancelled') return failing.failure;
  return new Failure('cancelled', 'the run was cancelled').toRecord();
}

/** How a one-time callback key is stored. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
