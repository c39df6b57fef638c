import { Failure } from '../errors.ts';
import { cancelOrphans } from './cancel.ts';
import { transact } from './context.ts';
import type { EngineContext } from './context.ts';
import { dispatchTasks } from './dispatch.ts';
import { applyFailure } from './finish.ts';
import type { Failing, Finishing } from './ending.ts';
import { startLoop } from './loop.ts';
import type { Loop } from './loop.ts';
import { createLogWriter } from './logs.ts';
import { lockRun } from './tables/finish.ts';
import { measureOutbox, pruneOutbox } from './tables/outbox.ts';
import {
  findLostLeases,
  findOverdueCallbacks,
  isOverdue,
  measureQueue,
  removeOldLogs,
  removeOldRuns,
  renewMissingJobs,
} from './tables/sweep.ts';
import type { OverdueAttempt } from './tables/sweep.ts';
import type { WorkerContext } from './worker-context.ts';

const SWEEP_MS = 1000;
const SLOW_SWEEP_MS = 30_000;
const BATCH = 100;

/** Takes over lost leases, ends overdue callbacks, ends cancels that a crash cut off, removes what is past its retention. Every worker sweeps. */
export function startSweeper(context: WorkerContext): Loop {
  let sweptSlowlyAt = context.world.elapsed();
  const pass = async (): Promise<number> => {
    await sweepOverdue(context);
    await cancelOrphans(context, BATCH);
    if (context.world.elapsed() - sweptSlowlyAt >= SLOW_SWEEP_MS) {
      sweptSlowlyAt = context.world.elapsed();
      await sweepSlowly(context);
    }
    // Not all workers at once.
    const jitter = context.world.random(1).readUInt8() / 255;
    return SWEEP_MS * (0.75 + jitter / 2);
  };
  const onError = (error: unknown): void => {
    context.log('warn', 'a sweep failed; trying again', { error: String(error) });
  };
  return startLoop(pass, { pauseMs: SWEEP_MS, onError });
}

/** One pass over lost leases and overdue callbacks, by the database's clock. */
export async function sweepOverdue(context: WorkerContext): Promise<void> {
  const lost = new Failure('worker_lost', 'the worker that executed this task died or lost the database');
  for (const overdue of await findLostLeases(context.store.db, BATCH)) {
    const outcome = await sweepAttempt(context, overdue.task, { failure: lost.toRecord(), cause: 'lost' });
    if (outcome === 'dropped') continue;
    const log = createLogWriter(context, overdue.task.run_id);
    if (outcome === 'returned') log.write('warn', `worker lost; task ${overdue.task.key} goes to another worker`);
    else if (outcome === 'ended') log.write('error', lost.message);
    await log.flush();
  }
  const late = new Failure('timed_out', 'no callback came before the deadline');
  for (const overdue of await findOverdueCallbacks(context.store.db, BATCH)) {
    await sweepAttempt(context, overdue.task, { failure: late.toRecord(), cause: 'failed' });
  }
}

async function sweepAttempt(
  context: EngineContext,
  task: OverdueAttempt['task'] & Finishing,
  failing: Failing,
): Promise<string> {
  return transact(context, async (commit) => {
    if ((await lockRun(commit.tx, task.run_id)) === undefined) return 'dropped';
    // Its worker may have come back while we waited for the lock.
    if (!(await isOverdue(commit.tx, { taskId: task.id, number: task.attempt }))) return 'dropped';
    return applyFailure(context, commit, { task, failing });
  });
}

/** Retention, jobs that got lost, and measurements. */
export async function sweepSlowly(context: EngineContext): Promise<void> {
  const { db } = context.store;
  const age = { days: context.settings.runsRetentionDays, limit: BATCH };
  while ((await removeOldRuns(db, age)) === BATCH);
  while ((await removeOldLogs(db, age)) === BATCH);
  await pruneOutbox(db);
  await transact(context, async (commit) => {
    await dispatchTasks(context, commit, { tasks: await renewMissingJobs(commit.tx, BATCH) });
  });
  if (context.metrics.queueMeasured !== undefined) {
    const { depth, oldestMs } = await measureQueue(db);
    context.metrics.queueMeasured(depth, oldestMs);
  }
  if (context.metrics.outboxMeasured !== undefined) {
    const { depth, oldestMs } = await measureOutbox(db);
    context.metrics.outboxMeasured(depth, oldestMs);
  }
}
