import { Failure } from '../../errors.ts';
import type { Transaction } from '../../store/index.ts';
import { armWaiting, type Accepted } from '../alerts/deadlines.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import { refuseBadNesting } from './nesting.ts';
import { planJob } from './plan.ts';
import { insertJob, type NewJobRow } from './tables.ts';
import type { NewJob, StartedJob } from './types.ts';

/**
 * Accepts a job: its run and its row in one transaction. Throws `bad_request` without any task and when it is nested too
 * deep, `conflict` when it would wait for itself. With the idempotency key of an earlier job, answers that.
 */
export async function startJob(rooms: OrchestrateRooms, tx: Transaction, job: NewJob): Promise<StartedJob> {
  const { orchestration } = job;
  const tasks = job.tasks ?? orchestration.tasks;
  if (tasks.length === 0) throw new Failure('bad_request', 'Orchestration has no tasks');
  const { project } = orchestration;
  if (job.parentPath) {
    const limit = rooms.config.orchestrationNesting;
    await refuseBadNesting(tx, { project, parentPath: job.parentPath, orchestrationId: orchestration.id, limit });
  }
  const started = await rooms.engine.start(planJob(job, tasks), tx);
  const isNew = started.outcome === 'started';
  if (isNew) {
    await insertJob(tx, rowOf(job, started.runId));
    await armWaiting(rooms, tx, [toAccepted(job, started.runId)]);
  }
  rooms.world.reach('orchestrate.job-started');
  return { runId: started.runId, number: started.number, isNew };
}

/** Nested jobs and those started by hand tell nobody that they wait (11.2). */
export function toAccepted(job: NewJob, runId: string): Accepted {
  const isNested = Boolean(job.parentPath) || job.parentTaskId !== undefined || job.parentRunId !== undefined;
  const tellsAll = job.initializedBy !== 'manually' && !isNested;
  return { runId, rules: tellsAll ? job.orchestration.notifications : [] };
}

/** What a job is besides its run. */
export function rowOf(job: NewJob, runId: string): NewJobRow {
  const { orchestration, initiator } = job;
  return {
    run_id: runId,
    orchestration_id: orchestration.id,
    initialized_by: job.initializedBy,
    token_id: orchestration.tokenId,
    initiator_id: initiator.tokenId,
    initiator_agent: initiator.agent,
    emails: JSON.stringify(job.emails ?? []),
    tasks: JSON.stringify(job.tasks ?? orchestration.tasks),
    notifications: JSON.stringify(orchestration.notifications),
    retry_of: job.retryOf ?? null,
    scheduled_at: job.scheduledTime ?? null,
    logical_at: job.logicalTime ?? null,
  };
}
