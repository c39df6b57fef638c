import type { AttemptEnd, AttemptFailure, RunningAttempt } from './attempt.ts';
import type { Failing, FinishOutcome } from './ending.ts';
import { finishFailure, finishSuccess, hashKey, park } from './finish.ts';
import type { NewLines } from './tables/log.ts';
import type { WorkerContext } from './worker-context.ts';

const RETRY_MS = 250;

/** Waits for the attempt and stores its end. Tries until it is stored or the attempt is not ours any more. */
export async function settle(
  context: WorkerContext,
  attempt: RunningAttempt,
  worker: { readonly isStopping: boolean },
): Promise<void> {
  const end = await attempt.ended;
  const isLost = end.kind === 'failure' && end.abortedBy?.kind === 'lease_lost';
  if (!isLost) {
    if (end.kind === 'failure') explain(context, end, attempt);
    const isWork = end.kind === 'result' && end.result.outcome !== 'waiting';
    const lines = isWork ? await end.log.take() : undefined;
    if (!isWork) await end.log.flush();
    await storeEnd(context, attempt, { end, lines, worker });
  }
  end.log.close();
}

function explain(context: WorkerContext, end: AttemptFailure, attempt: RunningAttempt): void {
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
  context: WorkerContext,
  attempt: RunningAttempt,
  state: { end: AttemptEnd; lines: NewLines | undefined; worker: { readonly isStopping: boolean } },
): Promise<void> {
  const { task } = attempt.claim;
  for (let tries = 0; ; tries++) {
    try {
      const outcome = await applyEnd(context, attempt, state);
      if (outcome === 'dropped') context.log('debug', 'a late completion was dropped', { task: task.id });
      return;
    } catch (error) {
      context.log('warn', 'the end of an attempt could not be stored', { task: task.id, error: String(error) });
      if (tries >= 3 && state.worker.isStopping) return;
      if (tries >= 240) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function causeOf(end: AttemptFailure): Failing['cause'] {
  if (end.abortedBy?.kind === 'worker_lost') return 'handed_back';
  return end.hasLostStore && end.abortedBy === undefined ? 'lost' : 'failed';
}

function applyEnd(
  context: WorkerContext,
  attempt: RunningAttempt,
  { end, lines }: { readonly end: AttemptEnd; readonly lines: NewLines | undefined },
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
  return finishSuccess(context, attempt.claim, { outcome: result.outcome, warnings, output: result.output, lines });
}
