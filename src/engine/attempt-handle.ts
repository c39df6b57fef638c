import { Failure } from '../errors.ts';
import type { Transaction } from '../store/index.ts';
import { isConnectionLoss } from './connection-loss.ts';
import { transact } from './context.ts';
import type { AfterCommit } from './context.ts';
import type { LogWriter } from './logs.ts';
import type { ProgressWriter } from './progress.ts';
import { addTasks, withdrawTasks } from './siblings.ts';
import { acceptChild, acceptRun, refuseBadPlan } from './start.ts';
import { holdTask, holdTaskOfRun, writeMemo } from './tables/claim.ts';
import type { ClaimedRows } from './tables/claim.ts';
import type { Owner } from './tables/finish.ts';
import { toJson, toRunView, toTaskView } from './tables/rows.ts';
import type { Attempt, RunPlan, StartResult } from './types.ts';
import type { WorkerContext } from './worker-context.ts';

const LARGEST_MEMO_BYTES = 64 * 1024;

export interface AttemptParts {
  readonly signal: AbortSignal;
  readonly log: LogWriter;
  readonly progress: ProgressWriter;
  readonly health: { hasLostStore: boolean };
}

/** What the component of a claimed task gets. */
export function toAttempt(context: WorkerContext, claim: ClaimedRows, parts: AttemptParts): Attempt {
  const { task, run } = claim;
  const owner = { runId: run.id, taskId: task.id, fence: task.fence ?? -1 };
  const guarded: Attempt['guarded'] = (work) =>
    watchStore(parts.health, () =>
      context.store.transaction(async (tx) => {
        if (!(await holdTask(tx, owner))) throw leaseLost();
        return work(tx);
      }),
    );
  return {
    run: toRunView(run),
    task: toTaskView(task),
    number: task.attempt,
    fence: owner.fence,
    signal: parts.signal,
    log: parts.log.write,
    progress: parts.progress.replace,
    guarded,
    reading: (work) => watchStore(parts.health, work),
    remember: (value) => watchStore(parts.health, () => remember(context, owner, value)),
    startChild: (plan) =>
      watchStore(parts.health, () => startChild(context, owner, { createdBy: run.created_by, ...plan })),
    asParent: (work) =>
      watchStore(parts.health, () =>
        context.store.transaction(async (tx) => {
          await holdAsParent(tx, owner);
          return work(tx);
        }),
      ),
    childEnded: (runId, until) => context.childWatch.ended(runId, until),
    addTasks: (plans) => watchStore(parts.health, () => addTasks(context, owner, plans)),
    withdrawTasks: (keys) => watchStore(parts.health, () => withdrawTasks(context, owner, keys)),
  };
}

function leaseLost(): Failure {
  return new Failure('lease_lost', 'a newer attempt owns this task, or the task has ended');
}

/** Notes whether our own database broke away, which is no fault of the task. */
async function watchStore<T>(health: AttemptParts['health'], work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    health.hasLostStore = false;
    return result;
  } catch (error) {
    if (!isConnectionLoss(error)) throw error;
    health.hasLostStore = true;
    throw new Failure('connection_lost', 'the connection to our own database broke', { cause: error });
  }
}

async function remember(context: WorkerContext, owner: Owner, value: unknown): Promise<void> {
  const memo = toJson(value);
  if (memo !== null && Buffer.byteLength(memo) > LARGEST_MEMO_BYTES) {
    throw new Failure('bad_request', `a task can remember at most ${LARGEST_MEMO_BYTES} bytes of JSON`);
  }
  if (!(await writeMemo(context.store.db, { ...owner, memo }))) throw leaseLost();
}

/**
 * Accepts a child run while this attempt owns the task and its run is not to end. Holds the run's row: a cancel comes
 * before, and then there is no child, or after the commit, and then it finds the child.
 */
async function startChild(
  context: WorkerContext,
  owner: Owner,
  plan: Parameters<Attempt['startChild']>[0],
): Promise<StartResult> {
  const child: RunPlan = {
    ...plan,
    trigger: 'parent',
    parentTaskId: owner.taskId,
    idempotencyKey: `child/${owner.taskId}/${plan.idempotencyKey ?? plan.definition ?? plan.kind}`,
  };
  refuseBadPlan(child);
  const accept = (): Promise<StartResult> =>
    transact(context, async (commit: AfterCommit) => {
      await holdAsParent(commit.tx, owner);
      return acceptRun(context, child, commit);
    });
  const started = (await acceptChild(context, child, owner)) ?? (await accept());
  if (started.outcome === 'started') context.childWatch.expect(started.runId);
  return started;
}

async function holdAsParent(tx: Transaction, owner: Owner): Promise<void> {
  const held = await holdTaskOfRun(tx, owner);
  if (held === undefined) throw leaseLost();
  if (held.cancelRequested) throw new Failure('cancelled', 'the run was cancelled');
}
