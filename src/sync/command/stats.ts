import type { SyncProgress } from '../types.ts';

/** The content of `stats.json` (contract 5.7). */
export function describeStats(progress: SyncProgress): Record<string, unknown> {
  const seconds = progress.secondsElapsed;
  const streams = Object.values(progress.streams);
  const written = streams.reduce((sum, stream) => sum + stream.rows, 0);
  const expected = streams.reduce((sum, stream) => sum + Math.max(stream.estimatedRows, stream.rows), 0);
  const rate = seconds > 0 ? written / seconds : 0;
  const remaining = rate > 0 ? (expected - written) / rate : 0;
  return {
    'Writer Threads': progress.writerThreads,
    'Synced Records': progress.records,
    'Bytes Read': progress.bytesRead,
    Speed: `${Math.round(rate)} rps`,
    'Seconds Elapsed': `${seconds.toFixed(2)}`,
    'Estimated Remaining Time': `${remaining.toFixed(2)} s`,
    'Memory Usage Bytes': progress.memoryBytes,
    'CPU Utilization': `${progress.cpuPercent}%`,
    Streams: progress.streams,
    Reconciliation: progress.reconciliation,
  };
}
