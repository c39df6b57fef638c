import { lanesOf } from '../../../columns/index.ts';
import type { ColumnBatch } from '../../../columns/index.ts';
import type { World } from '../../../world.ts';
import type { Reconciliation, StreamProgress, SyncProgress } from '../../types.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Counts what a run does. `rows` of a stream are those written so far; `records` only those committed. */
export interface Meter {
  stream(id: string): Writable<StreamProgress>;
  read(batch: ColumnBatch): void;
  committed(rows: number): void;
  /** Waiting for changes is progress, too. */
  alive(): void;
  reconciled(id: string, result: Reconciliation): void;
  readerStarted(): void;
  readerEnded(): void;
  snapshot(): SyncProgress;
  /** Grows with everything that counts as progress. */
  readonly pulse: number;
}

const NOTHING: StreamProgress = {
  rows: 0,
  inserted: 0,
  updated: 0,
  deleted: 0,
  quarantined: 0,
  chunks_total: 0,
  chunks_done: 0,
  estimatedRows: 0,
};

export function createMeter(world: World): Meter {
  const begin = world.elapsed();
  // Without a prototype: a stream may be called `__proto__`.
  const streams = Object.create(null) as Record<string, Writable<StreamProgress>>;
  const reconciliation = Object.create(null) as Record<string, Reconciliation>;
  let records = 0;
  let bytesRead = 0;
  let readers = 0;
  let pulse = 0;
  let cpuBefore = process.cpuUsage();
  let cpuAt = begin;
  return {
    stream(id) {
      streams[id] ??= { ...NOTHING };
      return streams[id];
    },
    read(batch) {
      bytesRead += bytesOf(batch);
      pulse++;
    },
    committed(rows) {
      records += rows;
      pulse++;
    },
    alive: () => void pulse++,
    reconciled(id, result) {
      reconciliation[id] = result;
      pulse++;
    },
    readerStarted: () => void readers++,
    readerEnded: () => void readers--,
    snapshot() {
      const now = world.elapsed();
      const cpu = process.cpuUsage(cpuBefore);
      const cpuPercent = now === cpuAt ? 0 : (cpu.user + cpu.system) / 10 / (now - cpuAt);
      cpuBefore = process.cpuUsage();
      cpuAt = now;
      return {
        records,
        bytesRead,
        writerThreads: readers,
        secondsElapsed: (now - begin) / 1000,
        memoryBytes: process.memoryUsage.rss(),
        cpuPercent: Math.round(cpuPercent),
        streams: structuredClone(streams),
        reconciliation: { ...reconciliation },
      };
    },
    get pulse() {
      return pulse;
    },
  };
}

function bytesOf(batch: ColumnBatch): number {
  let bytes = 0;
  for (const { column, values, count, constant } of batch.columns) {
    if (constant === true) continue;
    if (column.type.kind === 'string') bytes += values[count]! + 4 * count;
    else bytes += count * (lanesOf(column.type) * 4 || values.BYTES_PER_ELEMENT);
  }
  return bytes;
}
