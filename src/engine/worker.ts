import { Failure } from '../errors.ts';
import { beginAttempt } from './attempt.ts';
import type { AttemptEnd, AttemptFailure, RunningAttempt } from './attempt.ts';
import { claimBatch } from './claim.ts';
import { startChildWatch } from './child-watch.ts';
import type { EngineContext, WorkerContext } from './context.ts';
import { finishFailure, finishSuccess, hashKey, park } from './finish.ts';
import type { Failing, FinishOutcome } from './finish.ts';
import { createHeartbeat } from './heartbeat.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { startOutboxSender } from './outbox.ts';
import { startSweeper } from './sweep.ts';
import type { Worker } from './types.ts';

const POLL_MS = 1000;
const RECONNECT_MS = 250;
/** After the grace of a stop, aborted attempts get this long to come back before they are handed over regardless. */
const STOP_ABORT_MS = 2000;

/** Claims and executes tasks in `settings.slots` slots, keeps their leases, sweeps, and delivers the outbox. */
export function startWorkerLoop(engine: EngineContext): Worker {
  const context: WorkerContext = { ...engine, childWatch: startChildWatch(engine) };
  const slots: Slots = { running: new Set(), executions: new Set(), isStopping: false };
  const heartbeat = createHeartbeat(context, slots.running);
  const claiming = startClaiming(context, slots);
  const background = [
    startSweeper(context),
    ...(Object.keys(context.deliverers).length > 0 ? [startOutboxSender(context)] : []),
  ];
  const stopListening = context.signals.on('cancel', (runId) => {
    for (const attempt of slots.running) if (attempt.claim.run.id === runId) attempt.abort(cancelled());
  });
  return {
    async stop(graceMs) {
      if (slots.isStopping) return;
      slots.isStopping = true;
      await claiming.stop();
      await endWithin(slots.executions, graceMs);
      for (const attempt of slots.running) attempt.abort(new Failure('worker_lost', 'this worker stops'));
      await endWithin(slots.executions, STOP_ABORT_MS);
      for (const attempt of slots.running) await handBack(context, attempt);
      await heartbeat.stop();
      stopListening();
      await context.childWatch.stop();
      for (const part of background) await part.stop();
    },
  };
}

interface Slots {
  readonly running: Set<RunningAttempt>;
  readonly executions: Set<Promise<void>>;
  isStopping: boolean;
}

/** Fills free slots: woken when a task is queued or a slot gets free, and by a poll. */
function startClaiming(context: WorkerContext, slots: Slots): Loop {
  let mayHaveMore = true;
  let polledAt = -Infinity;
  const execute = async (attempt: RunningAttempt): Promise<void> => {
    await settle(context, attempt, slots);
    slots.running.delete(attempt);
    loop.wake();
  };
  const pass = async (): Promise<number> => {
    const free = context.settings.slots - slots.running.size;
    const isPollDue = context.world.elapsed() - polledAt >= POLL_MS;
    if (free <= 0 || (!mayHaveMore && !isPollDue)) return POLL_MS;
    polledAt = context.world.elapsed();
    mayHaveMore = false;
    const batch = await claimBatch(context, free);
    mayHaveMore ||= batch.taken === free;
    for (const claim of batch.claims) {
      const attempt = beginAttempt(context, claim);
      slots.running.add(attempt);
      const execution = execute(attempt).finally(() => slots.executions.delete(execution));
      slots.executions.add(execution);
    }
    return 0;
  };
  const onError = (error: unknown): void => {
    mayHaveMore = true;
    context.log('warn', 'tasks could not be claimed; trying again', { error: String(error) });
  };
  const loop = startLoop(pass, { pauseMs: RECONNECT_MS, onError });
  const stopListening = context.signals.on('queue', () => {
    mayHaveMore = true;
    loop.wake();
  });
  return {
    wake: loop.wake,
    stop() {
      stopListening();
      return loop.stop();
    },
  };
}

function cancelled(): Failure {
  return new Failure('cancelled', 'the run was cancelled');
}

async function endWithin(executions: ReadonlySet<Promise<void>>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  while (executions.size > 0) {
    const isOver = await Promise.race([Promise.all(executions).then(() => false), timeout.then(() => true)]);
    if (isOver) break;
  }
  clearTimeout(timer);
}

/** For an attempt that did not come back on a stop: another worker may have it at once. */
async function handBack(context: EngineContext, attempt: RunningAttempt): Promise<void> {
  const failure = new Failure('worker_lost', 'the worker stopped').toRecord();
  await finishFailure(context, attempt.claim.task, { failure, cause: 'handed_back' }).catch((error: unknown) => {
    context.log('warn', 'an attempt could not be handed back; its lease will end', { error: String(error) });
  });
}

/** Waits for the attempt and stores its end. Tries until it is stored or the attempt is not ours any more. */
async function settle(context: EngineContext, attempt: RunningAttempt, slots: Slots): Promise<void> {
  const end = await attempt.ended;
  const isLost = end.kind === 'failure' && end.abortedBy?.kind === 'lease_lost';
  if (!isLost) {
    if (end.kind === 'failure') explain(context, end, attempt);
    await end.log.flush();
    await storeEnd(context, attempt, { end, slots });
  }
  end.log.close();
}

function explain(context: EngineContext, end: AttemptFailure, attempt: RunningAttempt): void {
  const { failure, abortedBy } = end;
  const { task } = attempt.claim;
  if (abortedBy?.kind === 'cancelled') end.log.write('warn', `cancelled: task ${task.key}`);
  else if (abortedBy?.kind === 'worker_lost')
    end.log.write('warn', `the worker stops; task ${task.key} moves to another`);
  else end.log.write('error', failure.message);
  if (failure.kind === 'internal') {
    context.log('error', 'a component failed unexpectedly', {
      run: task.run_id,
      task: task.key,
      error: failure.message,
    });
  }
}

async function storeEnd(
  context: EngineContext,
  attempt: RunningAttempt,
  state: { end: AttemptEnd; slots: Slots },
): Promise<void> {
  const { task } = attempt.claim;
  for (let tries = 0; ; tries++) {
    try {
      const outcome = await applyEnd(context, attempt, state.end);
      if (outcome === 'dropped') context.log('debug', 'a late completion was dropped', { task: task.id });
      return;
    } catch (error) {
      context.log('warn', 'the end of an attempt could not be stored', { task: task.id, error: String(error) });
      if (tries >= 3 && state.slots.isStopping) return;
      if (tries >= 240) return;
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }
}

function causeOf(end: AttemptFailure): Failing['cause'] {
  if (end.abortedBy?.kind === 'worker_lost') return 'handed_back';
  return end.hasLostStore && end.abortedBy === undefined ? 'lost' : 'failed';
}

function applyEnd(
  context: EngineContext,
  attempt: RunningAttempt,
  end: AttemptEnd,
): Promise<FinishOutcome | 'waiting'> {
  const { task } = attempt.claim;
  if (end.kind === 'failure') {
    return finishFailure(context, task, { failure: end.failure, cause: causeOf(end), output: end.output });
  }
  const { result } = end;
  if (result.outcome === 'waiting') {
    return park(context, task, { callbackHash: hashKey(result.callbackKey), deadlineMs: result.deadlineMs });
  }
  const warnings = result.outcome === 'warned' ? result.warnings : 0;
  return finishSuccess(context, task, { outcome: result.outcome, warnings, output: result.output });
}
