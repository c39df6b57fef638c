import type { CursorBound, CursorValues, LoadPlan } from '../../../connectors/kit/index.ts';
import { trackBoundary } from './boundary.ts';
import type { BoundaryTracker } from './boundary.ts';
import { isIdentityChanged } from './checkpoint.ts';
import type { LoadProgress, SyncCheckpoint } from './checkpoint.ts';
import type { StreamWork } from './context.ts';
import { followParts } from './follow-parts.ts';
import { followCursor } from './follow.ts';
import { beginLoad, continuable, isStillTrue, loadChunks, planLoad } from './load.ts';
import type { TableTotals } from './reconcile.ts';
import { countEarlier } from './refresh.ts';

/** The first run loads what lies up to the cursor's present end; later runs read from where the last one ended. */
export async function syncIncrementally(work: StreamWork): Promise<TableTotals> {
  const { ledger, stream } = work;
  const last = ledger.last?.mode === 'incremental' ? ledger.last : undefined;
  const sameCursor =
    last?.cursor?.column === stream.cursor!.column && last?.cursor?.fallback === stream.cursor!.fallback;
  if (!last || !sameCursor || last.load) return loadFirst(work);
  // Without a key, each version of a row is a row of its own in any case.
  if (stream.selection.primaryKey.length > 0 && isIdentityChanged(stream, last)) {
    work.tools.warn(`${stream.id}: its primary key has changed at the source; it is loaded again`);
    return loadFirst(work);
  }
  return last.boundary?.parts && work.tools.source.partsAt ? followParts(work, last) : followCursor(work, last);
}

async function loadFirst(work: StreamWork): Promise<TableTotals> {
  const { tools, stream, ledger } = work;
  const plan = await planLoad(work);
  work.progress.estimatedRows = plan.estimatedRows;
  const last = ledger.last;
  const going = await continueLoad(work, plan);
  if (going && last?.run === tools.work.run) countEarlier(work, going);
  if (!going) await work.table.discardStaged();
  const cursor = stream.cursor!;
  const values = going?.upTo ?? (await tools.source.maxCursor(stream.selection, cursor));
  const earlier = going ? last?.boundary : undefined;
  const parts = earlier ? earlier.parts : await partsAt(work, values);
  const upTo: CursorBound = { cursor, values, ...(parts ? { parts } : {}) };
  const boundary = parts
    ? undefined
    : trackBoundary(stream.selection, cursor, { values, boundary: earlier, adds: true });
  const details = (): Partial<SyncCheckpoint> => describe(upTo, boundary);
  const start: LoadProgress = going ?? { ...beginLoad(work, plan, chooseEffect(work)), upTo: values };
  const load = await loadChunks(work, { start, upTo, boundary, details });
  tools.io.world.reach('sync.load-read');
  const { inserted, updated } = work.progress;
  const ended = await finishLoad(work, load, () => ({ ...details(), written: { inserted, updated } }));
  const sourceRows = await tools.source.countRows(stream.selection, { upTo, signal: tools.signal });
  const exact = load.effect !== 'upsert' && !going;
  return { sourceRows, tableRows: ended, leftOut: load.quarantined, exact };
}

/** The parts that a load up to these values brings at the last of them; undefined for sources without parts. */
async function partsAt(
  { tools, stream }: StreamWork,
  { primary }: CursorValues,
): Promise<readonly string[] | undefined> {
  if (!tools.source.partsAt) return undefined;
  if (primary === null) return [];
  return tools.source.partsAt(stream.selection, { cursor: stream.cursor!, value: primary });
}

/** The unfinished load, if it can go on. A staged one must show one state of the source. */
async function continueLoad(work: StreamWork, plan: LoadPlan): Promise<LoadProgress | undefined> {
  const load = continuable(work, work.ledger.last, plan);
  // Parts do not move between chunks: what changed since lies beyond the bound, and is read after the load.
  if (!load || work.stream.appendMode || work.ledger.last?.boundary?.parts) return load;
  if (load.effect === 'stage') return (await isStillTrue(work, load)) ? load : undefined;
  // A row may have moved from a chunk that was read into one that was not: only its later version may stay.
  return { ...load, effect: 'upsert' };
}

/** One more commit says that the load is complete; for a staged one it is the commit that shows the rows. */
export async function finishLoad(
  work: StreamWork,
  load: LoadProgress,
  details: () => Partial<SyncCheckpoint>,
): Promise<number> {
  const durable = await work.ledger.commit(details, (checkpoint) =>
    load.effect === 'stage'
      ? work.table.publishStaged(checkpoint)
      : work.table.beginUnit().commit('append', checkpoint),
  );
  work.tools.io.world.reach('sync.published');
  return durable.tableRows;
}

/** How the chunks of a first load become visible: as they come where the table is empty. */
export function chooseEffect(work: StreamWork): LoadProgress['effect'] {
  const { table, ledger, stream, tools } = work;
  if (table.rows === 0) return 'append';
  // Rows of an earlier mode, cursor or unfinished load of ours: replaced as a whole once everything is read.
  if (ledger.last) return 'stage';
  tools.warn(`${stream.id}: the table holds ${table.rows} rows that this job did not write; they stay`);
  return stream.appendMode ? 'append' : 'upsert';
}

function describe(
  { cursor, values, parts }: CursorBound,
  tracker: BoundaryTracker | undefined,
): Partial<SyncCheckpoint> {
  return {
    cursor: { ...cursor, values },
    boundary: tracker?.boundary ?? { primary: [], fallback: [], parts: parts ?? [] },
  };
}
