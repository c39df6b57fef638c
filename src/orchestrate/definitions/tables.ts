import { sql } from 'kysely';
import type { Queryable, Transaction } from '../../store/index.ts';
import type { State } from '../../engine/index.ts';
import type { Initializer, NotificationRule, Orchestration, TaskDefinition } from '../types.ts';

interface Row {
  readonly id: number;
  readonly project: string;
  readonly name: string;
  readonly crontab: string | null;
  readonly zone: string;
  readonly overlap: Orchestration['overlap'];
  readonly catch_up: Orchestration['catchUp'];
  readonly active: boolean;
  readonly token_id: number;
  readonly own_token_id: number | null;
  readonly tasks: readonly TaskDefinition[];
  readonly notifications: readonly NotificationRule[];
  readonly revision: number;
  readonly last_scheduled_at: Date | null;
  readonly next_scheduled_at: Date | null;
  readonly created_at: Date;
}

/** An orchestration with the token that was made for it, if one was. */
export interface StoredOrchestration extends Orchestration {
  readonly ownTokenId: number | null;
}

export interface NewestJob {
  readonly number: number;
  readonly state: State;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly queuedAt: Date;
  readonly cancelRequested: boolean;
  readonly initializedBy: Initializer;
}

/** An orchestration and its newest job. */
export type ListedOrchestration = StoredOrchestration & { readonly newest: NewestJob | null };

const COLUMNS = sql.raw(`o.id, o.project, o.name, o.crontab, o.zone, o.overlap, o.catch_up, o.active, o.token_id,
  o.own_token_id, o.notifications, o.revision, o.last_scheduled_at, o.next_scheduled_at, o.created_at`);

/** The living orchestrations of a project by id, or the one with this id. Tasks only for one. */
export async function readOrchestrations(
  db: Queryable,
  { project, id }: { readonly project: string; readonly id?: number },
): Promise<readonly ListedOrchestration[]> {
  const one = id === undefined ? sql`true` : sql`o.id = ${id}`;
  const tasks = id === undefined ? sql`'[]'::json as tasks` : sql`o.tasks`;
  const { rows } = await sql<Row & { newest: Record<string, unknown> | null }>`
    select ${COLUMNS}, ${tasks}, newest.newest
    from orchestration o left join lateral (
      select json_build_object('number', run.number, 'state', run.state, 'startedAt', run.started_at,
        'endedAt', run.ended_at, 'queuedAt', run.queued_at, 'cancelRequested', run.cancel_requested_at is not null,
        'initializedBy', job.initialized_by) as newest
      from run join orchestration_job job on job.run_id = run.id
      where run.definition = 'orchestration/' || o.id order by run.number desc limit 1
    ) newest on true
    where o.project = ${project} and o.deleted_at is null and ${one} order by o.id`.execute(db);
  return rows.map((row) => ({ ...toOrchestration(row), newest: row.newest && toNewest(row.newest) }));
}

function toNewest(json: Record<string, unknown>): NewestJob {
  const time = (value: unknown): Date | null => (typeof value === 'string' ? new Date(value) : null);
  return {
    ...(json as unknown as NewestJob),
    startedAt: time(json['startedAt']),
    endedAt: time(json['endedAt']),
    queuedAt: time(json['queuedAt'])!,
  };
}

function toOrchestration(row: Row): StoredOrchestration {
  return {
    id: row.id,
    project: row.project,
    name: row.name,
    crontabRecord: row.crontab,
    zone: row.zone,
    overlap: row.overlap,
    catchUp: row.catch_up,
    active: row.active,
    tokenId: row.token_id,
    ownTokenId: row.own_token_id,
    tasks: row.tasks,
    notifications: row.notifications,
    revision: row.revision,
    lastScheduledTime: row.last_scheduled_at,
    nextScheduledTime: row.next_scheduled_at,
    createdTime: row.created_at,
  };
}

/**
 * A living orchestration that no other transaction changes (`update`) or deletes (`share`) before this one ends; of any
 * project when none is named.
 */
export async function lockOrchestration(
  tx: Transaction,
  { id, project }: { readonly id: number; readonly project?: string | undefined },
  lock: 'update' | 'share',
): Promise<StoredOrchestration | undefined> {
  const own = project === undefined ? sql`true` : sql`o.project = ${project}`;
  const { rows } = await sql<Row>`
    select ${COLUMNS}, o.tasks from orchestration o
    where o.id = ${id} and o.deleted_at is null and ${own} for ${sql.raw(lock)}`.execute(tx);
  return rows[0] && toOrchestration(rows[0]);
}

/** Those of the living orchestrations that nobody else has locked: no other transaction changes or deletes them before this ends. */
export async function lockOrchestrations(
  tx: Transaction,
  ids: readonly number[],
): Promise<readonly StoredOrchestration[]> {
  const { rows } = await sql<Row>`
    select ${COLUMNS}, o.tasks from orchestration o where o.id = any(${ids}) and o.deleted_at is null
    order by o.id for no key update skip locked`.execute(tx);
  return rows.map(toOrchestration);
}

/** What of a row is written; JSON as text. */
export interface Values {
  readonly name: string;
  readonly crontab: string | null;
  readonly zone: string;
  readonly overlap: string;
  readonly catchUp: string;
  readonly active: boolean;
  readonly tokenId: number;
  readonly ownTokenId: number | null;
  readonly tasks: string;
  readonly notifications: string;
  readonly nextScheduledTime: Date | null;
}

/** Inserts a row with an id that was taken before. */
export async function insertOrchestration(
  tx: Transaction,
  row: { readonly id: number; readonly project: string; readonly by: string; readonly values: Values },
): Promise<void> {
  const { values } = row;
  await sql`
    insert into orchestration (id, project, name, crontab, zone, overlap, catch_up, active, token_id, own_token_id, tasks,
      notifications, next_scheduled_at, created_by)
    overriding system value
    values (${row.id}, ${row.project}, ${values.name}, ${values.crontab}, ${values.zone}, ${values.overlap},
      ${values.catchUp}, ${values.active}, ${values.tokenId}, ${values.ownTokenId}, ${values.tasks},
      ${values.notifications}, ${values.nextScheduledTime}, ${row.by})`.execute(tx);
}

/** Writes all fields and the next revision. */
export async function updateOrchestration(tx: Transaction, id: number, values: Values): Promise<void> {
  await sql`
    update orchestration set name = ${values.name}, crontab = ${values.crontab}, zone = ${values.zone},
      overlap = ${values.overlap}, catch_up = ${values.catchUp}, active = ${values.active}, token_id = ${values.tokenId},
      own_token_id = ${values.ownTokenId}, tasks = ${values.tasks}, notifications = ${values.notifications},
      next_scheduled_at = ${values.nextScheduledTime}, revision = revision + 1
    where id = ${id}`.execute(tx);
}

export async function markDeleted(tx: Transaction, id: number): Promise<void> {
  await sql`update orchestration set deleted_at = clock_timestamp(), active = false, next_scheduled_at = null,
    revision = revision + 1 where id = ${id}`.execute(tx);
}

/** An id that no orchestration has or had. */
export async function takeOrchestrationId(tx: Transaction): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    select nextval(pg_get_serial_sequence('orchestration', 'id'))::float8 as id`.execute(tx);
  return rows[0]!.id;
}

/** Ids that no task has or had. */
export async function takeTaskIds(tx: Transaction, count: number): Promise<readonly number[]> {
  if (count === 0) return [];
  const { rows } = await sql<{ id: number }>`
    select nextval('orchestration_task_id')::float8 as id from generate_series(1, ${count}::int)`.execute(tx);
  return rows.map(({ id }) => id);
}

/** Living orchestrations that are bound to a token. */
export async function readBoundTo(
  db: Queryable,
  tokenId: number,
): Promise<readonly { readonly id: number; readonly name: string }[]> {
  const { rows } = await sql<{ id: number; name: string }>`
    select id, name from orchestration where token_id = ${tokenId} and deleted_at is null order by id`.execute(db);
  return rows;
}

/** Whether a living orchestration is bound to a token, or may be again because the token was made for it. */
export async function isInUse(tx: Transaction, tokenId: number): Promise<boolean> {
  const { rows } = await sql`
    select 1 from orchestration where token_id = ${tokenId} and deleted_at is null
    union all
    select 1 from orchestration where own_token_id = ${tokenId} and deleted_at is null limit 1`.execute(tx);
  return rows.length > 0;
}

/** Whether a job that has begun and not ended acts with a token. */
export async function isActedWith(tx: Transaction, tokenId: number): Promise<boolean> {
  const { rows } = await sql`
    select 1 from run join orchestration_job job on job.run_id = run.id
    where run.state = 'running' and job.token_id = ${tokenId} limit 1`.execute(tx);
  return rows.length > 0;
}

/** Whether a token was made for an orchestration, living or deleted. */
export async function wasMade(tx: Transaction, tokenId: number): Promise<boolean> {
  const { rows } = await sql`select 1 from orchestration where own_token_id = ${tokenId} limit 1`.execute(tx);
  return rows.length > 0;
}

/** The token that a living orchestration is bound to. */
export async function readTokenId(
  db: Queryable,
  { id, project }: { readonly id: number; readonly project: string },
): Promise<number | undefined> {
  const { rows } = await sql<{ tokenId: number }>`
    select token_id as "tokenId" from orchestration
    where id = ${id} and project = ${project} and deleted_at is null`.execute(db);
  return rows[0]?.tokenId;
}

/** The tokens of an orchestration if it is deleted; it is not deleted before this transaction ends. */
export async function readTokensOfDeleted(
  tx: Transaction,
  id: number,
): Promise<{ readonly tokenId: number; readonly ownTokenId: number | null } | undefined> {
  const { rows } = await sql<{ tokenId: number; ownTokenId: number | null; isDeleted: boolean }>`
    select token_id as "tokenId", own_token_id as "ownTokenId", deleted_at is not null as "isDeleted"
    from orchestration where id = ${id} for share`.execute(tx);
  return rows[0]?.isDeleted ? rows[0] : undefined;
}

/** Its jobs that have not ended. */
export async function readLivingRuns(db: Queryable, id: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from run where definition = ${`orchestration/${id}`} and ended_at is null
    order by number desc`.execute(db);
  return rows.map((row) => row.id);
}
