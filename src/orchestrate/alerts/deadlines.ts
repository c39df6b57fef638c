import type { Deliverer, Engine, RunView } from '../../engine/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { Channel, NotificationRule } from '../types.ts';
import type { AlertRooms } from './facts.ts';
import { nextLimit, recipientsWithin, tellsConfigured } from './recipients.ts';
import { keepUsualSeconds, readAlertJob, readCreatedTimes } from './tables.ts';
import { tell } from './tell.ts';
import type { AlertJob } from './types.ts';

/** Topic of the outbox: a time at which a job is looked at. */
export const DEADLINE = 'orchestrate.deadline';

const MINUTE_MS = 60_000;
/** Later ones are never reached, and dates end somewhere. */
const LONGEST_MS = 10 * 365 * 24 * 60 * MINUTE_MS;

interface Deadline {
  readonly runId: string;
  readonly channel: Channel;
  /** Minutes or percent of the rule. */
  readonly limit: number;
}

/** A job that has just been accepted. */
export interface Accepted {
  readonly runId: string;
  readonly rules: readonly NotificationRule[];
}

/**
 * Sets the first deadline for each of these jobs that has rules for `waiting`, in the transaction that accepts them. One
 * deadline stands at a time: who reaches it sets the next.
 */
export async function armWaiting(
  { engine }: { readonly engine: Pick<Engine, 'publish'> },
  tx: Transaction,
  jobs: readonly Accepted[],
): Promise<void> {
  const watched = jobs.flatMap(({ runId, rules }) => {
    const limit = nextLimit(rules, { channel: 'waiting', above: 0 });
    return limit === undefined ? [] : [{ runId, channel: 'waiting' as const, limit }];
  });
  if (watched.length === 0) return;
  // By the clock of the database, which says when deadlines are due.
  const times = await readCreatedTimes(
    tx,
    watched.map(({ runId }) => runId),
  );
  for (const deadline of watched) {
    const since = times.get(deadline.runId);
    if (since !== undefined) await arm(engine, tx, { ...deadline, since, unitMs: MINUTE_MS });
  }
}

/** A job begins: measures what is usual and sets the first deadline, if it has rules for `processing`. */
export async function armProcessing(rooms: AlertRooms, tx: Transaction, run: RunView): Promise<void> {
  if (run.trigger === 'api' || run.trigger === 'parent' || run.definition === null) return;
  const job = await readAlertJob(tx, run.id, rooms.world.now());
  if (job === undefined || !tellsConfigured(job)) return;
  const limit = nextLimit(job.notifications, { channel: 'processing', above: 0 });
  if (limit === undefined) return;
  const usualSeconds = await keepUsualSeconds(tx, run.id, run.definition);
  await armNext(rooms.engine, tx, { job: { ...job, usualSeconds }, channel: 'processing', above: 0 });
}

/** What is done at a deadline: whoever is to be told by now is told, if the job still waits, or still runs. */
export function createDeadlines(rooms: AlertRooms): Deliverer {
  return async ({ payload }) => {
    const { runId, channel, limit } = payload as Deadline;
    await rooms.store.transaction(async (tx) => {
      const job = await readAlertJob(tx, runId, rooms.world.now());
      if (job?.status !== channel) return;
      await tell(rooms, tx, { job, channel, limit, recipients: recipientsWithin(job, { channel, limit }) });
      await armNext(rooms.engine, tx, { job, channel, above: limit });
    });
  };
}

async function armNext(
  engine: Pick<Engine, 'publish'>,
  tx: Transaction,
  { job, channel, above }: { readonly job: AlertJob; readonly channel: Channel; readonly above: number },
): Promise<void> {
  const limit = nextLimit(job.notifications, { channel, above });
  if (limit === undefined) return;
  const { runId, usualSeconds } = job;
  if (channel === 'waiting') {
    return arm(engine, tx, { runId, channel, limit, since: job.createdTime, unitMs: MINUTE_MS });
  }
  if (usualSeconds === null || job.startTime === null) return;
  const usualMs = usualSeconds * 1000;
  const since = new Date(job.startTime.getTime() + usualMs);
  await arm(engine, tx, { runId, channel, limit, since, unitMs: usualMs / 100 });
}

async function arm(
  engine: Pick<Engine, 'publish'>,
  tx: Transaction,
  { since, unitMs, ...deadline }: Deadline & { readonly since: Date; readonly unitMs: number },
): Promise<void> {
  const afterMs = deadline.limit * unitMs;
  if (afterMs > LONGEST_MS) return;
  const { runId, channel, limit } = deadline;
  await engine.publish(tx, {
    key: `${DEADLINE}/${runId}/${channel}/${limit}`,
    topic: DEADLINE,
    payload: deadline,
    dueAt: new Date(since.getTime() + afterMs),
  });
}
