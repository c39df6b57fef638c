import type { RunView } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { statusOf } from '../component-runs/describe.ts';
import { findRunByKey } from '../jobs/tables.ts';
import type { TaskEnd } from '../types.ts';
import { isFinal } from './limit.ts';
import type { ExecutionRooms, Step } from './types.ts';

/** How long a run whose task is over may take to end (7.5, 7.9). */
const TIMEOUT_GRACE_MS = 30_000;
const KILL_GRACE_MS = 36_000;

/** Names what a task starts among all that it might: one run, however many attempts it takes. */
export const CHILD = 'run';

/** The idempotency key of what a task starts, as `Attempt.startChild` makes it. */
export function childKeyOf({ attempt }: Step): string {
  return `child/${attempt.task.id}/${CHILD}`;
}

/** The run that an earlier attempt of this task has started. */
export async function findChild(rooms: ExecutionRooms, step: Step): Promise<string | undefined> {
  const { attempt } = step;
  if (attempt.number === 1) return undefined;
  return attempt.reading(() => findRunByKey(rooms.store.db, childKeyOf(step)));
}

/**
 * Waits for the end of a run that the task has started. When the task is to end before it, the run is ended first and
 * given some time; one that still lives after that is left to itself, and an event says so.
 */
export async function awaitChild(rooms: ExecutionRooms, step: Step, runId: string): Promise<TaskEnd> {
  rooms.world.reach('orchestrate.child-started');
  const { attempt, signal } = step;
  try {
    return toEnd(await attempt.childEnded(runId, signal));
  } catch (reason) {
    if (!signal.aborted || !isFinal(reason)) throw reason;
    await stopChild(rooms, step, { runId, reason });
    return reason.kind === 'cancelled' ? { status: 'terminated' } : errorEnd(reason.message);
  }
}

async function stopChild(
  { engine }: ExecutionRooms,
  { attempt, position }: Step,
  { runId, reason }: { readonly runId: string; readonly reason: Failure },
): Promise<void> {
  await engine.cancel(runId, await endedBy(engine, { attempt, position }, reason));
  const graceMs = reason.kind === 'timed_out' ? TIMEOUT_GRACE_MS : KILL_GRACE_MS;
  const isOver = await attempt.childEnded(runId, AbortSignal.timeout(graceMs)).then(
    () => true,
    () => false,
  );
  if (isOver) return;
  const run = await engine.get(runId);
  attempt.log('warn', `Task ${position + 1}: run ${run?.number ?? runId} does not end; it is abandoned`);
}

/** Whoever ends a job ends what its tasks have started, and stands there as well. */
async function endedBy(
  engine: ExecutionRooms['engine'],
  { attempt, position }: Pick<Step, 'attempt' | 'position'>,
  reason: Failure,
): Promise<string> {
  const task = `task ${position + 1} of job ${attempt.run.number}`;
  if (reason.kind === 'timed_out') return `the time limit of ${task}`;
  return (await engine.get(attempt.run.id))?.cancelledBy ?? task;
}

function toEnd(run: RunView | undefined): TaskEnd {
  if (run === undefined) {
    return errorEnd('The run that this task started was removed');
  }
  const status = statusOf(run);
  if (status === 'waiting' || status === 'processing' || status === 'terminating') {
    throw new Failure('internal', `run ${run.number} ended as ${status}`);
  }
  if (status === 'success') return { status };
  return { status, message: run.error?.message ?? `What the task called ended with ${status}` };
}

/** A task that failed by itself: its answer is made here. */
export function errorEnd(message: string): TaskEnd {
  return { status: 'error', message, response: { status: 'error', message } };
}
