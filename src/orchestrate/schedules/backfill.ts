import type { Deliverer, RunObserver } from '../../engine/index.ts';
import { isTerminal } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import type { Transaction } from '../../store/index.ts';
import { ORCHESTRATION_RUN } from '../component-runs/describe.ts';
import { notFound } from '../definitions/context.ts';
import { readWhole, refuse } from '../definitions/input/fields.ts';
import type { JobRooms } from '../jobs/jobs.ts';
import { startJob } from '../jobs/start.ts';
import type { Ask } from '../jobs/types.ts';
import { makeOnce } from '../repeats.ts';
import type { Orchestration, Scope } from '../types.ts';
import {
  bindJob,
  insertBackfill,
  lockBackfill,
  readBackfillOf,
  readBackfills,
  readLivingOf,
  updateBackfill,
  type StoredBackfill,
} from './backfill-tables.ts';
import { nextTicks } from './crontab.ts';
import type { BackfillId, BackfillView, Schedules } from './types.ts';

/** Topic of the outbox: a job of a backfill has ended, or the backfill is to end. */
const GOING_ON = 'orchestration-backfill';
const MOST_TIMES = 1000;
const MOST_LISTED = 50;
const MOST_AT_ONCE = 10;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)$/;

type Parts = 'startBackfill' | 'listBackfills' | 'getBackfill' | 'cancelBackfill' | 'observer' | 'deliverers';

/**
 * Backfills: their jobs are made a few at a time, each when an earlier one has ended, so that scheduled jobs and those
 * that people start take their turns between them. Jobs of one orchestration never run at the same time.
 */
export function createBackfills(rooms: JobRooms): Pick<Schedules, Parts> {
  const get = async (project: string, { orchestrationId, id }: BackfillId): Promise<BackfillView> => {
    await rooms.definitions.get(project, orchestrationId);
    const [view] = await readBackfills(rooms.store.db, { orchestrationId, id, limit: 1 });
    if (view === undefined) throw new Failure('not_found', `Backfill ${id} not found`);
    return view;
  };
  return {
    async startBackfill(scope, ask) {
      const id = await start(rooms, scope, ask);
      return get(scope.project, { orchestrationId: ask.orchestrationId, id });
    },
    async listBackfills(project, orchestrationId) {
      await rooms.definitions.get(project, orchestrationId);
      return readBackfills(rooms.store.db, { orchestrationId, limit: MOST_LISTED });
    },
    getBackfill: get,
    async cancelBackfill(scope, which) {
      await get(scope.project, which);
      await cancel(rooms, scope, which);
      return get(scope.project, which);
    },
    observer: createObserver(rooms),
    deliverers: { [GOING_ON]: createGoingOn(rooms) },
  };
}

async function start(
  rooms: JobRooms,
  scope: Scope,
  { orchestrationId, path, sent }: Ask & { readonly orchestrationId: number },
): Promise<number> {
  const interval = readInterval(sent, rooms.world.now());
  const { caller, project } = scope;
  const make = async (tx: Transaction): Promise<string> => {
    const orchestration = await rooms.definitions.hold(tx, orchestrationId, project);
    if (orchestration === undefined) throw notFound(orchestrationId);
    const id = await insertBackfill(tx, {
      ...interval,
      orchestrationId,
      times: timesOf(orchestration, interval),
      initiatorId: caller.token.id,
      initiatorAgent: caller.userAgent,
    });
    if (id === undefined) {
      throw new Failure('conflict', 'Another backfill of this orchestration has not ended; wait for it, or cancel it');
    }
    await goOn(rooms, tx, id);
    const subject = `orchestration/${orchestrationId}`;
    await rooms.audit(tx, { ...scope.actor, action: 'backfill orchestration', project, subject });
    return String(id);
  };
  const { made } = await rooms.store.transaction((tx) => makeOnce(tx, { caller, path, body: sent }, () => make(tx)));
  return Number(made);
}

interface Interval {
  readonly from: Date;
  readonly to: Date;
  readonly concurrency: number;
}

function readInterval(sent: Ask['sent'], now: Date): Interval {
  const from = readInstant(sent['from'], 'from');
  const to = readInstant(sent['to'], 'to');
  if (from >= to) throw refuse('to', 'must be after from');
  if (to > now) throw refuse('to', 'must not be in the future');
  return { from, to, concurrency: readWhole(sent['concurrency'] ?? 1, 'concurrency', [1, MOST_AT_ONCE]) };
}

function readInstant(value: unknown, field: string): Date {
  const instant = typeof value === 'string' && INSTANT.test(value) ? new Date(value) : undefined;
  if (instant === undefined || Number.isNaN(instant.getTime())) {
    throw refuse(field, 'must be an instant such as 2026-11-20T00:00:00+00:00');
  }
  return instant;
}

/** The ticks of its crontab record in the interval: `from` is part of it, `to` is not. */
function timesOf({ crontabRecord, zone, tasks }: Orchestration, { from, to }: Interval): readonly Date[] {
  if (crontabRecord === null) throw refuse('crontabRecord', 'the orchestration has none, which would name the times');
  if (tasks.length === 0) throw new Failure('bad_request', 'Orchestration has no tasks');
  const after = new Date(from.getTime() - 1);
  const times = nextTicks(crontabRecord, { after, zone, count: MOST_TIMES + 1 }).filter((time) => time < to);
  if (times.length === 0) throw refuse('from', 'the crontab record names no time in this interval');
  if (times.length > MOST_TIMES) {
    throw refuse('to', `the interval holds more than ${MOST_TIMES} times; send a shorter one`);
  }
  return times;
}

/** Makes as many jobs as may wait or run, and ends the backfill when all of them have ended. */
async function goOn(rooms: JobRooms, tx: Transaction, id: number): Promise<void> {
  const backfill = await lockBackfill(tx, id);
  if (backfill?.state !== 'active') return;
  const { times, made, concurrency } = backfill;
  const living = await readLivingOf(tx, id);
  const due = times.slice(made, made + Math.max(0, concurrency - living.length));
  if (due.length === 0) {
    if (made === times.length && living.length === 0) await updateBackfill(tx, id, { made, state: 'done' });
    return;
  }
  const orchestration = await rooms.definitions.hold(tx, backfill.orchestrationId);
  const problem = problemOf(orchestration);
  if (orchestration === undefined || problem !== undefined) {
    return updateBackfill(tx, id, { made, state: 'failed', message: problem ?? '' });
  }
  for (const logicalTime of due) await makeJob(rooms, tx, { backfill, orchestration, logicalTime });
  await updateBackfill(tx, id, { made: made + due.length, state: 'active' });
}

/** Why no further job can be made. */
function problemOf(orchestration: Orchestration | undefined): string | undefined {
  if (orchestration === undefined) return 'The orchestration was deleted';
  return orchestration.tasks.length === 0 ? 'Orchestration has no tasks' : undefined;
}

async function makeJob(
  rooms: JobRooms,
  tx: Transaction,
  making: {
    readonly backfill: StoredBackfill;
    readonly orchestration: Orchestration;
    readonly logicalTime: Date;
  },
): Promise<void> {
  const { backfill, orchestration, logicalTime } = making;
  const { runId } = await startJob(rooms, tx, {
    orchestration,
    initializedBy: 'manually',
    initiator: { tokenId: backfill.initiatorId, agent: backfill.initiatorAgent },
    logicalTime,
    idempotencyKey: `orchestration-backfill/${backfill.id}@${logicalTime.toISOString()}`,
  });
  await bindJob(tx, runId, backfill.id);
}

/** Waiting jobs are cancelled by a message, also when this process dies. */
async function cancel(rooms: JobRooms, scope: Scope, { id, orchestrationId }: BackfillId): Promise<void> {
  await rooms.store.transaction(async (tx) => {
    const backfill = await lockBackfill(tx, id);
    if (backfill?.state !== 'active') {
      throw new Failure(
        'conflict',
        `Backfill ${id} is ${backfill?.state ?? 'gone'}; only active ones can be cancelled`,
      );
    }
    const by = scope.caller.token.description;
    await updateBackfill(tx, id, { made: backfill.made, state: 'cancelled', message: `Cancelled by ${by}` });
    await rooms.engine.publish(tx, { key: `${GOING_ON}/${id}/cancel`, topic: GOING_ON, payload: { id } });
    const subject = `orchestration/${orchestrationId}`;
    await rooms.audit(tx, { ...scope.actor, action: 'cancel backfill', project: scope.project, subject });
  });
}

/** When one of its jobs ends, the backfill goes on. */
function createObserver({ engine }: Pick<JobRooms, 'engine'>): RunObserver {
  return {
    kind: ORCHESTRATION_RUN,
    async runChanged(tx, run) {
      if (run.trigger !== 'backfill' || !isTerminal(run.state)) return;
      const id = await readBackfillOf(tx, run.id);
      if (id === undefined) return;
      await engine.publish(tx, { key: `${GOING_ON}/${id}/${run.id}`, topic: GOING_ON, payload: { id } });
    },
  };
}

function createGoingOn(rooms: JobRooms): Deliverer {
  return async ({ payload }) => {
    const { id } = payload as { readonly id: number };
    const isCancelled = await rooms.store.transaction(async (tx) => {
      await goOn(rooms, tx, id);
      return (await lockBackfill(tx, id))?.state === 'cancelled';
    });
    if (!isCancelled) return;
    for (const runId of await readLivingOf(rooms.store.db, id)) {
      await rooms.engine.cancel(runId, 'the cancel of its backfill', { onlyIn: ['planned', 'queued'] });
    }
  };
}
