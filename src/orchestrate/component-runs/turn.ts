import { sql } from 'kysely';
import type { StartResult } from '../../engine/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';

/**
 * Says in the events of a run that was just started which run it waits for, where one of its lane comes first. Answers the
 * sentence; undefined when it waits for nobody, or was there already.
 */
export async function noteTurn(
  { engine }: Pick<OrchestrateRooms, 'engine'>,
  tx: Transaction,
  { started, lane }: { readonly started: StartResult; readonly lane: string | undefined },
): Promise<string | undefined> {
  if (lane === undefined || started.outcome !== 'started') return undefined;
  const { rows } = await sql<{ first: number | null; others: number }>`
    select min(number)::float8 as first, count(*)::int - 1 as others from (
      select number from admission_line where stage = 'lane' and lane = ${lane}
      union all
      select number from admission_line where stage <> 'lane' and lane = ${lane}
    ) line where number < ${started.number}`.execute(tx);
  const { first = null, others = 0 } = rows[0] ?? {};
  if (first === null) return undefined;
  const more = others > 0 ? ` and ${others} more` : '';
  const message = `waits for run ${first}${more}: one at a time works on the same`;
  await engine.note(tx, started.runId, { level: 'info', message: `Run ${started.number} ${message}` });
  return message;
}
