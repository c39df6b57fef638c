import { beginAttempt } from './attempt.ts';
import type { RunningAttempt } from './attempt.ts';
import { claimBatch } from './claim.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import type { QueueName } from './queue.ts';
import { settle } from './settle.ts';
import type { WorkerContext } from './worker-context.ts';

const POLL_MS = 1000;
const RECONNECT_MS = 250;
/** Tasks claimed in one transaction. */
const BATCH = 200;

/** The attempts of one worker. */
export interface Hold {
  readonly running: Set<RunningAttempt>;
  readonly executions: Set<Promise<void>>;
  isStopping: boolean;
}

export interface Claiming {
  readonly queue: QueueName;
  /** Attempts at tasks of this queue at once. */
  readonly room: number;
  readonly signal: 'queue' | 'waiting';
}

/** Fills the room for the tasks of one queue: woken when a task is queued or an attempt ends, and by a poll. */
export function startClaiming(context: WorkerContext, hold: Hold, claiming: Claiming): Loop {
  let running = 0;
  let mayHaveMore = true;
  let polledAt = -Infinity;
  const execute = async (attempt: RunningAttempt): Promise<void> => {
    await settle(context, attempt, hold);
    hold.running.delete(attempt);
    running -= 1;
    loop.wake();
  };
  const pass = async (): Promise<number> => {
    const free = Math.min(claiming.room - running, BATCH);
    const isPollDue = context.world.elapsed() - polledAt >= POLL_MS;
    if (free <= 0 || (!mayHaveMore && !isPollDue)) return POLL_MS;
    polledAt = context.world.elapsed();
    mayHaveMore = false;
    const batch = await claimBatch(context, claiming.queue, free);
    mayHaveMore ||= batch.taken === free;
    for (const claim of batch.claims) {
      const attempt = beginAttempt(context, claim);
      hold.running.add(attempt);
      running += 1;
      const execution = execute(attempt).finally(() => hold.executions.delete(execution));
      hold.executions.add(execution);
    }
    return 0;
  };
  const onError = (error: unknown): void => {
    mayHaveMore = true;
    context.log('warn', 'tasks could not be claimed; trying again', { error: String(error) });
  };
  const loop = startLoop(pass, { pauseMs: RECONNECT_MS, onError });
  const stopListening = context.signals.on(claiming.signal, () => {
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
