import { sql } from 'kysely';
import type { State } from '../../engine/index.ts';
import { readColumns, rowsOf, type Queryable, type Transaction } from '../../store/index.ts';
import type { NewJobRow } from '../jobs/tables.ts';
import type { Initializer } from '../types.ts';
import type { TickOutcome, UnmadeTick } from './types.ts';

/** A job that has not ended. */
export interface LivingJob {
  readonly orchestrationId: number;
  readonly runId: string;
  readonly number: number;
  readonly state: State;
  readonly initializedBy: Initializer;
  readonly isBackfill: boolean;
  readonly scheduledTime: Date | null;
}

/** The jobs of these orchestrations that have not ended, by number. */
export async function readLiving(tx: Transaction, ids: readonly number[]): Promise<readonly LivingJob[]> {
  const lanes = ids.map((id) => `orchestration/${id}`);
  const { rows } = await sql<LivingJob>`
    select job.orchestration_id as "orchestrationId", run.id as "runId", run.number::float8 as number, run.state,
      job.initialized_by as "initializedBy", job.backfill_id is not null as "isBackfill",
      job.scheduled_at as "scheduledTime"
    from (
      select run_id from admission_line where stage = 'lane' and lane = any(${lanes})
      union all
      select run_id from admission_line where stage <> 'lane' and lane = any(${lanes})
    ) line join run on run.id = line.run_id join orchestration_job job on job.run_id = run.id
    where run.ended_at is null order by run.number`.execute(tx);
  return rows;
}

/** Those of the runs that wait, and begin only after this transaction; one that somebody is about to begin is not among them. */
export async function lockWaiting(tx: Transaction, runIds: readonly string[]): Promise<ReadonlySet<string>> {
  if (runIds.length === 0) return new Set();
  const { rows } = await sql<{ id: string }>`
    select id from run where id = any(${runIds}) and state in ('planned', 'queued') and cancel_requested_at is null
    order by id for no key update skip locked`.execute(tx);
  return new Set(rows.map(({ id }) => id));
}

export interface DueTick {
  readonly orchestrationId: number;
  readonly dueAt: Date;
}

export function nameTick({ orchestrationId, dueAt }: DueTick): string {
  return `${orchestrationId}@${dueAt.toISOString()}`;
}

const DUE_COLUMNS = readColumns('orchestrationId bigint, dueAt timestamptz');

/** Those of the ticks that have been seen to before, by `nameTick`: the clock went back since. */
export async function readSeen(tx: Transaction, ticks: readonly DueTick[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<DueTick>`
    select x."orchestrationId", x."dueAt" from ${rowsOf(DUE_COLUMNS, ticks)} cross join lateral (
      select 1 from orchestration_tick where orchestration_id = x."orchestrationId" and due_at = x."dueAt"
      union all
      select 1 from orchestration_job
      where orchestration_id = x."orchestrationId" and scheduled_at = x."dueAt" and initialized_by = 'scheduler'
      -- By the keys, whatever number of rows the planner expects.
      limit 1) seen`.execute(tx);
  return new Set(rows.map(nameTick));
}

const JOB_COLUMNS = readColumns(`run_id text, orchestration_id bigint, initialized_by text, token_id bigint,
  initiator_id bigint, initiator_agent text, emails text, tasks text, notifications text, retry_of bigint,
  scheduled_at timestamptz, logical_at timestamptz`);

/** What jobs are besides their runs, for many at once. */
export async function insertJobs(tx: Transaction, jobs: readonly NewJobRow[]): Promise<void> {
  if (jobs.length === 0) return;
  await sql`
    insert into orchestration_job (run_id, orchestration_id, initialized_by, token_id, initiator_id, initiator_agent,
      emails, tasks, notifications, retry_of, scheduled_at, logical_at)
    select run_id, orchestration_id, initialized_by, token_id, initiator_id, initiator_agent, emails::json, tasks::json,
      notifications::json, retry_of, scheduled_at, logical_at
    from ${rowsOf(JOB_COLUMNS, jobs)}`.execute(tx);
}

/** Moves waiting jobs of schedules on to a later tick. */
export async function moveJobs(
  tx: Transaction,
  moves: readonly { readonly runId: string; readonly to: Date }[],
): Promise<void> {
  if (moves.length === 0) return;
  await sql`
    update orchestration_job set scheduled_at = move."to", coalesced_ticks = coalesced_ticks + 1
    from json_to_recordset(${JSON.stringify(moves)}::json) as move ("runId" text, "to" timestamptz)
    where run_id = move."runId"`.execute(tx);
}

export interface Times {
  readonly orchestrationId: number;
  /** Nominal time of the tick that was seen to; null when it made no job. */
  readonly handled: Date | null;
  readonly next: Date | null;
}

const TIME_COLUMNS = readColumns('orchestrationId bigint, handled timestamptz, next timestamptz');

/** Writes the times of the schedules that clients see. */
export async function writeTimes(tx: Transaction, times: readonly Times[]): Promise<void> {
  await sql`
    update orchestration set last_scheduled_at = greatest(last_scheduled_at, handled), next_scheduled_at = next
    from ${rowsOf(TIME_COLUMNS, times)} where id = x."orchestrationId"`.execute(tx);
}

export type NewUnmadeTick = UnmadeTick & { readonly orchestrationId: number; readonly runId: string | null };

/** Keeps ticks that made no job of their own. */
export async function insertUnmade(tx: Transaction, ticks: readonly NewUnmadeTick[]): Promise<void> {
  if (ticks.length === 0) return;
  await sql`
    with old as (
      delete from orchestration_tick where seen_at < now() - interval '90 days'
    )
    insert into orchestration_tick (orchestration_id, due_at, outcome, reason, run_id)
    select "orchestrationId", "dueAt", outcome, reason, "runId"
    from json_to_recordset(${JSON.stringify(ticks)}::json) as x (
      "orchestrationId" bigint, "dueAt" timestamptz, outcome text, reason text, "runId" text)
    on conflict do nothing`.execute(tx);
}

/** The latest ticks of an orchestration that made no job of their own, newest first. */
export async function readUnmade(
  db: Queryable,
  orchestrationId: number,
  limit: number,
): Promise<readonly (UnmadeTick & { readonly job: number | null })[]> {
  const { rows } = await sql<{ dueAt: Date; outcome: TickOutcome; reason: string | null; job: number | null }>`
    select due_at as "dueAt", outcome, reason, run.number::float8 as job
    from orchestration_tick tick left join run on run.id = tick.run_id
    where orchestration_id = ${orchestrationId} order by due_at desc limit ${limit}`.execute(db);
  return rows;
}

/** Those of the orchestrations that are not deleted. */
export async function readExisting(tx: Transaction, ids: readonly number[]): Promise<ReadonlySet<number>> {
  if (ids.length === 0) return new Set();
  const { rows } = await sql<{ id: number }>`
    select id from orchestration where id = any(${ids}) and deleted_at is null`.execute(tx);
  return new Set(rows.map(({ id }) => id));
}

/** The instant that a job stands for: of a backfill, else of its tick. */
export async function readLogicalTime(db: Queryable, runId: string): Promise<Date | undefined> {
  const { rows } = await sql<{ at: Date | null }>`
    select coalesce(logical_at, scheduled_at) as at from orchestration_job where run_id = ${runId}`.execute(db);
  return rows[0]?.at ?? undefined;
}
