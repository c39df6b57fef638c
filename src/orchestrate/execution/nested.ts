import { Failure } from '../../errors.ts';
import { readStart } from '../jobs/ask.ts';
import { applyOverride } from '../jobs/override.ts';
import { startJob } from '../jobs/start.ts';
import type { NewJob, StartedJob } from '../jobs/types.ts';
import type { TaskEnd } from '../types.ts';
import { awaitChild, childKeyOf, findChild } from './children.ts';
import type { ExecutionRooms, Step } from './types.ts';

export interface NestedCall {
  readonly orchestrationId: number;
  /** As `POST /orchestrations/{id}/trigger`. */
  readonly isTrigger: boolean;
}

/** Starts another orchestration as a child of the job, once for all attempts of the task, and waits for its end. */
export async function runNested(rooms: ExecutionRooms, step: Step, call: NestedCall): Promise<TaskEnd> {
  const known = await findChild(rooms, step);
  if (known !== undefined) return awaitChild(rooms, step, known);
  const started = await startNested(rooms, step, call);
  step.attempt.log('info', `Task ${step.position + 1} (orchestrator): job ${started.number} is started`);
  return awaitChild(rooms, step, started.runId);
}

function startNested(rooms: ExecutionRooms, step: Step, call: NestedCall): Promise<StartedJob> {
  const { attempt, tokenId } = step;
  const { orchestrationId, isTrigger } = call;
  const ask = isTrigger ? { emails: [] } : readStart(step.parameters);
  return attempt.asParent(async (tx) => {
    const orchestration = await rooms.definitions.hold(tx, orchestrationId, attempt.run.project);
    if (orchestration === undefined) throw new Failure('not_found', `Orchestration ${orchestrationId} not found`);
    if (isTrigger && !orchestration.active) {
      throw new Failure('conflict', `Orchestration ${orchestrationId} is inactive; activate it, or start it with /run`);
    }
    const { areSame } = rooms.definitions.parameters;
    const job: NewJob = {
      orchestration,
      ...(ask.tasks !== undefined && { tasks: applyOverride(orchestration.tasks, ask.tasks, areSame) }),
      initializedBy: isTrigger ? 'trigger' : 'manually',
      initiator: { tokenId, agent: `Penstock/${rooms.version}` },
      emails: ask.emails,
      parentPath: attempt.run.path,
      parentTaskId: attempt.task.id,
      idempotencyKey: childKeyOf(step),
    };
    return startJob(rooms, tx, job);
  });
}
