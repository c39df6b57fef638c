import { type Selectable, sql } from 'kysely';
import type { Database, Queryable } from '../../../store/index.ts';
import type { ConnectionKind, JobQuery, JsonForm, Page } from '../types.ts';

export type JobRow = Selectable<Database['job']>;

export interface JobValues {
  readonly name: string;
  readonly source_id: number;
  readonly destination_id: number;
  readonly frequency: string;
  readonly active: boolean;
  readonly streams_config: string;
  readonly streams_form: JsonForm;
  readonly advanced_settings: string | null;
  readonly updated_by: string;
}

/** Inserts a live row and answers its id; undefined when a live job of that name is there. */
export async function insertJob(
  queryable: Queryable,
  row: JobValues & { readonly project: string },
): Promise<number | undefined> {
  const inserted = await queryable
    .insertInto('job')
    .values({ ...row, created_by: row.updated_by })
    .onConflict((conflict) => conflict.columns(['project', 'name']).where('deleted_at', 'is', null).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted && inserted.id;
}

export async function updateJob(queryable: Queryable, id: number, values: JobValues): Promise<void> {
  await queryable
    .updateTable('job')
    .set({ ...values, updated_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute();
}

/** A live job, locked until the transaction ends. Everything that starts or forbids a run goes through this lock. */
export async function lockJob(queryable: Queryable, project: string, id: number): Promise<JobRow | undefined> {
  return queryable
    .selectFrom('job')
    .selectAll()
    .where('project', '=', project)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
}

/** A live job of any project by its id, locked until the transaction ends; for the schedule, which knows only ids. */
export async function lockJobById(queryable: Queryable, id: number): Promise<JobRow | undefined> {
  return queryable
    .selectFrom('job')
    .selectAll()
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
}

export async function findJobRow(queryable: Queryable, project: string, id: number): Promise<JobRow | undefined> {
  return queryable
    .selectFrom('job')
    .selectAll()
    .where('project', '=', project)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
}

export async function isJobNameTaken(queryable: Queryable, project: string, name: string): Promise<boolean> {
  const row = await queryable
    .selectFrom('job')
    .select('id')
    .where('project', '=', project)
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

export async function setJobActive(queryable: Queryable, id: number, change: { active: boolean; by: string }) {
  await queryable
    .updateTable('job')
    .set({ active: change.active, updated_by: change.by, updated_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute();
}

export async function markJobDeleted(queryable: Queryable, id: number, by: string): Promise<void> {
  await queryable
    .updateTable('job')
    .set({ deleted_at: sql<Date>`clock_timestamp()`, updated_by: by })
    .where('id', '=', id)
    .execute();
}

export async function setJobState(queryable: Queryable, id: number, state: string): Promise<void> {
  await queryable.updateTable('job').set({ state }).where('id', '=', id).execute();
}

export async function findJobState(queryable: Queryable, id: number): Promise<string | undefined> {
  const row = await queryable.selectFrom('job').select('state').where('id', '=', id).executeTakeFirst();
  return row?.state;
}

export interface LastRunValues {
  readonly last_run_id: string;
  readonly last_run_queued_at: Date;
  readonly last_run_time: Date;
  readonly last_run_state: string;
  readonly last_run_type: string;
}

/** Notes the newest run of a job; a run older than the one noted changes nothing. */
export async function setLastRun(queryable: Queryable, id: number, run: LastRunValues): Promise<void> {
  await queryable
    .updateTable('job')
    .set(run)
    .where('id', '=', id)
    .where((or) =>
      or.or([
        or('last_run_id', '=', run.last_run_id),
        or('last_run_queued_at', 'is', null),
        or('last_run_queued_at', '<=', run.last_run_queued_at),
      ]),
    )
    .execute();
}

/** Jobs with both ends, newest change first: one statement, however many jobs there are. */
export async function listJobRows(
  queryable: Queryable,
  query: JobQuery & { readonly project: string; readonly id?: number },
): Promise<Page<JobWithEnds>> {
  let rows = joined(queryable, query).orderBy('job.updated_at', 'desc').orderBy('job.id', 'desc').offset(query.offset);
  if (query.limit !== undefined) rows = rows.limit(query.limit);
  const items = await rows.execute();
  if (query.limit === undefined && query.offset === 0) return { items, total: items.length };
  const counted = await joined(queryable, query)
    .clearSelect()
    .select(sql<string>`count(*)`.as('total'))
    .executeTakeFirst();
  return { items, total: Number(counted?.total ?? 0) };
}

type JobWithEnds = Awaited<ReturnType<ReturnType<typeof joined>['execute']>>[number];
export type { JobWithEnds };

function joined(queryable: Queryable, query: JobQuery & { readonly project: string; readonly id?: number }) {
  let rows = queryable
    .selectFrom('job')
    .innerJoin('connection as source', 'source.id', 'job.source_id')
    .innerJoin('connection as destination', 'destination.id', 'job.destination_id')
    .selectAll('job')
    .select([
      'source.name as source_name',
      'source.type as source_type',
      'source.version as source_version',
      'source.shown_config as source_config',
      'source.config_form as source_form',
      'destination.name as destination_name',
      'destination.type as destination_type',
      'destination.version as destination_version',
      'destination.shown_config as destination_config',
      'destination.config_form as destination_form',
    ])
    .where('job.project', '=', query.project)
    .where('job.deleted_at', 'is', null);
  if (query.id !== undefined) rows = rows.where('job.id', '=', query.id);
  if (query.sourceId !== undefined) rows = rows.where('job.source_id', '=', query.sourceId);
  if (query.destinationId !== undefined) rows = rows.where('job.destination_id', '=', query.destinationId);
  return rows;
}

/** Live jobs at the given connections, with the name and type of their other end. */
export async function listJobsAt(queryable: Queryable, kind: ConnectionKind, ids: readonly number[]) {
  if (ids.length === 0) return [];
  const [near, far] =
    kind === 'source' ? (['source_id', 'destination_id'] as const) : (['destination_id', 'source_id'] as const);
  return queryable
    .selectFrom('job')
    .innerJoin('connection as other', 'other.id', `job.${far}`)
    .select([
      'job.id',
      'job.name',
      'job.active',
      `job.${near} as connection_id`,
      'job.last_run_id',
      'job.last_run_time',
      'job.last_run_state',
      'job.last_run_type',
      'other.name as other_name',
      'other.type as other_type',
    ])
    .where(`job.${near}`, 'in', [...ids])
    .where('job.deleted_at', 'is', null)
    .orderBy('job.id')
    .execute();
}

/** Live jobs of every project that ran at least once, for metrics. */
export async function listRanJobs(queryable: Queryable, limit: number) {
  return queryable
    .selectFrom('job')
    .innerJoin('connection as source', 'source.id', 'job.source_id')
    .innerJoin('connection as destination', 'destination.id', 'job.destination_id')
    .select([
      'job.id',
      'job.name',
      'job.project',
      'job.last_run_id',
      'job.last_run_time',
      'job.last_run_state',
      'source.name as source_name',
      'destination.name as destination_name',
    ])
    .where('job.deleted_at', 'is', null)
    .where('job.last_run_id', 'is not', null)
    .orderBy('job.last_run_time', 'desc')
    .limit(limit)
    .execute();
}
