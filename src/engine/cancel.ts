import { Failure } from '../errors.ts';
import { transact } from './context.ts';
import type { EngineContext } from './context.ts';
import { endPhase } from './finish.ts';
import { cancelWaitingTasks, findLiveChildren, findOrphans, requestCancel } from './tables/cancel.ts';
import { lockRun } from './tables/finish.ts';
import type { CancelOptions } from './types.ts';

/**
 * Asks a run and its living descendants to end (`cancelOne`), each in a transaction of its own. The children come after
 * the parent's commit: from then on it starts no further ones. What a crash leaves undone here, the sweep finds.
 */
export async function cancelRun(context: EngineContext, order: CancelOrder): Promise<boolean> {
  const isAsked = await cancelOne(context, order);
  if (isAsked) await cancelChildren(context, order);
  return isAsked;
}

/** Cancels the living children of runs that are to end; answers how many there were. */
export async function cancelOrphans(context: EngineContext, limit: number): Promise<number> {
  const orphans = await findOrphans(context.store.db, limit);
  for (const { runId, by } of orphans) await cancelRun(context, { runId, by });
  return orphans.length;
}

async function cancelChildren(context: EngineContext, { runId, by }: CancelOrder): Promise<void> {
  for (const childId of await findLiveChildren(context.store.db, runId))
    await cancelRun(context, { runId: childId, by });
}

export interface CancelOrder extends CancelOptions {
  readonly runId: string;
  readonly by: string;
}

/**
 * Asks a run to end. What nobody executes (planned, queued, waiting for a callback) is cancelled in this transaction;
 * running attempts are told to stop, and end the run when they have. False when the run is unknown or terminal.
 */
async function cancelOne(context: EngineContext, { runId, by, onlyIn, beside }: CancelOrder): Promise<boolean> {
  return transact(context, async (commit) => {
    const { tx } = commit;
    const locked = await lockRun(tx, runId);
    if (locked === undefined || locked.ended_at !== null) return false;
    if (onlyIn?.includes(locked.state) === false) return false;
    const reason = new Failure('cancelled', 'the run was cancelled').toRecord();
    const dropped = await cancelWaitingTasks(tx, { runId, reason });
    await context.queue.drop(tx, dropped);
    const ended = dropped.filter((task) => task.wasOpen).length;
    const run = await requestCancel(tx, { runId, by, ended, hasCancelled: dropped.length > 0 });
    if (run === undefined) return false;
    await beside?.(tx);
    if (run.open_tasks === 0) await endPhase(context, commit, { run });
    commit.effects.push(() => context.signals.send('cancel', runId));
    return true;
  });
}
