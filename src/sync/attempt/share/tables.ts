import { sql } from 'kysely';
import type { Queryable, Transaction } from '../../../store/index.ts';
import type { ChunkProgress, Claim, ElsewhereChunk, HandOver, LoadView, SealedChunk, SharedSpec } from './types.ts';

/** An attempt of a task, as engine tables know it. */
export interface Holder {
  readonly runId: string;
  readonly taskId: string;
  readonly fence: number;
}

/** The attempt of the row `x` (columns task_id, fence) is under way. */
const isHeld = (x: string) =>
  sql`exists (select 1 from task where task.id = ${sql.ref(`${x}.task_id`)}
    and task.fence = ${sql.ref(`${x}.fence`)} and task.state = 'running')`;

/** Begins a load; those that earlier attempts of the same task began go. */
export async function insertLoad(
  tx: Transaction,
  holder: Holder,
  load: { id: string; spec: SharedSpec; chunks: readonly unknown[] },
): Promise<void> {
  await sql`delete from shared_load
    where run_id = ${holder.runId} and task_id = ${holder.taskId} and fence <> ${holder.fence}`.execute(tx);
  await sql`insert into shared_load (id, run_id, task_id, fence, spec)
    values (${load.id}, ${holder.runId}, ${holder.taskId}, ${holder.fence}, ${JSON.stringify(load.spec)}::json)
  `.execute(tx);
  await sql`insert into shared_chunk (load_id, number, chunk)
    select ${load.id}, (ordinality - 1)::integer, value
    from json_array_elements(${JSON.stringify(load.chunks)}::json) with ordinality`.execute(tx);
}

/**
 * Takes a chunk that nobody reads, of a live load of the run: of `load` alone, or first of it. A chunk whose reader's
 * attempt is over counts as one that nobody reads. The spec comes with a load other than `load`.
 */
export async function claimChunk(
  tx: Transaction,
  holder: Holder,
  want: { load: string | null; isOnly: boolean },
): Promise<Claim | undefined> {
  const { rows } = await sql<{ load: string; number: number; chunk: unknown; spec: SharedSpec | null }>`
    with free as (
      select c.load_id, c.number, case when l.id is distinct from ${want.load} then l.spec end as spec
      from shared_chunk c join shared_load l on l.id = c.load_id
      where l.run_id = ${holder.runId} and ${isHeld('l')}
        and (not ${want.isOnly}::boolean or l.id = ${want.load})
        and (c.state = 'open' or (c.state = 'claimed' and not ${isHeld('c')}))
      order by (l.id is not distinct from ${want.load}) desc, c.load_id, c.number
      limit 1 for update of c skip locked
    )
    update shared_chunk c set state = 'claimed', task_id = ${holder.taskId}, fence = ${holder.fence}, progress = null
    from free where c.load_id = free.load_id and c.number = free.number
    returning c.load_id as load, c.number, c.chunk, free.spec`.execute(tx);
  const row = rows[0];
  return row && { load: row.load, number: row.number, chunk: row.chunk, ...(row.spec ? { spec: row.spec } : {}) };
}

/** Whether this attempt still holds the claim of a live load; notes how far it is. */
export async function noteProgress(
  db: Queryable,
  holder: Holder,
  chunk: { load: string; number: number; progress: ChunkProgress },
): Promise<boolean> {
  const { rows } = await sql`
    update shared_chunk c set progress = ${JSON.stringify(chunk.progress)}::json
    from shared_load l
    where c.load_id = ${chunk.load} and c.number = ${chunk.number} and c.state = 'claimed'
      and c.task_id = ${holder.taskId} and c.fence = ${holder.fence} and l.id = c.load_id and ${isHeld('l')}
    returning 1`.execute(db);
  return rows.length > 0;
}

/** Hands a chunk over to the committer; false when the claim or the load is over. */
export async function sealChunk(
  tx: Transaction,
  holder: Holder,
  chunk: { load: string; number: number; handOver: HandOver; progress: ChunkProgress | undefined },
): Promise<boolean> {
  const { rows } = await sql`
    update shared_chunk c set state = 'sealed', sealed = ${JSON.stringify(chunk.handOver)}::json,
      progress = ${chunk.progress === undefined ? null : JSON.stringify(chunk.progress)}::json
    from shared_load l
    where c.load_id = ${chunk.load} and c.number = ${chunk.number} and c.state = 'claimed'
      and c.task_id = ${holder.taskId} and c.fence = ${holder.fence} and l.id = c.load_id and ${isHeld('l')}
    returning 1`.execute(tx);
  return rows.length > 0;
}

/** Gives a claimed chunk back, so that others read it. */
export async function releaseChunk(
  tx: Transaction,
  holder: Holder,
  chunk: { load: string; number: number },
): Promise<void> {
  await sql`update shared_chunk set state = 'open', task_id = null, fence = null, progress = null
    where load_id = ${chunk.load} and number = ${chunk.number} and state = 'claimed'
      and task_id = ${holder.taskId} and fence = ${holder.fence}`.execute(tx);
}

/** Whether the load is under way: not complete, and its committer lives as far as is known. */
export async function isLive(db: Queryable, load: string): Promise<boolean> {
  const { rows } = await sql`select 1 from shared_load l where l.id = ${load} and ${isHeld('l')}`.execute(db);
  return rows.length > 0;
}

/** The load as its committer sees it, with at most `most` sealed chunks. */
export async function viewLoad(
  tx: Transaction,
  holder: Holder,
  want: { load: string; most: number },
): Promise<LoadView> {
  const counts = await sql<{ remaining: number; open: number; readers: number }>`
    select count(*) filter (where c.load_id = ${want.load})::integer as remaining,
      count(*) filter (where c.load_id = ${want.load}
        and (c.state = 'open' or (c.state = 'claimed' and not ${isHeld('c')})))::integer as open,
      count(distinct c.task_id) filter (where c.state = 'claimed' and c.task_id <> ${holder.taskId}
        and ${isHeld('c')})::integer as readers
    from shared_chunk c join shared_load l on l.id = c.load_id
    where l.run_id = ${holder.runId} and l.task_id = ${holder.taskId} and l.fence = ${holder.fence}`.execute(tx);
  const sealed = await sql<SealedChunk>`
    select number, sealed as "handOver" from shared_chunk where load_id = ${want.load} and state = 'sealed'
    order by number limit ${want.most}`.execute(tx);
  const elsewhere = await sql<ElsewhereChunk>`
    select number, state = 'claimed' as "isBeingRead", progress from shared_chunk c
    where load_id = ${want.load} and progress is not null and (state = 'sealed' or ${isHeld('c')})`.execute(tx);
  const [{ remaining, open, readers } = { remaining: 0, open: 0, readers: 0 }] = counts.rows;
  return { remaining, open, readers, sealed: sealed.rows, elsewhere: elsewhere.rows };
}

/** Forgets a chunk that is committed. */
export async function removeChunk(tx: Transaction, chunk: { load: string; number: number }): Promise<void> {
  await sql`delete from shared_chunk where load_id = ${chunk.load} and number = ${chunk.number}`.execute(tx);
}

export async function removeLoad(tx: Transaction, load: string): Promise<void> {
  await sql`delete from shared_load where id = ${load}`.execute(tx);
}

/** Forgets all loads of a run, for one that has ended. */
export async function removeLoadsOfRun(tx: Transaction, runId: string): Promise<void> {
  await sql`delete from shared_load where run_id = ${runId}`.execute(tx);
}

/** Forgets the loads that this attempt began. */
export async function removeLoadsOf(tx: Transaction, holder: Holder): Promise<void> {
  await sql`delete from shared_load
    where run_id = ${holder.runId} and task_id = ${holder.taskId} and fence = ${holder.fence}`.execute(tx);
}
