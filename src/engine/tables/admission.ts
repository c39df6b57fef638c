import { sql } from 'kysely';
import type { Transaction } from '../../store/index.ts';
import { runStateAfter, taskStateAfter } from '../state.ts';
import type { QueuedTask, RunRow } from './rows.ts';

// Word for word what the partial indexes of run say (migration 0007): each of these reads is a few steps in one of them.
const IN_LANE = sql.raw(`state = 'planned' and lane is not null and not has_lane`);
const READY = sql.raw(`state = 'planned' and (lane is null or has_lane)`);
const READY_CHILD = sql.raw(
  `state = 'planned' and (lane is null or has_lane) and pool is not null and parent_run_id is not null`,
);
const LIVE = sql.raw(`state in ('planned', 'queued', 'running')`);
const ADMITTED = sql.raw(`state in ('queued', 'running')`);
const DUE = sql.raw(`(start_after is null or start_after <= clock_timestamp())`);

/** Makes all admissions happen one after another, until the transaction ends. */
export async function lockAdmission(tx: Transaction): Promise<void> {
  await sql`select 1 from admission for update`.execute(tx);
}

/** All lanes in which somebody waits: from one to the next, whatever the number of those who wait. */
const WAITED_FOR = sql`
  lane_walk as (
    (select lane from run where ${IN_LANE} order by lane limit 1)
    union all
    select (select lane from run where ${IN_LANE} and run.lane > lane_walk.lane order by lane limit 1)
    from lane_walk where lane_walk.lane is not null
  ), wanted as (select lane from lane_walk where lane is not null)`;

/**
 * Gives free lanes to the run with the lowest number of those that wait and are due. Without `lanes`, looks at all.
 * Answers how many were given. A run that somebody has locked (to cancel it) is left for the next time.
 */
export async function takeLanes(
  tx: Transaction,
  order: { lanes: readonly string[] | undefined; limit: number },
): Promise<number> {
  const wanted = order.lanes
    ? sql`wanted as (select distinct lane from unnest(${order.lanes}::text[]) as named (lane))`
    : WAITED_FOR;
  const { rows } = await sql`
    with recursive ${wanted}, turn as materialized (
      select (select id from run where run.lane = wanted.lane and ${IN_LANE} and ${DUE} order by number limit 1) as id
      from wanted
      where not exists (
        select 1 from run where run.lane = wanted.lane and lane is not null and has_lane and ${LIVE})
      limit ${order.limit}
    ), chosen as (
      select id from run where id in (select id from turn) and ${IN_LANE} order by id for no key update skip locked
    )
    update run set has_lane = true from chosen where run.id = chosen.id returning 1`.execute(tx);
  return rows.length;
}

/**
 * Queues runs that have what they wait for: no pool; a pool with room, by their numbers; or a parent that has no run in
 * the pool. How many a pool takes is said by the first of its line. A child whose parent is to end is not begun any more.
 * Answers the runs and the tasks of their first phase.
 */
export async function admitReadyRuns(
  tx: Transaction,
  limit: number,
): Promise<{ runs: readonly RunRow[]; queued: readonly QueuedTask[] }> {
  const { rows } = await sql<{ runs: RunRow[] | null; queued: QueuedTask[] | null }>`
    with recursive pool_walk as (
      (select pool from run where ${READY} and pool is not null order by pool limit 1)
      union all
      select (select pool from run where ${READY} and run.pool > pool_walk.pool order by pool limit 1)
      from pool_walk where pool_walk.pool is not null
    ), parent_walk as (
      (select pool, parent_run_id from run where ${READY_CHILD} order by pool, parent_run_id limit 1)
      union all
      select next.pool, next.parent_run_id from parent_walk cross join lateral (
        select pool, parent_run_id from run
        where ${READY_CHILD} and (run.pool, run.parent_run_id) > (parent_walk.pool, parent_walk.parent_run_id)
        order by pool, parent_run_id limit 1) next
    ), regular as materialized (
      select taken.* from pool_walk
      cross join lateral (
        select pool_limit - (select count(*) from run where run.pool = pool_walk.pool and ${ADMITTED}) as room
        from run where ${READY} and run.pool = pool_walk.pool and ${DUE} order by number limit 1) free
      cross join lateral (
        select id, pool, parent_run_id from run where ${READY} and run.pool = pool_walk.pool and ${DUE}
        order by number limit least(greatest(free.room, 0), ${limit})) taken
    ), rescued as materialized (
      select (select id from run where ${READY_CHILD} and run.pool = parent_walk.pool
          and run.parent_run_id = parent_walk.parent_run_id and ${DUE} order by number limit 1) as id
      from parent_walk
      where not exists (select 1 from run where run.parent_run_id = parent_walk.parent_run_id
          and run.pool = parent_walk.pool and parent_run_id is not null and ${LIVE} and ${ADMITTED})
        and not exists (select 1 from regular where regular.parent_run_id = parent_walk.parent_run_id
          and regular.pool = parent_walk.pool)
      limit ${limit}
    ), unpooled as materialized (
      select id from run where ${READY} and pool is null and ${DUE} order by number limit ${limit}
    ), chosen as materialized (
      select id from run
      where id in (select id from unpooled union all select id from regular union all select id from rescued)
        and ${READY} and not exists (
          select 1 from run parent where parent.id = run.parent_run_id and parent.cancel_requested_at is not null)
      order by id for no key update skip locked
    ), queued as (
      update task set state = ${taskStateAfter('queue')}, queued_at = clock_timestamp(), job_id = gen_random_uuid()
      from chosen join run on run.id = chosen.id
      where task.run_id = run.id and task.phase = run.phase and task.state = 'planned'
      returning task.*
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
