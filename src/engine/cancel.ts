import { Failure } from '../errors.ts';
import { transact } from './context.ts';
import type { EngineContext } from './context.ts';
import { endPhase } from './finish.ts';
import { cancelWaitingTasks, requestCancel } from './tables/cancel.ts';
import { lockRun } from './tables/finish.ts';
import type { State } from './types.ts';

/**
 * Asks a run to end. What nobody executes (planned, queued, waiting for a callback) is cancelled in this transaction;
 * running attempts are told to stop, and end the run when they have. False when the run is unknown or terminal.
 */
export async function cancelRun(
  context: EngineContext,
  order: { runId: string; by: string; onlyIn?: readonly State[] | undefined },
): Promise<boolean> {
  const { runId, by, onlyIn } = order;
  return transact(context, async (commit) => {
    const { tx } = commit;
    const locked = await lockRun(tx, runId);
    if (locked === undefined || locked.ended_at !== null) return false;
    if (onlyIn?.includes(locked.state) === false) return false;
    const reason = new Failure('cancelled', 'the run was cancelled').toRecord();
    const dropped = await cancelWaitingTasks(tx, { runId, reason });
    await context.queue.drop(
      tx,
      dropped.map((task) => task.jobId).filter((jobId) => jobId !== null),
    );
    const ended = dropped.filter((task) => task.wasOpen).length;
    const run = await requestCancel(tx, { runId, by, ended, hasCancelled: dropped.length > 0 });
    if (run === undefined) return false;
    if (run.open_tasks === 0) await endPhase(context, commit, run);
    commit.effects.push(() => context.signals.send('cancel', runId));
    return true;
  });
}
