import { Failure } from '../errors.ts';
import { transact } from './context.ts';
import type { AfterCommit, EngineContext } from './context.ts';
import { dispatchTasks } from './dispatch.ts';
import { refuseBadTasks, toTaskRow } from './start.ts';
import { holdTask } from './tables/claim.ts';
import { lockRun } from './tables/finish.ts';
import type { Owner } from './tables/finish.ts';
import type { RunRow } from './tables/rows.ts';
import { toTaskView } from './tables/rows.ts';
import { findTasksByKey, insertSiblings, skipUnbegun } from './tables/siblings.ts';
import type { TaskPlan, TaskView } from './types.ts';

/**
 * Adds tasks to the phase of a running task, in one transaction: rows, jobs and the count of open tasks. The phase cannot
 * end meanwhile, since that task is open and its run locked. Answers the tasks of all plans, those already there too.
 */
export async function addTasks(
  context: EngineContext,
  owner: Owner,
  plans: readonly TaskPlan[],
): Promise<readonly TaskView[]> {
  refuseBadTasks(plans);
  if (plans.some((plan) => plan.skip)) throw new Failure('bad_request', 'a task that is added cannot be skipped');
  return transact(context, async (commit) => {
    const run = await lockOwnRun(commit, owner);
    if (run.cancel_requested_at !== null) throw new Failure('cancelled', 'the run was cancelled');
    const tasks = plans.map((plan, position) => ({ ...toTaskRow(context, plan), position }));
    const queued = await insertSiblings(commit.tx, { runId: run.id, tasks });
    await dispatchTasks(context, commit, { tasks: queued });
    const keys = plans.map((plan) => plan.key);
    return (await findTasksByKey(commit.tx, run.id, keys)).map(toTaskView);
  });
}

/** Skips tasks of the phase that are still queued, so that nobody begins them and the run does not wait for them. */
export async function withdrawTasks(
  context: EngineContext,
  owner: Owner,
  keys: readonly string[],
): Promise<readonly string[]> {
  return transact(context, async (commit) => {
    const run = await lockOwnRun(commit, owner);
    const skipped = await skipUnbegun(commit.tx, { runId: run.id, phase: run.phase, keys, except: owner.taskId });
    await context.queue.drop(commit.tx, skipped);
    return skipped.map((task) => task.key);
  });
}

/** The run first and then the task, as everywhere; nothing is written for an attempt that lost its task. */
async function lockOwnRun({ tx }: AfterCommit, owner: Owner): Promise<RunRow> {
  const run = await lockRun(tx, owner.runId);
  if (run !== undefined && (await holdTask(tx, owner))) return run;
  throw new Failure('lease_lost', 'a newer attempt owns this task, or the task has ended');
}
