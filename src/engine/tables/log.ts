import { sql } from 'kysely';
import { keepPlan } from '../../store/index.ts';
import type { Queryable } from '../../store/index.ts';

export interface LogChunk {
  readonly start: number;
  readonly end: number;
  readonly visible: number;
  readonly content: string;
}

export interface NewLines {
  readonly runId: string;
  readonly content: string;
  readonly bytes: number;
  readonly visible: number;
}

/**
 * Appends whole lines to the logs of runs, each of which is given once; the head rows put writers in order. Answers the
 * runs whose log took them: those of others would go over its limit.
 */
export async function appendLines(
  db: Queryable,
  batches: readonly NewLines[],
  limitBytes: number,
): Promise<ReadonlySet<string>> {
  const column = <K extends keyof NewLines>(name: K): NewLines[K][] => batches.map((batch) => batch[name]);
  const { rows } = await sql<{ runId: string }>`${keepPlan}
    with given as materialized (
      select * from unnest(${column('runId')}::text[], ${column('bytes')}::bigint[], ${column('visible')}::integer[],
        ${column('content')}::text[]) with ordinality as x (run_id, bytes, visible, content, place)
    ), head as (
      insert into log_head (run_id, next_offset)
      select run_id, bytes from given where bytes <= ${limitBytes}::bigint order by place
      on conflict (run_id) do update set next_offset = log_head.next_offset + excluded.next_offset
        where not log_head.is_full and log_head.next_offset + excluded.next_offset <= ${limitBytes}::bigint
      returning run_id, next_offset
    )
    insert into log_chunk (run_id, start_offset, end_offset, visible_lines, content)
    select run_id, next_offset - bytes, next_offset, visible, content from head join given using (run_id)
    returning run_id as "runId"`.execute(db);
  return new Set(rows.map(({ runId }) => runId));
}

/** Writes the last line of a log that is full, once. */
export async function closeLog(db: Queryable, line: NewLines): Promise<void> {
  await sql`
    with head as (
      insert into log_head (run_id, next_offset, is_full) values (${line.runId}, ${line.bytes}, true)
      on conflict (run_id) do update set next_offset = log_head.next_offset + excluded.next_offset, is_full = true
        where not log_head.is_full
      returning next_offset
    )
    insert into log_chunk (run_id, start_offset, end_offset, visible_lines, content)
    select ${line.runId}, next_offset - ${line.bytes}::bigint, next_offset, ${line.visible}, ${line.content}
    from head`.execute(db);
}

/** Where the log of a run ends, in bytes; undefined when there is no such run. */
export async function readLogEnd(
  db: Queryable,
  runId: string,
): Promise<{ end: number; isTerminal: boolean } | undefined> {
  const { rows } = await sql<{ end: number; isTerminal: boolean }>`
    select coalesce(log_head.next_offset, 0)::float8 as "end", run.ended_at is not null as "isTerminal"
    from run left join log_head on log_head.run_id = run.id where run.id = ${runId}`.execute(db);
  return rows[0];
}

export interface ChunkQuery {
  readonly runId: string;
  readonly cursor: number;
  /** Chunks without a visible line are left out. */
  readonly onlyVisible: boolean;
  readonly count: number;
}

/** Chunks that hold bytes before the cursor, the latest first. */
export async function readChunksBefore(db: Queryable, query: ChunkQuery): Promise<readonly LogChunk[]> {
  const { rows } = await sql<LogChunk>`
    select start_offset::float8 as start, end_offset::float8 as "end", visible_lines as visible, content
    from log_chunk
    where run_id = ${query.runId} and start_offset < ${query.cursor}
      and (visible_lines > 0 or not ${query.onlyVisible}::boolean)
    order by start_offset desc limit ${query.count}`.execute(db);
  return rows;
}

/** Chunks that hold bytes at or after the cursor, the earliest first. */
export async function readChunksAfter(db: Queryable, query: ChunkQuery): Promise<readonly LogChunk[]> {
  // The chunk that holds the cursor itself is the last that starts at or before it.
  const { rows } = await sql<LogChunk>`
    select start_offset::float8 as start, end_offset::float8 as "end", visible_lines as visible, content
    from log_chunk
    where run_id = ${query.runId} and end_offset > ${query.cursor}
      and start_offset >= coalesce((select max(start_offset) from log_chunk
        where run_id = ${query.runId} and start_offset <= ${query.cursor}), 0)
      and (visible_lines > 0 or not ${query.onlyVisible}::boolean)
    order by start_offset limit ${query.count}`.execute(db);
  return rows;
}
