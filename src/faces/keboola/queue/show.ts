import { hostname } from 'node:os';
import { exceptionIdOf, statusOf, type QueueRun } from '../../../orchestrate/index.ts';
import { showRunId } from '../run-id.ts';
import { isFinished } from '../status.ts';
import { showTime } from '../times.ts';

/** What a job needs to be shown besides itself. */
export interface QueueContext {
  /** Makes the address of a path of this face. */
  uri(path: string): string;
  readonly project: { readonly id: number; readonly name: string };
}

/** A run in the form of the jobs of components (5.6). */
export function showQueueRun(queued: QueueRun, { uri, project }: QueueContext) {
  const { run } = queued;
  const status = statusOf(run);
  const begun = run.startedAt !== null;
  return {
    id: run.number,
    runId: showRunId(run.path),
    lockName: run.lane ?? '',
    project,
    token: queued.token,
    component: queued.component,
    command: 'run',
    params: queued.parameters,
    result: showResult(queued),
    status,
    isFinished: isFinished(status),
    process: begun ? { host: hostname(), pid: process.pid } : { host: null, pid: null },
    createdTime: showTime(run.queuedAt),
    startTime: showTime(run.startedAt),
    endTime: showTime(run.endedAt),
    durationSeconds: seconds(run.startedAt, run.endedAt),
    waitSeconds: seconds(run.queuedAt, run.startedAt),
    nestingLevel: run.path.split('.').length - 1,
    error: showBlame(queued),
    errorNote: null,
    terminatedBy: queued.terminatedBy,
    usage: [],
    url: uri(`/queue/job/${run.number}`),
  };
}

/** What it answered, or why it failed; null while it lives. */
function showResult({ run, result, error }: QueueRun): unknown {
  if (run.state === 'failed' && error !== null) {
    return {
      message: showReason(run.id, error),
      exceptionId: exceptionIdOf(run.id),
      context: { advice: error.advice },
    };
  }
  return run.endedAt === null ? null : (result ?? {});
}

/** The first cause, for people. */
export function showReason(runId: string, error: NonNullable<QueueRun['error']>): string {
  if (error.kind !== 'internal') return error.message;
  return `Application error. Look for ${exceptionIdOf(runId)} in the server's log.`;
}

/** `application` is a defect, ours or of a program, `user` everything that people can mend. */
function showBlame({ run, error }: QueueRun): 'user' | 'application' | null {
  if (run.state !== 'failed') return null;
  return error?.kind === 'internal' || error?.kind === 'component_failed' ? 'application' : 'user';
}

function seconds(from: Date | null, to: Date | null): number | null {
  return from && to && Math.max(0, Math.round((to.getTime() - from.getTime()) / 1000));
}
