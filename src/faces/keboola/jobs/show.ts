import {
  groupPhases,
  type JobEvent,
  type JobView,
  type ResultTask,
  type TaskResponse,
} from '../../../orchestrate/index.ts';
import { showTask } from '../orchestrations/show.ts';
import { showQueueRun, showReason, type QueueContext } from '../queue/show.ts';
import { showRunId } from '../run-id.ts';
import { isFinished } from '../status.ts';
import { showTime } from '../times.ts';

/** A job as lists show it: without the snapshot of its tasks, but with its results (5.4). */
export function showJob(job: JobView, context: QueueContext) {
  const { run } = job;
  const uri = context.uri(`/jobs/${run.number}`);
  return {
    id: run.number,
    orchestrationId: job.orchestrationId,
    createdTime: showTime(run.queuedAt),
    startTime: showTime(run.startedAt),
    endTime: showTime(run.endedAt),
    status: job.status,
    isFinished: isFinished(job.status),
    initializedBy: job.initializedBy,
    token: job.token,
    initiatorToken: { ...job.initiator, userAgent: job.initiatorAgent },
    results: job.results && showResults(job.results, context),
    notificationsEmails: job.emails,
    runId: showRunId(run.path),
    uri,
    url: uri,
    ...(job.retryOf !== null && { retryOf: job.retryOf }),
    ...(job.scheduledTime !== null && { scheduledTime: showTime(job.scheduledTime) }),
    ...(job.logicalTime !== null && { logicalTime: showTime(job.logicalTime) }),
    ...(job.coalescedTicks > 0 && { coalescedTicks: job.coalescedTicks }),
    ...(job.status === 'error' && run.error !== null && { message: showReason(run.id, run.error) }),
  };
}

/** With the snapshot of its tasks. */
export function showJobDetail(job: JobView, context: QueueContext) {
  return { ...showJob(job, context), tasks: job.tasks.map(showTask) };
}

function showResults(results: readonly ResultTask[], context: QueueContext) {
  const tasks = results.map((result) => showResult(result, context));
  const phases = groupPhases(results.map(({ definition }) => definition));
  return { tasks, phases: phases.map((positions) => positions.map((position) => tasks[position])) };
}

/** Tasks that were not reached carry none of the keys of a result. */
export function showResult({ definition, reached }: ResultTask, context: QueueContext) {
  const task = showTask(definition);
  if (reached === null) return task;
  const { status, startTime, endTime, response } = reached;
  return {
    ...task,
    status,
    startTime: showTime(startTime),
    endTime: showTime(endTime),
    duration: endTime && Math.round((endTime.getTime() - startTime.getTime()) / 1000),
    runParameters: definition.actionParameters,
    response: response && showResponse(response, context),
  };
}

/** What was called: the job that runs here, or the body that came. A time limit keeps what was known before it. */
function showResponse({ body, run, job }: TaskResponse, context: QueueContext): unknown {
  const own = job === undefined ? run && showQueueRun(run, context) : showJobDetail(job, context);
  if (body === undefined) return own ?? {};
  return own === undefined || typeof body !== 'object' ? body : { ...body, lastResponse: own };
}

export function showEvent({ id, created, type, message, runId, taskIndex }: JobEvent) {
  return {
    id,
    created: showTime(created),
    type,
    message,
    runId: showRunId(runId),
    ...(taskIndex !== null && { taskIndex }),
  };
}
