import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { keepPlan } from '../../store/index.ts';
import type { Queryable } from '../../store/index.ts';
import { runStateAfter, runStatesBefore, taskStateAfter, taskStatesBefore } from '../state.ts';
import type { EndedTask, Owner } from './finish.ts';
import type { NewLines } from './log.ts';
import { toJson } from './rows.ts';
import type { RunRow } from './rows.ts';

/** A task that did its work, and lines of its log that are stored with its end. */
export interface WorkEnd extends Owner {
  readonly outcome: 'succeeded' | 'warned';
  readonly output: unknown;
  readonly warnings: number;
  readonly lines: NewLines | undefined;
}

export interface EndedTasks extends EndedTask {
  readonly taskIds: readonly string[];
  /** False when the log was too full for their lines, or there were none. */
  readonly isLogged: boolean;
}

export interface EndingTasks {
  /** All of the same run. */
  readonly ends: readonly WorkEnd[];
  /** Largest log of the run. */
  readonly limitBytes: number;
  /** Nothing is done when the phase could end with these: for a statement that is a transaction of its own. */
  readonly isPhaseToGoOn: boolean;
}

/**
 * As `endTask`, for tasks of one run that did their work. Tasks that somebody newer owns are not in the answer, and
 * nothing of them is written; undefined when no task is left.
 */
export async function endTasks(
  db: Queryable,
  { ends, limitBytes, isPhaseToGoOn }: EndingTasks,
): Promise<EndedTasks | undefined> {
  const taskIds = ends.map(({ taskId }) => taskId);
  const states = ends.map(({ outcome }) => taskStateAfter(outcome === 'warned' ? 'warn' : 'succeed'));
  const open = isPhaseToGoOn ? ends.length : 0;
  const { rows } = await sql<EndedTasks>`${keepPlan}
    with given as materialized (
      select * from unnest(${taskIds}::text[], ${ends.map(({ fence }) => fence)}::bigint[], ${states}::text[],
        ${ends.map(({ outcome }) => outcome)}::text[], ${ends.map(({ output }) => toJson(output))}::text[],
        ${ends.map(({ warnings }) => warnings)}::integer[], ${contentsOf(ends)}::text[], ${bytesOf(ends)}::bigint[],
        ${visibleOf(ends)}::integer[])
        with ordinality as x (task_id, fence, state, outcome, output, warnings, content, bytes, visible, place)
    ), locked as (
      select id from run where id = ${ends[0]!.runId} and open_tasks > ${open} for no key update
    ), ended as (
      update task set state = given.state, output = given.output::json, error = null, losses = 0, ended_at = now()
      from locked, given
      where task.id = any(${taskIds}) and task.id = given.task_id and task.run_id = locked.id
        and task.fence = given.fence and task.state = any(${taskStatesBefore('succeed')})
      returning task.run_id, task.id, task.attempt, given.outcome, given.warnings, given.content, given.bytes,
        given.visible, given.place
    ), closed as (
      update attempt set ended_at = now(), outcome = ended.outcome, error = null, lease_until = null, deadline_at = null
      from ended where attempt.task_id = ended.id and attempt.number = ended.attempt
    ), counted as (
      update run set open_tasks = run.open_tasks - total.size, warnings = run.warnings + total.warnings,
        has_warned = run.has_warned or total.has_warned
      from (
        select run_id, count(*)::integer as size, sum(warnings)::integer as warnings,
          bool_or(outcome = 'warned') as has_warned
        from ended group by run_id) total
      where run.id = total.run_id
      returning run.*
    ), lines as (
      select run_id, string_agg(content, '' order by place) as content, sum(bytes)::bigint as bytes,
        sum(visible)::integer as visible
      from ended where content is not null group by run_id
    ), ${logged('lines', limitBytes)}
    select (select json_agg(id) from ended) as "taskIds", row_to_json(counted) as run,
      exists (select 1 from head) as "isLogged", case
      when counted.open_tasks = 0 then exists (
        select 1 from task where task.run_id = counted.id and task.state = 'planned') end as "hasNextPhase"
    from counted`.execute(db);
  return rows[0];
}

/** The end of the last task of a run. */
export type LastEnd = Omit<WorkEnd, 'outcome' | 'warnings'>;

export interface EndedRun {
  readonly run: RunRow;
  /** False when the log was too full for the lines, or there were none. */
  readonly isLogged: boolean;
}

/**
 * Ends the last tasks of runs and the runs with them, all as succeeded, in a statement that is a transaction of its own.
 * Answers the runs by their ids. Of one that is not among them nothing is written, because that is not all there is to
 * it: then `endTasks` finds out what is.
 */
export async function endLastTasks(
  db: Queryable,
  ends: readonly LastEnd[],
  limitBytes: number,
): Promise<ReadonlyMap<string, EndedRun>> {
  const runIds = ends.map(({ runId }) => runId);
  const taskIds = ends.map(({ taskId }) => taskId);
  const { rows } = await sql<EndedRun>`${keepPlan}
    with given as materialized (
      select * from unnest(${runIds}::text[], ${taskIds}::text[], ${ends.map(({ fence }) => fence)}::bigint[],
        ${ends.map(({ output }) => toJson(output))}::text[], ${contentsOf(ends)}::text[], ${bytesOf(ends)}::bigint[],
        ${visibleOf(ends)}::integer[]) as x (run_id, task_id, fence, output, content, bytes, visible)
    ), locked as materialized (
      select id from run where id = any(${runIds}) and open_tasks = 1 and cancel_requested_at is null
        and not (has_failed or has_cancelled or has_warned) and state = any(${runStatesBefore('claim')})
        and not exists (select 1 from task where run_id = run.id and task.state = 'planned')
      order by id for no key update
    ), ended as (
      update task set state = ${taskStateAfter('succeed')}, output = given.output::json, error = null, losses = 0,
        ended_at = now()
      from locked join given on given.run_id = locked.id
      where task.id = any(${taskIds}) and task.id = given.task_id and task.run_id = locked.id
        and task.fence = given.fence and task.state = any(${taskStatesBefore('succeed')})
      returning task.run_id, task.id, task.attempt, given.content, given.bytes, given.visible
    ), closed as (
      update attempt set ended_at = now(), outcome = 'succeeded', lease_until = null, deadline_at = null
      from ended where attempt.task_id = ended.id and attempt.number = ended.attempt
    ), freed as (
      delete from admission_line using ended where admission_line.run_id = ended.run_id
    ), over as (
      update run set state = ${runStateAfter('succeed')}, ended_at = now(), open_tasks = 0
      from ended where run.id = ended.run_id
      returning run.*
    ), ${logged('ended', limitBytes)}
    select row_to_json(over) as run, head.run_id is not null as "isLogged"
    from over left join head on head.run_id = over.id`.execute(db);
  return new Map(rows.map((row) => [row.run.id, row]));
}

type WithLines = Pick<WorkEnd, 'lines'>;

const contentsOf = (ends: readonly WithLines[]) => ends.map(({ lines }) => lines?.content ?? null);
const bytesOf = (ends: readonly WithLines[]) => ends.map(({ lines }) => lines?.bytes ?? 0);
const visibleOf = (ends: readonly WithLines[]) => ends.map(({ lines }) => lines?.visible ?? 0);

/** As `appendLines`, of what another part of the statement names, a row for each run. */
function logged(source: 'ended' | 'lines', limitBytes: number): RawBuilder<unknown> {
  const from = sql.raw(source);
  return sql`head as (
      insert into log_head (run_id, next_offset)
      select run_id, bytes from ${from} where content is not null and bytes <= ${limitBytes}::bigint order by run_id
      on conflict (run_id) do update set next_offset = log_head.next_offset + excluded.next_offset
        where not log_head.is_full and log_head.next_offset + excluded.next_offset <= ${limitBytes}::bigint
      returning run_id, next_offset
    ), logged as (
      insert into log_chunk (run_id, start_offset, end_offset, visible_lines, content)
      select run_id, next_offset - bytes, next_offset, visible, content from head join ${from} using (run_id)
    )`;
}
