import { sql } from 'kysely';
import { transact } from './context.ts';
import type { AfterCommit, EngineContext } from './context.ts';
import { dispatchTasks } from './dispatch.ts';
import { tellObservers } from './observers.ts';
import type { Dispatch, QueueName } from './queue.ts';
import { claimTasks, isKeyTaken, replaceJob } from './tables/claim.ts';
import type { ClaimedRows } from './tables/claim.ts';

/** How soon a task whose concurrency key was taken is tried again. */
const BUSY_KEY_DELAY_SECONDS = 0.5;

export interface ClaimedBatch {
  readonly claims: readonly ClaimedRows[];
  /** Jobs taken from the queue; as many as asked for means that there may be more. */
  readonly taken: number;
}

/**
 * Takes up to `limit` due tasks and makes this process their owner, all in one transaction: either the jobs are gone
 * from the queue and the tasks run under a lease, or nothing has happened.
 */
export async function claimBatch(context: EngineContext, queue: QueueName, limit: number): Promise<ClaimedBatch> {
  return transact(context, async (commit) => {
    const dispatches = await context.queue.take(commit.tx, queue, limit);
    if (dispatches.length === 0) return { claims: [], taken: 0 };
    const free = dispatches.filter((dispatch) => !dispatch.hasConcurrencyKey).map((dispatch) => dispatch.taskId);
    const claims = free.length === 0 ? [] : [...(await claimTasks(commit.tx, toOrder(context, free)))];
    for (const dispatch of inOneOrder(dispatches)) claims.push(...(await claimKeyed(context, commit, dispatch.taskId)));
    await tellOfBegun(context, commit, claims);
    return { claims, taken: dispatches.length };
  });
}

function toOrder(
  context: EngineContext,
  taskIds: readonly string[],
): { taskIds: readonly string[]; worker: string; leaseSeconds: number } {
  return { taskIds, worker: context.instance, leaseSeconds: context.settings.leaseSeconds };
}

/** Tasks with a concurrency key, in an order that all workers share. */
function inOneOrder(dispatches: readonly Dispatch[]): readonly Dispatch[] {
  const keyed = dispatches.filter((dispatch) => dispatch.hasConcurrencyKey);
  return keyed.toSorted((one, other) => (one.taskId < other.taskId ? -1 : 1));
}

/** The unique index on running tasks decides; a task whose key is taken goes back to the queue for a moment. */
async function claimKeyed(
  context: EngineContext,
  commit: AfterCommit,
  taskId: string,
): Promise<readonly ClaimedRows[]> {
  const { tx } = commit;
  if (!(await isKeyTaken(tx, taskId))) {
    await sql`savepoint keyed`.execute(tx);
    try {
      const claims = await claimTasks(tx, toOrder(context, [taskId]));
      await sql`release savepoint keyed`.execute(tx);
      return claims;
    } catch (error) {
      if ((error as { code?: unknown }).code !== '23505') throw error;
      await sql`rollback to savepoint keyed`.execute(tx);
    }
  }
  const job = await replaceJob(tx, taskId);
  if (job !== undefined) {
    const tasks = [{ taskId, ...job, hasConcurrencyKey: true }];
    await dispatchTasks(context, commit, { tasks, delay: { seconds: BUSY_KEY_DELAY_SECONDS } });
  }
  return [];
}

async function tellOfBegun(context: EngineContext, commit: AfterCommit, claims: readonly ClaimedRows[]): Promise<void> {
  const told = new Set<string>();
  for (const { run, beganRun } of claims) {
    if (!beganRun || told.has(run.id)) continue;
    told.add(run.id);
    await tellObservers(context, commit.tx, { run });
    commit.effects.push(() => context.signals.send('run', run.id, run));
  }
  commit.effects.push(() => {
    context.world.reach('engine.claimed');
    for (const claim of claims) context.metrics.taskClaimed?.(claim.waitedMs);
  });
}
