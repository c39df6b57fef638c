import type { RunView } from '../../engine/index.ts';
import type { Reconciliation, StreamProgress, SyncProgress } from '../../sync/index.ts';

/** What is told of one stream. */
interface StreamResult {
  readonly name: string;
  readonly recordsRead: number;
  readonly recordsWritten: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly quarantined: number;
  readonly reconciliation: Reconciliation['verdict'] | null;
}

/** The result of a sync that went well; `taskId` is the id under which the job's own face knows the run. */
export function describeSync(run: RunView) {
  const progress = (run.progress ?? {}) as Partial<SyncProgress>;
  const streams = Object.entries(progress.streams ?? {}).map(([name, stream]) =>
    describeStream(name, stream, progress.reconciliation?.[name]),
  );
  return {
    taskId: run.id,
    recordsRead: progress.records ?? 0,
    recordsWritten: streams.reduce((sum, { recordsWritten }) => sum + recordsWritten, 0),
    bytes: progress.bytesRead ?? 0,
    warnings: run.warnings,
    streams,
  };
}

function describeStream(name: string, stream: StreamProgress, end: Reconciliation | undefined): StreamResult {
  const { rows, inserted, updated, deleted, quarantined } = stream;
  return {
    name,
    recordsRead: rows,
    recordsWritten: inserted + updated + deleted,
    inserted,
    updated,
    deleted,
    quarantined,
    reconciliation: end?.verdict ?? null,
  };
}
