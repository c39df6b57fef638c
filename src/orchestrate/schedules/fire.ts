import { fireKey, type ScheduleKind, type Tick } from '../../schedule/index.ts';
import type { Transaction } from '../../store/index.ts';
import { armWaiting } from '../alerts/deadlines.ts';
import { lockOrchestrations } from '../definitions/tables.ts';
import { planJob } from '../jobs/plan.ts';
import { rowOf, toAccepted } from '../jobs/start.ts';
import type { NewJob } from '../jobs/types.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Orchestration } from '../types.ts';
import { decide, isWaiting, MOST_MISSED, type Decision } from './decide.ts';
import { OVERTAKEN } from './overtaken.ts';
import {
  insertJobs,
  insertUnmade,
  lockWaiting,
  moveJobs,
  nameTick,
  readExisting,
  readLiving,
  readSeen,
  writeTimes,
  type LivingJob,
} from './tables.ts';

type FireRooms = Pick<OrchestrateRooms, 'engine' | 'world'>;

const AGENT = 'Penstock Scheduler';

/** A tick of an orchestration, and what becomes of it. */
interface Case {
  readonly orchestration: Orchestration;
  readonly tick: Tick;
  readonly decision: Decision;
}

/** Sees to ticks of orchestrations: jobs, what becomes of the other ticks, and the times of the schedules, in one transaction. */
export function createFire(rooms: FireRooms): ScheduleKind['fireAll'] {
  return async (tx, ticks) => {
    const byId = new Map(ticks.map((tick) => [idOf(tick), tick]));
    const orchestrations = await lockOrchestrations(tx, [...byId.keys()]);
    for (const { id } of orchestrations) byId.delete(id);
    // What is left is deleted, or somebody changes it or starts a job of it at this moment.
    const held = await readExisting(tx, [...byId.keys()]);
    const cases = await decideAll(tx, ticks, orchestrations);
    await makeJobs(rooms, tx, cases);
    await moveWaiting(rooms, tx, cases);
    await insertUnmade(
      tx,
      cases.flatMap(({ orchestration, decision }) =>
        decision.unmade.map((tick) => ({ ...tick, orchestrationId: orchestration.id })),
      ),
    );
    await endRunning(rooms, tx, cases);
    if (cases.length > 0) await writeTimes(tx, cases.map(timesOf));
    rooms.world.reach('orchestrate.ticks-seen');
    return ticks.filter((tick) => held.has(idOf(tick))).map(({ schedule }) => schedule.key);
  };
}

function idOf({ schedule }: Tick): number {
  return Number(schedule.key.split('/')[1]);
}

async function decideAll(
  tx: Transaction,
  ticks: readonly Tick[],
  orchestrations: readonly Orchestration[],
): Promise<readonly Case[]> {
  if (orchestrations.length === 0) return [];
  const byId = new Map(orchestrations.map((orchestration) => [orchestration.id, orchestration]));
  const living = await readLiving(tx, [...byId.keys()]);
  const waiting = await lockWaiting(
    tx,
    living.filter(isWaiting).map(({ runId }) => runId),
  );
  const jobs = Map.groupBy(
    living.map((job): LivingJob => (isWaiting(job) && !waiting.has(job.runId) ? { ...job, state: 'running' } : job)),
    (job) => job.orchestrationId,
  );
  const cases = ticks.flatMap((tick): Case[] => {
    const orchestration = byId.get(idOf(tick));
    if (orchestration === undefined) return [];
    return [{ orchestration, tick, decision: decide(orchestration, tick, jobs.get(orchestration.id) ?? []) }];
  });
  return dropSeen(tx, cases);
}

/** After the clock was put back, ticks may come again. */
async function dropSeen(tx: Transaction, cases: readonly Case[]): Promise<readonly Case[]> {
  const due = cases.flatMap(({ orchestration: { id: orchestrationId }, tick, decision }) =>
    [...new Set([tick.dueAt, ...decision.starts])].map((dueAt) => ({ orchestrationId, dueAt })),
  );
  const seen = await readSeen(tx, due);
  if (seen.size === 0) return cases;
  return cases.map((one) => {
    const isNew = (dueAt: Date): boolean => !seen.has(nameTick({ orchestrationId: one.orchestration.id, dueAt }));
    const { starts, ...rest } = one.decision;
    const left = starts.filter(isNew);
    const decision = isNew(one.tick.dueAt) ? { ...rest, starts: left } : { starts: left, unmade: [], ended: [] };
    return { ...one, decision };
  });
}

async function makeJobs({ engine }: FireRooms, tx: Transaction, cases: readonly Case[]): Promise<void> {
  const jobs = cases.flatMap(({ orchestration, tick, decision }) =>
    decision.starts.map((scheduledTime): NewJob => ({
      orchestration,
      initializedBy: 'scheduler',
      initiator: { tokenId: orchestration.tokenId, agent: AGENT },
      scheduledTime,
      idempotencyKey: fireKey(tick.schedule, scheduledTime),
    })),
  );
  if (jobs.length === 0) return;
  const plans = jobs.map((job) => planJob(job, job.orchestration.tasks));
  const started = await engine.startMany(plans, tx);
  const made = jobs.flatMap((job, place) => {
    const { outcome, runId } = started[place]!;
    return outcome === 'started' ? [{ row: rowOf(job, runId), accepted: toAccepted(job, runId) }] : [];
  });
  const rows = made.map(({ row }) => row);
  await insertJobs(tx, rows);
  await armWaiting(
    { engine },
    tx,
    made.map(({ accepted }) => accepted),
  );
  const runs = new Map(rows.map((row) => [row.orchestration_id, row.run_id]));
  for (const { orchestration, tick, decision } of cases) {
    const runId = runs.get(orchestration.id);
    const count = decision.unmade.length;
    if (runId === undefined || count === 0) continue;
    const missed =
      count === MOST_MISSED
        ? `${count} or more earlier ticks were`
        : count === 1
          ? 'one earlier tick was'
          : `${count} earlier ticks were`;
    const message = `Made for the tick of ${tick.dueAt.toISOString()}; ${missed} missed since ${tick.firstDueAt.toISOString()}`;
    await engine.note(tx, runId, { level: 'warn', message });
  }
}

async function moveWaiting({ engine }: FireRooms, tx: Transaction, cases: readonly Case[]): Promise<void> {
  const moves = cases.flatMap(({ decision }) => decision.moved ?? []);
  await moveJobs(
    tx,
    moves.map(({ job, to }) => ({ runId: job.runId, to })),
  );
  for (const { job, to } of moves) {
    const message = `Job ${job.number} still waits: it stands for the tick of ${to.toISOString()} now`;
    await engine.note(tx, job.runId, { level: 'info', message });
  }
}

/** After the commit, by a message that is delivered also when this process dies. */
async function endRunning({ engine }: FireRooms, tx: Transaction, cases: readonly Case[]): Promise<void> {
  for (const { orchestration, tick, decision } of cases) {
    const { ended } = decision;
    if (ended.length === 0) continue;
    for (const { runId, number } of ended) {
      const message = `The tick of ${tick.dueAt.toISOString()} ends job ${number}`;
      await engine.note(tx, runId, { level: 'warn', message });
    }
    const key = `${OVERTAKEN}/${orchestration.id}@${tick.dueAt.toISOString()}`;
    await engine.publish(tx, { key, topic: OVERTAKEN, payload: ended.map(({ runId }) => runId) });
  }
}

function timesOf({ orchestration, tick, decision }: Case) {
  const isHandled = decision.starts.length > 0 || decision.moved !== undefined;
  return { orchestrationId: orchestration.id, handled: isHandled ? tick.dueAt : null, next: tick.nextFireAt };
}
