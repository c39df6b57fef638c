import { Failure } from '../errors.ts';
import { transact } from './context.ts';
import type { EngineContext } from './context.ts';
import { applyFailure, applySuccess, hashKey } from './finish.ts';
import { lockRun } from './tables/finish.ts';
import { findCallbackTask, readTask } from './tables/read.ts';
import { toTaskView } from './tables/rows.ts';
import type { CallbackResult, TaskView } from './types.ts';

/** An outside system may answer before the transaction that makes the task wait has committed. */
const LOOK_UPS = 4;
const LOOK_UP_PAUSE_MS = 150;

/** Ends the waiting task of a one-time key. A key that was used already answers the state that is stored. */
export async function applyCallback(
  context: EngineContext,
  key: string,
  result: CallbackResult,
): Promise<TaskView | undefined> {
  const hash = hashKey(key);
  const taskId = await findTask(context, hash);
  if (taskId === undefined) return undefined;
  return transact(context, async (commit) => {
    const runId = (await findCallbackTask(commit.tx, hash))?.task.run_id;
    if (runId === undefined) return undefined;
    await lockRun(commit.tx, runId);
    const found = await findCallbackTask(commit.tx, hash);
    if (found === undefined) return undefined;
    const { task } = found;
    if (found.isWaiting) {
      if (result.outcome === 'failed') {
        const failure = result.error ?? new Failure('internal', 'the outside system reported a failure').toRecord();
        await applyFailure(context, commit, { task, failing: { failure, cause: 'failed' } });
      } else {
        const warnings = result.outcome === 'warned' ? 1 : 0;
        const success = { outcome: result.outcome, warnings, output: result.output };
        await applySuccess(context, commit, { task, success });
      }
    }
    const stored = await readTask(commit.tx, task.id);
    return stored && toTaskView(stored);
  });
}

async function findTask(context: EngineContext, hash: string): Promise<string | undefined> {
  for (let lookUp = 1; ; lookUp++) {
    const found = await findCallbackTask(context.store.db, hash);
    if (found !== undefined) return found.task.id;
    if (lookUp === LOOK_UPS) return undefined;
    await new Promise((resolve) => setTimeout(resolve, LOOK_UP_PAUSE_MS));
  }
}
