import type { BackfillView, ScheduleView } from '../../../orchestrate/index.ts';
import { isFinished } from '../status.ts';
import { showTime } from '../times.ts';

type Uri = (path: string) => string;

export function showSchedule({ orchestration, nextTimes, unmade, lastError }: ScheduleView, uri: Uri) {
  const { id } = orchestration;
  return {
    orchestrationId: id,
    crontabRecord: orchestration.crontabRecord,
    zone: orchestration.zone,
    overlap: orchestration.overlap,
    catchUp: orchestration.catchUp,
    active: orchestration.active,
    lastScheduledTime: showTime(orchestration.lastScheduledTime),
    nextScheduledTime: showTime(orchestration.nextScheduledTime),
    nextRuns: nextTimes.map((time) => showTime(time)),
    skippedTicks: unmade.map(({ dueAt, outcome, reason, job }) => ({
      scheduledTime: showTime(dueAt),
      outcome,
      reason,
      job: job === null ? null : { id: job, uri: uri(`/jobs/${job}`) },
    })),
    lastError,
    uri: uri(`/orchestrations/${id}/schedule`),
  };
}

export function showBackfill(backfill: BackfillView, uri: Uri) {
  const { id, orchestrationId, jobs } = backfill;
  const ended = jobs.flatMap(({ status }) => (status !== null && isFinished(status) ? [status] : []));
  return {
    id,
    orchestrationId,
    from: showTime(backfill.from),
    to: showTime(backfill.to),
    concurrency: backfill.concurrency,
    status: backfill.state,
    message: backfill.message,
    createdTime: showTime(backfill.createdTime),
    endTime: showTime(backfill.endedTime),
    counts: {
      total: jobs.length,
      created: backfill.made,
      finished: ended.length,
      failed: ended.filter((status) => status !== 'success' && status !== 'warning').length,
    },
    jobs: jobs.map(({ logicalTime, number, status }) => ({
      logicalTime: showTime(logicalTime),
      id: number,
      status,
      uri: number === null ? null : uri(`/jobs/${number}`),
    })),
    uri: uri(`/orchestrations/${orchestrationId}/backfills/${id}`),
  };
}
