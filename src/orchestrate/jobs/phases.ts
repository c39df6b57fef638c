import type { TaskDefinition } from '../types.ts';

/**
 * The positions of tasks that run at the same time, in sequence (7.4): adjacent tasks with the same phase belong
 * together, a task without a phase stands alone, and a name that comes again later is a new phase. Together the phases
 * hold every position once, in order.
 */
export function groupPhases(tasks: readonly Pick<TaskDefinition, 'phase'>[]): readonly (readonly number[])[] {
  const phases: number[][] = [];
  tasks.forEach(({ phase }, position) => {
    const last = phases.at(-1);
    const isJoined = phase !== null && position > 0 && tasks[position - 1]?.phase === phase;
    if (last !== undefined && isJoined) last.push(position);
    else phases.push([position]);
  });
  return phases;
}
