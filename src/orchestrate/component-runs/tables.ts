import { sql } from 'kysely';
import type { Parameters } from '../../components/kit/index.ts';
import type { Queryable } from '../../store/index.ts';

/** What the one task of a component run holds for people. */
export interface ComponentRow {
  readonly runId: string;
  readonly parameters: Parameters;
  /** Null until it has succeeded. */
  readonly result: unknown;
}

/** Of the parameters in one answer, and of the results; each largest that goes beyond is left out. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Parameters and results of component runs, by the run. When they are too large together, the largest are left out, and
 * say so; these are not read.
 */
export async function readComponentRows(
  db: Queryable,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, ComponentRow>> {
  if (runIds.length === 0) return new Map();
  const omitted = JSON.stringify({ message: 'This is too large to be shown in a list; ask for the run alone.' });
  const { rows } = await sql<ComponentRow>`
    with sized as (
      select run_id, state, input, output, sum(input_bytes) over (order by input_bytes, id) as inputs,
        sum(output_bytes) over (order by output_bytes, id) as outputs
      from task where run_id = any(${runIds}) and position = 0 and phase = 0
    )
    select run_id as "runId",
      case when inputs <= ${MOST_BYTES} then input->'parameters' else '{}'::json end as parameters,
      case when state <> 'succeeded' then null
        when outputs <= ${MOST_BYTES} then output else ${omitted}::json end as result
    from sized`.execute(db);
  return new Map(rows.map((row) => [row.runId, row]));
}
