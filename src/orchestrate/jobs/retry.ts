import { groupPhases } from './phases.ts';
import type { TaskDefinition } from '../types.ts';

/** How one task of the old job ended: by itself, not well, or without having begun. */
export type OldEnd = 'succeeded' | 'failed' | 'not reached';

/**
 * Which tasks a retry runs when nobody says (4.8): whatever was active if all went well or nothing began; else those that
 * failed, those not reached, and every one that was active in the phases after the first failure. Answers one flag per
 * task.
 */
export function selectForRetry(tasks: readonly TaskDefinition[], ends: readonly OldEnd[]): readonly boolean[] {
  const active = tasks.map((task) => task.active);
  const hasFailed = (position: number): boolean => active[position] === true && ends[position] === 'failed';
  const phases = groupPhases(tasks);
  const firstFailed = phases.findIndex((phase) => phase.some(hasFailed));
  const hasBegun = active.some((isActive, position) => isActive && ends[position] !== 'not reached');
  const isComplete = active.every((isActive, position) => !isActive || ends[position] === 'succeeded');
  if (!hasBegun || isComplete) return active;
  const later = new Set(firstFailed === -1 ? [] : phases.slice(firstFailed + 1).flat());
  return active.map((isActive, position) => isActive && (ends[position] !== 'succeeded' || later.has(position)));
}
