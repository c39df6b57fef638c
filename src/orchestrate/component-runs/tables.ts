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

const MOST_BYTES = 32 * 1024 * 1024;
const LARGEST_VALUE = 2 * 1024 * 1024;

/** How large a value may be of which `count` are shown together, in bytes of JSON. */
export function shareOf(count: number): number {
  return Math.min(LARGEST_VALUE, Math.floor(MOST_BYTES / Math.max(1, count)));
}

/** Parameters and results of component runs, by the run. What is too large beside the others is left out, and says so. */
export async function readComponentRows(
  db: Queryable,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, ComponentRow>> {
  if (runIds.length === 0) return new Map();
  const largest = shareOf(runIds.length);
  const omitted = JSON.stringify({ message: 'This is too large to be shown in a list; ask for the run alone.' });
  const { rows } = await sql<ComponentRow>`
    select run_id as "runId",
      case when octet_length(input::text) <= ${largest}::bigint then input->'parameters'
        else '{}'::json end as parameters,
      case when state <> 'succeeded' then null
        when octet_length(output::text) <= ${largest}::bigint then output else ${omitted}::json end as result
    from task where run_id = any(${runIds}) and position = 0 and phase = 0`.execute(db);
  return new Map(rows.map((row) => [row.runId, row]));
}
