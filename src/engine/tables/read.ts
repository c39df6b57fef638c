import { sql } from 'kysely';
import { keepPlan } from '../../store/index.ts';
import type { Queryable } from '../../store/index.ts';
import type { RunQuery } from '../types.ts';
import { conditionsOf } from './conditions.ts';
import type { RunRow, TaskRow } from './rows.ts';

/** One run by its id. */
export async function readRun(db: Queryable, runId: string): Promise<RunRow | undefined> {
  const { rows } = await sql<{ run: RunRow }>`${keepPlan}
    select row_to_json(run) as run from run where id = ${runId}`.execute(db);
  return rows[0]?.run;
}

/** One run by its number. */
export async function readRunByNumber(db: Queryable, number: number): Promise<RunRow | undefined> {
  const { rows } = await sql<{ run: RunRow }>`
    select row_to_json(run) as run from run where number = ${number}`.execute(db);
  return rows[0]?.run;
}

/** Which of these runs there are, each without its snapshot when it has ended, and null while it lives. */
export async function readEnds(
  db: Queryable,
  runIds: readonly string[],
): Promise<readonly { readonly id: string; readonly run: RunRow | null }[]> {
  const { rows } = await sql<{ id: string; run: RunRow | null }>`${keepPlan}
    select found.id, case when found.ended_at is not null then row_to_json(found) end as run
    from (select ${LISTED} from run where id = any(${runIds})) found`.execute(db);
  return rows;
}

/** The children of runs in their order, without snapshots. */
export async function listChildren(db: Queryable, runIds: readonly string[]): Promise<readonly RunRow[]> {
  const { rows } = await sql<{ run: RunRow }>`
    select row_to_json(child) as run from (
      select ${LISTED} from run where parent_run_id = any(${runIds}) order by number) child`.execute(db);
  return rows.map((row) => row.run);
}

/** What a list shows of a run. The snapshot may be megabytes: it is read with the run alone, and null here. */
const LISTED =
  sql.raw(`id, number, path, parent_run_id, parent_task_id, labels, lane, pool, project, kind, definition, state, trigger, null as snapshot, priority, created_by, queued_at,
  started_at, ended_at, phase, open_tasks, attempts, progress, warnings, has_warned, has_failed, has_cancelled, error,
  cancel_requested_at, cancel_requested_by`);

/** Runs without their snapshots, newest first, and how many there are without paging. */
export async function listRuns(db: Queryable, query: RunQuery): Promise<{ runs: readonly RunRow[]; total: number }> {
  const conditions = conditionsOf(query);
  const where = conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
  const { rows } = await sql<{ runs: RunRow[] | null; total: number }>`
    select (select json_agg(row_to_json(page)) from (
        select ${LISTED} from run where ${where} order by number desc
        limit ${query.limit} offset ${query.offset}) page) as runs,
      (select count(*)::float8 from run where ${where}) as total`.execute(db);
  return { runs: rows[0]?.runs ?? [], total: rows[0]?.total ?? 0 };
}

/** The tasks of runs, run by run, in the order of their plans. */
export async function listTasks(db: Queryable, runIds: readonly string[]): Promise<readonly TaskRow[]> {
  const { rows } = await sql<{ task: TaskRow }>`
    select row_to_json(task) as task from task
    where run_id = any(${runIds}) order by run_id, phase, position`.execute(db);
  return rows.map((row) => row.task);
}

/** One task by its id. */
export async function readTask(db: Queryable, taskId: string): Promise<TaskRow | undefined> {
  const { rows } = await sql<{ task: TaskRow }>`
    select row_to_json(task) as task from task where id = ${taskId}`.execute(db);
  return rows[0]?.task;
}

export interface CallbackTask {
  readonly task: TaskRow;
  /** The attempt that waits is still the task's newest, and open. */
  readonly isWaiting: boolean;
}

/** The task of a one-time callback key, by the key's hash. */
export async function findCallbackTask(db: Queryable, callbackHash: string): Promise<CallbackTask | undefined> {
  const { rows } = await sql<CallbackTask>`
    select row_to_json(task) as task,
      attempt.ended_at is null and task.state = 'running' and task.fence = attempt.fence as "isWaiting"
    from attempt join task on task.id = attempt.task_id where attempt.callback_hash = ${callbackHash}`.execute(db);
  return rows[0];
}
