import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { keepPlan, readColumns, rowsOf } from '../../store/index.ts';
import type { Queryable, Transaction } from '../../store/index.ts';
import type { Owner } from './finish.ts';
import type { QueuedTask, RunRow } from './rows.ts';

/** Columns by name. What goes to a `json` column is given as JSON text: unwrapping a nested one refuses \\u0000. */
export interface AcceptedRun {
  readonly run: Readonly<Record<string, unknown>>;
  readonly tasks: readonly Readonly<Record<string, unknown>>[];
}

export interface StoredRun {
  readonly run: RunRow;
  /** Its tasks that are queued at once. */
  readonly queued: readonly QueuedTask[];
}

const RUN_COLUMNS = readColumns(`id text, project text, kind text, definition text, state text, trigger text,
  snapshot text, concurrency_key text, idempotency_key text, priority integer, parent_task_id text, parent_run_id text,
  parent_path text, created_by text, start_after timestamptz, phase integer, open_tasks integer, lane text,
  pool text, pool_limit integer, keep boolean, labels text, place integer`);
const TASK_COLUMNS = readColumns(`id text, run_id text, phase integer, position integer, key text, component text,
  state text, input text, timeout_ms bigint, retry text, continue_on_failure boolean, concurrency_key text,
  priority integer, waits boolean`);

/**
 * Writes runs and their tasks, numbered in the order given, in one statement. A run with an idempotency key that another
 * has, or a concurrency key that a live one has, is not written. With `parents`, nor is one whose parent (of the same
 * place) does not own its task, or of which the run is to end. Answers what was, by the ids.
 */
export async function insertRuns(
  tx: Queryable,
  given: readonly AcceptedRun[],
  parents?: readonly Owner[],
): Promise<ReadonlyMap<string, StoredRun>> {
  const runs = given.map(({ run }, place) => ({ ...run, place }));
  const tasks = given.flatMap((one) =>
    one.tasks.map((task) => ({ ...task, run_id: one.run['id'], retry: JSON.stringify(task['retry']) })),
  );
  const { rows } = await sql<{ run: RunRow; queued: QueuedTask[] | null }>`${keepPlan}
    with ${parents ? sql`${asParents(parents)}, ` : sql``}given as (
      select * from ${rowsOf(RUN_COLUMNS, runs)} ${parents ? sql`where exists (select 1 from owned where owned.id = x.parent_task_id)` : sql``}
    ), placed as (
      select related.*, nextval('run_number') as number from (
        select given.*, parent.path as parent_run_path, case when parent.ended_at is null then parent.id end as live_parent_id
        from given left join lateral (
          select id, path, ended_at from run where run.id = coalesce(
            (select task.run_id from task where task.id = given.parent_task_id), given.parent_run_id)
          -- By the key, whatever number of rows the planner expects.
          limit 1) parent on true
        order by place) related
    ), made as (
      insert into run (id, number, path, project, kind, definition, state, trigger, snapshot, concurrency_key,
        idempotency_key, priority, parent_run_id, parent_task_id, created_by, start_after, phase, open_tasks, lane, pool, keep, labels, started_at, ended_at)
      select id, number, concat_ws('.', coalesce(parent_run_path, parent_path), number), project, kind, definition, state,
        trigger, snapshot::json, concurrency_key, idempotency_key, priority, live_parent_id, parent_task_id, created_by,
        start_after, phase, open_tasks, lane, pool, keep, labels::jsonb,
        case when state = 'succeeded' then now() end, case when state = 'succeeded' then now() end
      from placed
      on conflict do nothing
      returning *
    ), line as (
      insert into admission_line (run_id, number, lane, pool, pool_limit, parent_run_id, start_after, stage)
      select made.id, made.number, made.lane, made.pool, given.pool_limit, made.parent_run_id, made.start_after,
        case when made.lane is null then 'pool' else 'lane' end
      from made join given on given.id = made.id where made.state = 'planned'
    ), labelled as (
      insert into run_label (name, value, run_number)
      select label.key, label.value, made.number from made, jsonb_each_text(made.labels) label
    ), tasks as (
      insert into task (id, run_id, phase, position, key, component, state, input, timeout_ms, retry,
        continue_on_failure, concurrency_key, priority, waits, job_id, queued_at)
      select x.id, made.id, x.phase, x.position, x.key, x.component, x.state, x.input::json, x.timeout_ms, x.retry::json,
        x.continue_on_failure, x.concurrency_key, made.priority + x.priority, x.waits,
        case when x.state = 'queued' then gen_random_uuid() end,
        case when x.state = 'queued' then greatest(now(), made.start_after) end
      from ${rowsOf(TASK_COLUMNS, tasks)} join made on made.id = x.run_id
      returning id, run_id, job_id, state, priority, position, concurrency_key, waits
    ), queued as (
      select run_id, json_agg(json_build_object('taskId', id, 'jobId', job_id, 'priority', priority,
        'hasConcurrencyKey', concurrency_key is not null, 'waits', waits) order by position) as tasks
      from tasks where state = 'queued' group by run_id
    )
    select row_to_json(made) as run, queued.tasks as queued
    from made left join queued on queued.run_id = made.id`.execute(tx);
  return new Map(rows.map(({ run, queued }) => [run.id, { run, queued: queued ?? [] }]));
}

/** As `holdTaskOfRun`: the runs first, then the tasks. */
function asParents(owners: readonly Owner[]): RawBuilder<unknown> {
  const taskIds = owners.map(({ taskId }) => taskId);
  return sql`held as materialized (
      select id from run where id = any(${owners.map(({ runId }) => runId)}) and cancel_requested_at is null
      order by id for share
    ), owned as materialized (
      select task.id from task
        join unnest(${taskIds}::text[], ${owners.map(({ fence }) => fence)}::bigint[]) as owner (task_id, fence)
          on owner.task_id = task.id and owner.fence = task.fence
      where task.id = any(${taskIds}) and task.run_id in (select id from held) and task.state = 'running'
      order by task.id for share of task
    )`;
}

export interface ConflictingRun {
  readonly id: string;
  readonly number: number;
  readonly path: string;
  readonly isSame: boolean;
}

/** The run that stands in the way of a new one: the one with the same idempotency key, else the live one. */
export async function findConflictingRun(
  tx: Transaction,
  keys: { idempotencyKey?: string | undefined; concurrencyKey?: string | undefined },
): Promise<ConflictingRun | undefined> {
  const { rows } = await sql<ConflictingRun>`
    select id, number::float8 as number, path, coalesce(idempotency_key = ${keys.idempotencyKey ?? null}, false) as "isSame"
    from run
    where idempotency_key = ${keys.idempotencyKey ?? null}
      or (concurrency_key = ${keys.concurrencyKey ?? null} and ended_at is null)
    order by 2 desc limit 1`.execute(tx);
  return rows[0];
}
