import type { ComponentSpec } from '../../components/kit/index.ts';
import { readEnvelope, readParameters } from '../component-runs/parameters.ts';
import { planComponentRun } from '../component-runs/plan.ts';
import { noteTurn } from '../component-runs/turn.ts';
import type { TaskEnd } from '../types.ts';
import { awaitChild, CHILD, findChild } from './children.ts';
import type { ExecutionRooms, Step } from './types.ts';

export interface BuiltInCall {
  readonly spec: ComponentSpec;
  /** The parameters are the body of `/docker/{component}/run`. */
  readonly envelope: boolean;
}

/** Runs a component of this server as a child of the job, once for all attempts of the task. */
export async function runBuiltIn(rooms: ExecutionRooms, step: Step, { spec, envelope }: BuiltInCall): Promise<TaskEnd> {
  const known = await findChild(rooms, step);
  if (known !== undefined) return awaitChild(rooms, step, known);
  const { attempt, tokenId, position } = step;
  const asked = envelope ? readEnvelope(spec, step.parameters) : readParameters(spec, step.parameters);
  const plan = planComponentRun(rooms, { spec, ...asked, project: attempt.run.project, tokenId });
  const started = await attempt.startChild({ ...plan, idempotencyKey: CHILD });
  const { lane } = plan;
  const turn =
    lane === undefined
      ? undefined
      : await attempt.reading(() => rooms.store.transaction((tx) => noteTurn(rooms, tx, { started, lane })));
  attempt.log('info', `Task ${position + 1} (${spec.id}): run ${started.number} ${turn ?? 'is started'}`);
  return awaitChild(rooms, step, started.runId);
}
