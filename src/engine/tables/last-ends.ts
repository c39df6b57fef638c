import { sql } from 'kysely';
import { keepPlan } from '../../store/index.ts';
import type { Queryable } from '../../store/index.ts';
import { runStateAfter, runStatesBefore, taskStateAfter, taskStatesBefore } from '../state.ts';
import type { Owner } from './finish.ts';
import type { NewLines } from './log.ts';
import { toJson } from './rows.ts';
import type { RunRow } from './rows.ts';

/** The end of the last task of a run, and the last lines of its log. */
export interface LastEnd extends Owner {
  readonly output: unknown;
  readonly lines: NewLines | undefined;
}

export interface EndedRun {
  readonly run: RunRow;
  /** False when the log was too full for the lines. */
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
  const { rows } = await sql<EndedRun>`${keepPlan}
    with given as materialized (
      select * from unnest(${runIds}::text[], ${ends.map(({ taskId }) => taskId)}::text[],
        ${ends.map(({ fence }) => fence)}::bigint[], ${ends.map(({ output }) => toJson(output))}::text[],
        ${ends.map(({ lines }) => lines?.content ?? null)}::text[], ${ends.map(({ lines }) => lines?.bytes ?? 0)}::bigint[],
        ${ends.map(({ lines }) => lines?.visible ?? 0)}::integer[])
        as x (run_id, task_id, fence, output, content, bytes, visible)
    ), locked as materialized (
      select id from run where id = any(${runIds}) and open_tasks = 1 and cancel_requested_at is null
        and not (has_failed or has_cancelled or has_warned) and state = any(${runStatesBefore('claim')})
        and not exists (select 1 from task where run_id = run.id and task.state = 'planned')
      order by id for no key update
    ), ended as (
      update task set state = ${taskStateAfter('succeed')}, output = given.output::json, error = null, losses = 0,
        ended_at = now()
      from locked join given on given.run_id = locked.id
      where task.id = given.task_id and task.run_id = locked.id and task.fence = given.fence
        and task.state = any(${taskStatesBefore('succeed')})
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
    ), head as (
      insert into log_head (run_id, next_offset)
      select run_id, bytes from ended where content is not null and bytes <= ${limitBytes}::bigint order by run_id
      on conflict (run_id) do update set next_offset = log_head.next_offset + excluded.next_offset
        where not log_head.is_full and log_head.next_offset + excluded.next_offset <= ${limitBytes}::bigint
      returning run_id, next_offset
    ), logged as (
      insert into log_chunk (run_id, start_offset, end_offset, visible_lines, content)
      select run_id, next_offset - bytes, next_offset, visible, content from head join ended using (run_id)
    )
    select row_to_json(over) as run, head.run_id is not null as "isLogged"
    from over left join head on head.run_id = over.id`.execute(db);
  return new Map(rows.map((row) => [row.run.id, row]));
}
