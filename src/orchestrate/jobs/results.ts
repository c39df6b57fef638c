import { exceptionIdOf } from '../component-runs/adapter.ts';
import type { TaskDefinition } from '../types.ts';
import { keyOf } from './plan.ts';
import type { TaskRow } from './tables.ts';
import type { ResultTask, TaskResponse } from './types.ts';

export type TaskChild = Pick<TaskResponse, 'run' | 'job'>;

/** What tasks have started here, by the engine's id of the task. */
export type Children = ReadonlyMap<string, TaskChild>;

/** All tasks of a job in their order, with what became of them until now (5.5). */
export function toResults(
  definitions: readonly TaskDefinition[],
  tasks: readonly TaskRow[],
  children: Children,
): readonly ResultTask[] {
  const byKey = new Map(tasks.map((task) => [task.key, task]));
  return definitions.map((definition, position) => {
    const task = byKey.get(keyOf(position));
    return { definition, reached: task === undefined ? null : toReached(task, children.get(task.id)) };
  });
}

function toReached(task: TaskRow, child: TaskChild | undefined): ResultTask['reached'] {
  if (task.startedAt === null || ['planned', 'skipped'].includes(task.state)) return null;
  const times = { startTime: task.startedAt, endTime: task.endedAt };
  const { end } = task;
  if (task.state === 'queued' || task.state === 'running') {
    return { status: 'processing', ...times, message: null, response: child ?? null };
  }
  const response = end?.response === undefined ? (child ?? null) : { body: end.response, ...child };
  if (task.state === 'cancelled') return { status: 'terminated', ...times, message: end?.message ?? null, response };
  if (end !== null) return { status: end.status, ...times, message: end.message ?? null, response };
  const message = messageOf(task);
  return { status: 'error', ...times, message, response: { body: { status: 'error', message }, ...child } };
}

/** Why the engine ended a task that could not tell itself. */
function messageOf(task: TaskRow): string {
  if (task.error?.kind !== 'internal') return task.error?.message ?? '';
  return `Application error. Look for ${exceptionIdOf(task.runId)} in the server's log.`;
}
