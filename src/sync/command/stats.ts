import type { SyncProgress } from '../types.ts';

type StreamCounts = SyncProgress['streams'][string];

/** The statistics of a run in the words of `stats.json` (contract 5.7), and of the run's `stats`. */
export function describeStats(progress: Partial<SyncProgress>): Record<string, unknown> {
  const streams = Object.entries(progress.streams ?? {});
  const records = progress.records ?? 0;
  const seconds = progress.secondsElapsed ?? 0;
  return {
    'Writer Threads': progress.writerThreads ?? 0,
    'Synced Records': records,
    'Bytes Read': progress.bytesRead ?? 0,
    Speed: `${seconds > 0 ? Math.round(records / seconds) : 0} rps`,
    'Seconds Elapsed': seconds.toFixed(2),
    'Estimated Remaining Time': remainingText(Object.values(progress.streams ?? {}), seconds),
    'Memory Usage Bytes': progress.memoryBytes ?? 0,
    'CPU Utilization': `${(progress.cpuPercent ?? 0).toFixed(2)}%`,
    Streams: Object.fromEntries(streams.map(([id, stream]) => [id, countsOf(stream)])),
    Reconciliation: progress.reconciliation ?? {},
  };
}

function countsOf(stream: StreamCounts): Omit<StreamCounts, 'estimatedRows'> {
  const { estimatedRows: _, ...counts } = stream;
  return counts;
}

/** By the rows written so far, of which some may wait for their commit. */
function remainingText(streams: readonly StreamCounts[], seconds: number): string {
  const written = streams.reduce((sum, { rows }) => sum + rows, 0);
  const left = streams.reduce((sum, stream) => sum + rowsLeft(stream), 0);
  return written > 0 && seconds > 0 ? `${Math.ceil((left * seconds) / written)} s` : 'Not Determined';
}

/** An estimate may be wrong: a stream whose chunks are all done has nothing left. */
function rowsLeft({ chunks_total: total, chunks_done: done, estimatedRows, rows }: StreamCounts): number {
  return total > 0 && done === total ? 0 : Math.max(0, estimatedRows - rows);
}
