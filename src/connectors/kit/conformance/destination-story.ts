import type { DestinationSession, DestinationTable } from '../index.ts';
import type { ConformanceRow } from './destination-rows.ts';
import { batchOf, checkpointOf, conformanceTable, rowsFrom } from './destination-rows.ts';

/** One commit of a story, and the rows that readers see once it is made. */
interface Step {
  readonly effect: 'append' | 'stage' | 'publish';
  readonly rows: readonly ConformanceRow[];
  readonly visible: readonly ConformanceRow[];
}

const [a, b, c, d, e] = [0, 10, 20, 30, 40].map((first) => rowsFrom(first, 7, 'story')) as [
  ConformanceRow[],
  ConformanceRow[],
  ConformanceRow[],
  ConformanceRow[],
  ConformanceRow[],
];

/**
 * A life of a table that meets every part of the protocol: appends, a replacement prepared in two parts and published,
 * and an append afterwards. Step n is made under the checkpoint with seq n.
 */
export const story: readonly Step[] = [
  { effect: 'append', rows: a, visible: a },
  { effect: 'append', rows: b, visible: [...a, ...b] },
  { effect: 'stage', rows: c, visible: [...a, ...b] },
  { effect: 'stage', rows: d, visible: [...a, ...b] },
  { effect: 'publish', rows: [], visible: [...c, ...d] },
  { effect: 'append', rows: e, visible: [...c, ...d, ...e] },
];

/** What readers see when the table's checkpoint has this seq. */
export function visibleAfter(seq: number): readonly ConformanceRow[] {
  return seq === 0 ? [] : story[seq - 1]!.visible;
}

/** Goes on from the checkpoint that the table holds to the end of the story; every step opens the table anew. */
export async function tellStory(session: DestinationSession): Promise<void> {
  for (;;) {
    const table = await session.openTable(conformanceTable());
    const seq = table.checkpoint?.seq ?? 0;
    const step = story[seq];
    if (step !== undefined) await makeStep(table, step, seq + 1);
    await table.close();
    if (step === undefined) return;
  }
}

async function makeStep(table: DestinationTable, step: Step, seq: number): Promise<void> {
  const checkpoint = checkpointOf(seq);
  if (step.effect === 'publish') {
    await table.publishStaged(checkpoint);
    return;
  }
  const unit = table.beginUnit();
  const half = Math.ceil(step.rows.length / 2);
  await unit.write(batchOf(step.rows.slice(0, half)));
  await unit.write(batchOf(step.rows.slice(half)));
  await unit.commit(step.effect, checkpoint);
}
