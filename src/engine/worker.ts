import { Failure } from '../errors.ts';
import { startAdmitter } from './admission.ts';
import type { RunningAttempt } from './attempt.ts';
import { startChildWatch } from './child-watch.ts';
import { startClaiming } from './claiming.ts';
import type { Hold } from './claiming.ts';
import type { EngineContext } from './context.ts';
import type { SucceedingHere } from './ending.ts';
import { applySuccesses, createLastEnds, endWithinPhase, finishFailure } from './finish.ts';
import { createHeartbeat } from './heartbeat.ts';
import { createLineStore } from './line-store.ts';
import { logRoom } from './logs.ts';
import { startOutboxSenders } from './outbox.ts';
import { createChildStarts } from './start.ts';
import { startSweeper } from './sweep.ts';
import { createTurns } from './turns.ts';
import type { Worker } from './types.ts';
import type { WorkerContext } from './worker-context.ts';

/** After the grace of a stop, aborted attempts get this long to come back before they are handed over regardless. */
const STOP_ABORT_MS = 2000;

/**
 * Claims and executes tasks: those that need one in `settings.slots` slots, those that only wait for others beside them.
 * Keeps their leases, admits runs, sweeps, and delivers the outbox.
 */
export function startWorkerLoop(engine: EngineContext): Worker {
  const context: WorkerContext = {
    ...engine,
    childWatch: startChildWatch(engine),
    turns: createTurns(engine, {
      apply: (commit, ends: readonly SucceedingHere[]) => applySuccesses(engine, commit, ends),
      applyAlone: (ends) => endWithinPhase(engine, ends),
    }),
    childStarts: createChildStarts(engine),
    lastEnds: createLastEnds(engine),
    lineStore: createLineStore(engine, logRoom(engine)),
  };
  const hold: Hold = { running: new Set(), executions: new Set(), isStopping: false };
  const heartbeat = createHeartbeat(context, hold.running);
  const { slots, mostWaiting } = context.settings;
  const claiming = [
    startClaiming(context, hold, { queue: 'task', room: slots, signal: 'queue' }),
    startClaiming(context, hold, { queue: 'waiting-task', room: mostWaiting, signal: 'waiting' }),
  ];
  const background = [startAdmitter(context), startSweeper(context), ...startOutboxSenders(context)];
  const stopListening = context.signals.on('cancel', (runId) => {
    for (const attempt of hold.running) if (attempt.claim.run.id === runId) attempt.abort(cancelled());
  });
  return {
    async stop(graceMs) {
      if (hold.isStopping) return;
      hold.isStopping = true;
      await Promise.all(claiming.map((loop) => loop.stop()));
      // Those that wait may do so for hours: they move at once. The others get the time to end.
      abortAll(hold, (attempt) => attempt.claim.task.waits);
      await endWithin(hold.executions, graceMs);
      abortAll(hold, () => true);
      await endWithin(hold.executions, STOP_ABORT_MS);
      for (const attempt of hold.running) {
        await handBack(context, attempt);
        attempt.letGo();
      }
      await endWithin(hold.executions, STOP_ABORT_MS);
      await heartbeat.stop();
      stopListening();
      await context.childWatch.stop();
      for (const part of background) await part.stop();
    },
  };
}

function cancelled(): Failure {
  return new Failure('cancelled', 'the run was cancelled');
}

function abortAll(hold: Hold, isMeant: (attempt: RunningAttempt) => boolean): void {
  for (const attempt of hold.running) {
    if (isMeant(attempt)) attempt.abort(new Failure('worker_lost', 'this worker stops'));
  }
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
async function handBack(context: WorkerContext, attempt: RunningAttempt): Promise<void> {
  const failure = new Failure('worker_lost', 'the worker stopped').toRecord();
  await finishFailure(context, attempt.claim.task, { failure, cause: 'handed_back' }).catch((error: unknown) => {
    context.log('warn', 'an attempt could not be handed back; its lease will end', { error: String(error) });
  });
}
