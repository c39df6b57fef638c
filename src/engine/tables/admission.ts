import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { keepPlan } from '../../store/index.ts';
import type { Transaction } from '../../store/index.ts';
import { runStateAfter, runStatesBefore, taskStateAfter } from '../state.ts';
import type { QueuedTask, RunRow } from './rows.ts';

const DUE = sql.raw(`(start_after is null or start_after <= clock_timestamp())`);

/**
 * Makes all admissions happen one after another, until the transaction ends. That need not wait for the disk: if it is
 * lost in a crash, so is all that came after it, and the next admission does it again.
 */
export async function lockAdmission(tx: Transaction): Promise<void> {
  await sql`set local synchronous_commit = off; lock table admission_gate in exclusive mode`.execute(tx);
}

/** All lanes in which somebody waits: from one to the next, whatever the number of those who wait. */
const WAITED_FOR = sql`
  lane_walk as (
    (select lane from admission_line where stage = 'lane' order by lane limit 1)
    union all
    select (
      select line.lane from admission_line line where stage = 'lane' and line.lane > lane_walk.lane
      order by line.lane limit 1)
    from lane_walk where lane_walk.lane is not null
  ), wanted as (select lane from lane_walk where lane is not null)`;

/**
 * Gives free lanes to the run with the lowest number of those that wait and are due. Without `lanes`, looks at all.
 * Answers who got one.
 */
export async function takeLanes(
  tx: Transaction,
  order: { lanes: readonly string[] | undefined; limit: number },
): Promise<readonly { readonly runId: string; readonly hasPool: boolean }[]> {
  const wanted = order.lanes
    ? sql`wanted as (select distinct lane from unnest(${order.lanes}::text[]) as named (lane))`
    : WAITED_FOR;
  const { rows } = await sql<{ runId: string; hasPool: boolean }>`${keepPlan}
    with recursive ${wanted}, turn as materialized (
      select (
        select run_id from admission_line line where stage = 'lane' and line.lane = wanted.lane and ${DUE}
        order by number limit 1) as run_id
      from wanted
      where not exists (select 1 from admission_line taken where stage <> 'lane' and taken.lane = wanted.lane)
      limit ${order.limit}
    )
    update admission_line set stage = 'pool' from turn
    where admission_line.run_id = turn.run_id and stage = 'lane'
    returning admission_line.run_id as "runId", pool is not null as "hasPool"`.execute(tx);
  return rows;
}

/**
 * Runs that have what they wait for: no pool; a pool with room, by their numbers; or a parent that has no run in the
 * pool. How many a pool takes is said by the first of its line.
 */
function withTurn(limit: number): RawBuilder<unknown> {
  return sql`pool_walk as (
      (select pool from admission_line where stage = 'pool' and pool is not null order by pool limit 1)
      union all
      select (
        select line.pool from admission_line line where stage = 'pool' and line.pool > pool_walk.pool
        order by line.pool limit 1)
      from pool_walk where pool_walk.pool is not null
    ), parent_walk as (
      (select pool, parent_run_id from admission_line where stage = 'pool' and pool is not null
        and parent_run_id is not null order by pool, parent_run_id limit 1)
      union all
      select next.pool, next.parent_run_id from parent_walk cross join lateral (
        select line.pool, line.parent_run_id from admission_line line
        where stage = 'pool' and (line.pool, line.parent_run_id) > (parent_walk.pool, parent_walk.parent_run_id)
        order by line.pool, line.parent_run_id limit 1) next
    ), regular as materialized (
      select taken.* from pool_walk
      cross join lateral (
        select pool_limit - (
          select count(*) from admission_line inside where stage = 'admitted' and inside.pool = pool_walk.pool) as room
        from admission_line line where stage = 'pool' and line.pool = pool_walk.pool and ${DUE}
        order by number limit 1) free
      cross join lateral (
        select run_id, line.pool, parent_run_id from admission_line line
        where stage = 'pool' and line.pool = pool_walk.pool and ${DUE}
        order by number limit least(greatest(free.room, 0), ${limit})) taken
    ), rescued as (
      select (
        select run_id from admission_line line
        where stage = 'pool' and line.pool = parent_walk.pool and line.parent_run_id = parent_walk.parent_run_id and ${DUE}
        order by number limit 1) as run_id
      from parent_walk
      where not exists (
          select 1 from admission_line inside
          where stage = 'admitted' and inside.pool = parent_walk.pool
            and inside.parent_run_id = parent_walk.parent_run_id)
        and not exists (
          select 1 from regular
          where regular.pool = parent_walk.pool and regular.parent_run_id = parent_walk.parent_run_id)
      limit ${limit}
    ), unpooled as (
      select run_id from admission_line where stage = 'pool' and pool is null and ${DUE} order by number limit ${limit}
    ), turn as materialized (
      select run_id from (
        select run_id from unpooled union all select run_id from regular union all select run_id from rescued) chosen
      where run_id is not null
    )`;
}

export interface Admitted {
  readonly runs: readonly RunRow[];
  readonly queued: readonly QueuedTask[];
}

/** Admits those whose turn it is (`withTurn`), at most `limit`. */
export function admitByTurn(tx: Transaction, limit: number): Promise<Admitted> {
  return admit(tx, sql`recursive ${withTurn(limit)},`, sql`array(select run_id from turn)`);
}

/** Admits these. */
export function admitRuns(tx: Transaction, runIds: readonly string[]): Promise<Admitted> {
  return admit(tx, sql``, sql`${runIds}`);
}

/**
 * Queues the tasks of the first phase of these runs. One that somebody has locked (to cancel it) is left for the next
 * time, and a child whose parent is to end is not begun any more.
 */
async function admit(tx: Transaction, before: RawBuilder<unknown>, runIds: RawBuilder<unknown>): Promise<Admitted> {
  const { rows } = await sql<{ runs: RunRow[] | null; queued: QueuedTask[] | null }>`${keepPlan}
    with ${before} chosen as materialized (
      select id, phase from run
      where id = any(${runIds}) and state = any(${runStatesBefore('queue')}) and not exists (
        select 1 from run parent where parent.id = run.parent_run_id and parent.cancel_requested_at is not null)
      order by id for no key update skip locked
    ), placed as (
      update admission_line set stage = 'admitted' from chosen where admission_line.run_id = chosen.id
    ), queued as (
      update task set state = ${taskStateAfter('queue')}, queued_at = clock_timestamp(), job_id = gen_random_uuid()
      from chosen where task.run_id = chosen.id and task.phase = chosen.phase and task.state = 'planned'
      returning task.id, run_id, position, job_id, priority, waits, concurrency_key
    ), admitted as (
      update run set state = ${runStateAfter('queue')},
        open_tasks = (select count(*) from queued where queued.run_id = run.id)
      from chosen where run.id = chosen.id returning run.*
    )
    select (select json_agg(row_to_json(admitted) order by number) from admitted) as runs,
      (select json_agg(json_build_object('taskId', id, 'jobId', job_id, 'priority', priority, 'waits', waits,
        'hasConcurrencyKey', concurrency_key is not null) order by run_id, position) from queued) as queued`.execute(
    tx,
  );
  return { runs: rows[0]?.runs ?? [], queued: rows[0]?.queued ?? [] };
}
