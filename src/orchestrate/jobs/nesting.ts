import { Failure } from '../../errors.ts';
import type { Transaction } from '../../store/index.ts';
import { lockNesting, readJobsByNumber, readLivingJobs, type ChainedJob } from './tables.ts';

export interface Nesting {
  readonly project: string;
  /** Dotted numbers of what starts the job. */
  readonly parentPath: string;
  readonly orchestrationId: number;
  /** Jobs of orchestrations in one chain, the new one included. */
  readonly limit: number;
}

/**
 * Refuses a job that would be nested too deep (`bad_request`) or would wait for itself (`conflict`): because its
 * orchestration occurs among its ancestors, or because a job that it queues behind waits for one of them (7.6).
 */
export async function refuseBadNesting(tx: Transaction, nesting: Nesting): Promise<void> {
  const numbers = nesting.parentPath.split('.').map(Number).filter(Number.isSafeInteger);
  const chain = await readJobsByNumber(tx, nesting.project, numbers);
  if (chain.length === 0) return;
  const waiting = chain.filter(isLiving);
  const at = waiting.findIndex((job) => job.orchestrationId === nesting.orchestrationId);
  if (at >= 0) {
    const circle = [...waiting.slice(at).map((job) => job.orchestrationId), nesting.orchestrationId].join(' -> ');
    throw refused(`Orchestration ${nesting.orchestrationId} would wait for itself: ${circle}`);
  }
  if (chain.length >= nesting.limit) {
    throw new Failure('bad_request', `Orchestrations can be started only ${nesting.limit} times for the current ID.`);
  }
  await lockNesting(tx);
  const inTheWay = findCircle(await readLivingJobs(tx, nesting.project), {
    lane: laneOf(nesting.orchestrationId),
    ancestors: new Set(waiting.map((job) => job.number)),
  });
  if (inTheWay === undefined) return;
  const [first, last] = inTheWay;
  throw refused(
    `Orchestration ${nesting.orchestrationId} would wait for ever: its job ${first.number} must end before, ` +
      `and that waits for job ${last.number} of orchestration ${last.orchestrationId}, which starts this one`,
  );
}

/** The jobs of an orchestration run one after another in this lane. */
export function laneOf(orchestrationId: number): string {
  return `orchestration/${orchestrationId}`;
}

/**
 * Follows what the jobs of a lane wait for: their descendants, and, until it is their turn, the earlier ones of their
 * lane. Answers where it began and the ancestor that it led to.
 */
function findCircle(
  living: readonly ChainedJob[],
  start: { readonly lane: string; readonly ancestors: ReadonlySet<number> },
): readonly [ChainedJob, ChainedJob] | undefined {
  const byLane = Map.groupBy(living, (job) => job.lane);
  const byAncestor = groupByAncestor(living);
  const seen = new Set<number>();
  for (const first of byLane.get(start.lane) ?? []) {
    const open = [first];
    for (let job = open.pop(); job !== undefined; job = open.pop()) {
      if (seen.has(job.number)) continue;
      seen.add(job.number);
      if (start.ancestors.has(job.number)) return [first, job];
      const { number } = job;
      if (job.state === 'planned') open.push(...(byLane.get(job.lane) ?? []).filter((other) => other.number < number));
      open.push(...(byAncestor.get(number) ?? []));
    }
  }
  return undefined;
}

function groupByAncestor(living: readonly ChainedJob[]): ReadonlyMap<number, readonly ChainedJob[]> {
  const groups = new Map<number, ChainedJob[]>();
  for (const job of living) {
    for (const ancestor of job.path.split('.').slice(0, -1).map(Number)) {
      const group = groups.get(ancestor);
      if (group === undefined) groups.set(ancestor, [job]);
      else group.push(job);
    }
  }
  return groups;
}

function isLiving(job: ChainedJob): boolean {
  return ['planned', 'queued', 'running'].includes(job.state);
}

function refused(message: string): Failure {
  return new Failure('conflict', message);
}
