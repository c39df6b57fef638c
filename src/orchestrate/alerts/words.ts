import { showInstant, showSpan } from './plain.ts';
import type { AlertTask, Facts } from './types.ts';

/** The subject of the contract (11.3), letter by letter. */
export function subjectOf(facts: Facts): string {
  return `[${facts.projectName}] Orchestration "${facts.orchestrationName}" ${newsOf(facts)}`;
}

function newsOf({ channel, limit }: Facts): string {
  switch (channel) {
    case 'error':
      return 'finished with error';
    case 'warning':
      return 'finished with warning';
    case 'waiting':
      return `is waiting for ${limit} minutes`;
    case 'processing':
      return `is running ${limit} % longer than usual`;
  }
}

/** One line of facts: what it is, and what it says. */
export type Line = readonly [name: string, value: string];

/** Facts as lines, for text and HTML alike; the link stands apart. */
export function linesOf(facts: Facts): readonly Line[] {
  const { job, now } = facts;
  const isOver = job.endTime !== null;
  const lines: (Line | undefined)[] = [
    ['Orchestration', facts.orchestrationName],
    ['Job', String(job.number)],
    ['Started by', initiatorOf(facts)],
    ['Created', showInstant(job.createdTime)],
    ['Started', job.startTime === null ? 'not yet' : showInstant(job.startTime)],
    ['Duration', durationOf(facts) + (isOver || job.startTime === null ? '' : ' until now')],
    [facts.taskCount > 0 && isOver ? 'First cause' : 'Cause', facts.cause],
    ['Advice', facts.advice],
    facts.others > 0 ? ['Same cause', othersOf(facts.others)] : undefined,
    ['Next scheduled run', job.nextTime === null || job.nextTime < now ? 'none' : showInstant(job.nextTime)],
  ];
  return lines.filter((line) => line !== undefined);
}

function initiatorOf({ job, initiator }: Facts): string {
  if (job.initializedBy === 'scheduler') return 'its schedule';
  const who = initiator === '' ? `token ${job.initiatorId}` : initiator;
  return job.initializedBy === 'trigger' ? `${who}, by trigger` : who;
}

function durationOf({ job, now }: Facts): string {
  if (job.startTime === null) return `waiting for ${showSpan(now.getTime() - job.createdTime.getTime())}`;
  return showSpan((job.endTime ?? now).getTime() - job.startTime.getTime());
}

function othersOf(others: number): string {
  return others === 1 ? 'one other job in the last hour' : `${others} other jobs in the last hour`;
}

/** Heading above the tasks. */
export function headingOf({ channel, tasks, taskCount }: Facts): string {
  const what = channel === 'processing' ? 'Running tasks' : 'Failed tasks';
  return taskCount > tasks.length ? `${what} (the first ${tasks.length} of ${taskCount})` : what;
}

export function nameOfTask({ position, name }: AlertTask): string {
  return position === null ? 'Start of the job' : `${position}. ${name}`;
}
