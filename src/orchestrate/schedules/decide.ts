import { ON_TIME_MS, type Tick } from '../../schedule/index.ts';
import type { Orchestration } from '../types.ts';
import { lastTick } from './crontab.ts';
import type { LivingJob } from './tables.ts';
import type { UnmadeTick } from './types.ts';

/** Missed ticks that are listed one by one, and jobs that make up for them. */
export const MOST_MISSED = 100;

/** What becomes of a tick, and of those that were missed before it. */
export interface Decision {
  /** Ticks that get a job each, ascending. */
  readonly starts: readonly Date[];
  /** The waiting job that stands for the tick from now on. */
  readonly moved?: { readonly job: LivingJob; readonly to: Date };
  readonly unmade: readonly (UnmadeTick & { readonly runId: string | null })[];
  /** Running jobs that give way to the tick. */
  readonly ended: readonly LivingJob[];
}

/**
 * Applies catch-up and overlap (keboola contract 7.1, 7.2, 15) to the newest tick that is due. Of `living`, jobs that may
 * have begun by now are given as running.
 */
export function decide(
  orchestration: Pick<Orchestration, 'zone' | 'overlap' | 'catchUp' | 'tasks'>,
  tick: Tick,
  living: readonly LivingJob[],
): Decision {
  const missed = missedBefore(tick);
  const { dueAt } = tick;
  if (orchestration.tasks.length === 0) {
    return { starts: [], unmade: [...missed.map(asMissed), refused(dueAt)], ended: [] };
  }
  if (orchestration.catchUp === 'all' && missed.length > 0)
    return { starts: [...missed, dueAt], unmade: [], ended: [] };
  const unmade = missed.map(asMissed);
  if (orchestration.catchUp === 'none' && tick.lateMs > ON_TIME_MS) {
    return { starts: [], unmade: [...unmade, asMissed(dueAt)], ended: [] };
  }
  const decision = decideOverlap(orchestration.overlap, dueAt, living);
  return { ...decision, unmade: [...unmade, ...decision.unmade] };
}

/** Backfills are made of jobs on purpose, a few at a time: they are in nobody's way. */
function decideOverlap(overlap: Orchestration['overlap'], dueAt: Date, living: readonly LivingJob[]): Decision {
  const others = living.filter((job) => !job.isBackfill);
  const start: Decision = { starts: [dueAt], unmade: [], ended: [] };
  if (overlap === 'enqueue') return start;
  if (overlap === 'skip') {
    const [first] = others;
    return first === undefined ? start : { starts: [], unmade: [skipped(dueAt, first)], ended: [] };
  }
  const ended = overlap === 'cancelRunning' ? others.filter((job) => !isWaiting(job)) : [];
  const job = others.findLast((other) => isWaiting(other) && other.initializedBy === 'scheduler');
  if (job === undefined) return { ...start, ended };
  return { starts: [], moved: { job, to: dueAt }, unmade: [coalesced(job, dueAt)], ended };
}

export function isWaiting({ state }: LivingJob): boolean {
  return state === 'planned' || state === 'queued';
}

/** The newest of the ticks that nobody has seen to before the one that is due, ascending. */
function missedBefore({ schedule, dueAt, firstDueAt }: Tick): readonly Date[] {
  const missed: Date[] = [];
  let before = dueAt;
  while (before > firstDueAt && missed.length < MOST_MISSED) {
    const last = lastTick(schedule.frequency, { at: new Date(before.getTime() - 1), zone: schedule.zone });
    if (last === undefined || last < firstDueAt) break;
    missed.unshift(last);
    before = last;
  }
  return missed;
}

function asMissed(dueAt: Date) {
  return { dueAt, outcome: 'missed', reason: 'no scheduler was there to make its job', runId: null } as const;
}

function refused(dueAt: Date) {
  return { dueAt, outcome: 'refused', reason: 'the orchestration has no tasks', runId: null } as const;
}

function skipped(dueAt: Date, { runId, number }: LivingJob) {
  return { dueAt, outcome: 'skipped', reason: `job ${number} had not ended`, runId } as const;
}

/** The job was the earlier tick's; from now on it is the later one's. */
function coalesced({ runId, number, scheduledTime }: LivingJob, to: Date) {
  const reason = `job ${number} still waited at ${to.toISOString()} and stands for that tick`;
  return { dueAt: scheduledTime ?? to, outcome: 'coalesced', reason, runId } as const;
}
