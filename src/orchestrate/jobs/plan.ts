import type { RunPlan, TaskPlan, Trigger } from '../../engine/index.ts';
import { ORCHESTRATOR } from '../component-runs/catalog.ts';
import { ORCHESTRATION_RUN } from '../component-runs/describe.ts';
import { writeToken } from '../component-runs/names.ts';
import type { TaskDefinition } from '../types.ts';
import { laneOf } from './nesting.ts';
import { groupPhases } from './phases.ts';
import type { NewJob } from './types.ts';

/** The engine's components behind a job: its first step, and each of its tasks. */
export const BEGIN = 'orchestrate.begin';
export const TASK = 'orchestrate.task';

/** What a task of a job is handed. */
export interface TaskInput {
  readonly definition: TaskDefinition;
  /** Its position in the job. */
  readonly position: number;
}

/** The run of a job: a step that checks its token, then the phases of 7.4 with one engine task per task. */
export function planJob(job: NewJob, tasks: readonly TaskDefinition[]): RunPlan {
  const { id, project, tokenId } = job.orchestration;
  const begin: TaskPlan = { key: 'begin', component: BEGIN, waits: true, input: null };
  const phases = groupPhases(tasks).map((positions) =>
    positions.flatMap((position) => {
      const definition = tasks[position];
      return definition === undefined ? [] : [planTask({ definition, position })];
    }),
  );
  return {
    kind: ORCHESTRATION_RUN,
    project,
    definition: laneOf(id),
    lane: laneOf(id),
    phases: [[begin], ...phases],
    trigger: triggerOf(job),
    keep: true,
    createdBy: writeToken(job.initiator.tokenId),
    labels: { component: ORCHESTRATOR, config: String(id), token: String(tokenId) },
    ...parentOfPlan(job),
    ...(job.idempotencyKey !== undefined && { idempotencyKey: job.idempotencyKey }),
  };
}

/** Key of the engine's task for the task at this position. */
export function keyOf(position: number): string {
  return String(position);
}

function planTask(input: TaskInput): TaskPlan {
  const { active, continueOnFailure } = input.definition;
  return {
    key: keyOf(input.position),
    component: TASK,
    waits: true,
    input,
    continueOnFailure,
    ...(!active && { skip: true }),
  };
}

function parentOfPlan({ parentTaskId, parentRunId, parentPath }: NewJob): Partial<RunPlan> {
  if (parentTaskId !== undefined) return { parentTaskId };
  if (parentRunId !== undefined) return { parentRunId };
  return parentPath ? { parentPath } : {};
}

function triggerOf(job: NewJob): Trigger {
  if (job.parentTaskId !== undefined) return 'parent';
  if (job.logicalTime !== undefined) return 'backfill';
  return ({ manually: 'api', scheduler: 'schedule', trigger: 'event' } as const)[job.initializedBy];
}
