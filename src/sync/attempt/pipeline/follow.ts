import type { CommitUnit, CursorBound, Durable } from '../../../connectors/kit/index.ts';
import type { ColumnBatch } from '../../../columns/index.ts';
import { createDecorator, keepRows } from '../decorate/index.ts';
import { trackBoundary } from './boundary.ts';
import type { SyncCheckpoint } from './checkpoint.ts';
import type { StreamWork } from './context.ts';
import { BATCH, refuse, writeBatch } from './load.ts';
import type { TableTotals } from './reconcile.ts';

/** A commit unit of a follow-up read ends at either. */
const UNIT_BYTES = 256 * 1024 * 1024;
const UNIT_MS = 60_000;

/** Reads from the stored cursor value on, leaves out what is written already, and commits in units. */
export async function followCursor(work: StreamWork, last: SyncCheckpoint): Promise<TableTotals> {
  const { tools, stream } = work;
  const { cursor: stored } = last;
  if (last.run === tools.work.run) countWritten(work, last);
  const cursor = stream.cursor!;
  const upTo: CursorBound = { cursor, values: await tools.source.maxCursor(stream.selection, cursor) };
  const start = { values: stored!.values, boundary: last.boundary };
  if (start.boundary?.overflow === true) {
    tools.warn(
      `${stream.id}: more rows share the last cursor value than can be remembered; later ones there are missed`,
    );
  }
  const written = trackBoundary(stream.selection, cursor, start);
  const tracker = trackBoundary(stream.selection, cursor, start);
  const decorator = createDecorator(stream, { operation: 'u', world: tools.io.world });
  const units = createUnits(work, {
    // Without a key equal rows are rows of their own, and none replaces another.
    effect: stream.appendMode || stream.selection.primaryKey.length === 0 ? 'append' : 'upsert',
    details: () => ({ cursor: { ...cursor, values: tracker.values }, boundary: tracker.boundary }),
  });
  const sink = async (batch: ColumnBatch): Promise<void> => {
    const kept = keepRows(batch, written.markNew(batch, decorator.identify(batch)));
    await writeBatch(work, units.open(), { batch: kept, decorator });
    tracker.advance(batch, decorator.identify(batch));
    await units.commitWhenFull();
  };
  const { selection } = stream;
  try {
    await tools.reading(() =>
      tools.source.readAfter(selection, {
        ...BATCH,
        cursor,
        after: start.values,
        upTo: upTo.values,
        signal: tools.signal,
        sink,
        refuse: (row) => refuse(work, row),
      }),
    );
    tools.io.world.reach('sync.unit-read');
    await units.commit();
  } finally {
    await units.abort();
  }
  return endFollowing(work, units, upTo);
}

/** What a follow-up read comes to. */
export async function endFollowing(work: StreamWork, units: Units, upTo: CursorBound): Promise<TableTotals> {
  const { tools, stream, table, progress } = work;
  if (units.committed === undefined) {
    tools.io.log({ level: 'info', message: `${stream.id}: nothing new` });
    return { sourceRows: null, tableRows: table.rows, leftOut: 0, exact: false, note: 'nothing new was read' };
  }
  tools.io.log({ level: 'info', message: `${stream.id}: ${progress.updated} rows written` });
  const sourceRows = await tools.source.countRows(stream.selection, { upTo, signal: tools.signal });
  return { sourceRows, tableRows: units.committed.tableRows, leftOut: 0, exact: false };
}

/** Rows that an earlier attempt of this same run committed count for the run. */
export function countWritten({ progress, tools }: StreamWork, { written }: SyncCheckpoint): void {
  if (!written) return;
  progress.rows += written.inserted + written.updated;
  progress.inserted += written.inserted;
  progress.updated += written.updated;
  tools.meter.committed(written.inserted + written.updated);
}

export interface Units {
  readonly committed: Durable | undefined;
  open(): CommitUnit;
  commitWhenFull(): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface UnitPlan {
  readonly effect: 'append' | 'upsert';
  /** What the checkpoint of a commit says of the place that was reached. */
  details(): Partial<SyncCheckpoint>;
}

export function createUnits(work: StreamWork, { effect, details }: UnitPlan): Units {
  const { tools, table, progress } = work;
  let unit: CommitUnit | undefined;
  let begun = 0;
  let committed: Durable | undefined;
  const commit = async (): Promise<void> => {
    if (!unit || unit.rows === 0) return;
    const full = unit;
    const { rows } = full;
    const written = { inserted: progress.inserted, updated: progress.updated + rows };
    committed = await work.ledger.commit(
      () => ({ ...details(), written }),
      (checkpoint) => full.commit(effect, checkpoint),
    );
    unit = undefined;
    progress.updated += rows;
    tools.meter.committed(rows);
  };
  return {
    get committed() {
      return committed;
    },
    open() {
      if (!unit) begun = tools.io.world.elapsed();
      unit ??= table.beginUnit();
      return unit;
    },
    async commitWhenFull() {
      if (unit && (unit.bytes >= UNIT_BYTES || tools.io.world.elapsed() - begun >= UNIT_MS)) await commit();
    },
    commit,
    async abort() {
      await unit?.abort();
    },
  };
}
