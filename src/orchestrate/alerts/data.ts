import type { Facts } from './types.ts';
import { subjectOf } from './words.ts';

/** The body of a webhook: the facts of the mail under keys that stay (docs/webhooks.md). */
export function toData(facts: Facts) {
  const { channel, limit, job } = facts;
  const end = job.endTime ?? facts.now;
  return {
    channel,
    subject: subjectOf(facts),
    project: { id: job.project, name: facts.projectName },
    orchestration: { id: job.orchestrationId, name: facts.orchestrationName },
    job: {
      id: job.number,
      url: facts.url,
      status: job.status,
      initializedBy: job.initializedBy,
      initiator: { id: job.initiatorId, description: facts.initiator },
      createdTime: showTime(job.createdTime),
      startTime: showTime(job.startTime),
      endTime: showTime(job.endTime),
      durationSeconds: job.startTime && Math.round((end.getTime() - job.startTime.getTime()) / 1000),
    },
    timeoutMinutes: channel === 'waiting' ? limit : null,
    tolerancePercent: channel === 'processing' ? limit : null,
    usualSeconds: channel === 'processing' ? job.usualSeconds : null,
    cause: { message: facts.cause, advice: facts.advice, otherJobsInLastHour: facts.others },
    tasks: facts.tasks.map(({ position, name, message, advice }) => ({ position, name, message, advice })),
    taskCount: facts.taskCount,
    nextScheduledTime: showTime(job.nextTime),
  };
}

function showTime(time: Date | null): string | null {
  return time && `${time.toISOString().slice(0, 19)}+00:00`;
}
