import { lanesOf } from '../../../columns/index.ts';
import type { ColumnBatch } from '../../../columns/index.ts';
import type { World } from '../../../world.ts';
import type { Reconciliation, StreamProgress, SyncProgress } from '../../types.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Counts what a run does. `rows` of a stream are those written so far; `records` only those committed. */
export interface Meter {
  stream(id: string): Writable<StreamProgress>;
  read(batch: ColumnBatch): void;
  /** Bytes that another process has read and handed over. */
  handedOver(bytes: number): void;
  committed(rows: number): void;
  /** Waiting for changes is progress, too. */
  alive(): void;
  reconciled(id: string, result: Reconciliation): void;
  /** Replaces what other processes have read for a load of the stream, and have not handed over yet. */
  elsewhere(stream: string, reading: readonly Elsewhere[]): void;
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

/** A chunk in another process. */
export interface Elsewhere {
  readonly isBeingRead: boolean;
  readonly rows: number;
  readonly bytesRead: number;
  readonly memoryBytes: number;
  readonly cpuPercent: number;
}

export function createMeter(world: World): Meter {
  const begin = world.elapsed();
  // Without a prototype: a stream may be called `__proto__`.
  const streams = Object.create(null) as Record<string, Writable<StreamProgress>>;
  const reconciliation = Object.create(null) as Record<string, Reconciliation>;
  let records = 0;
  let bytesRead = 0;
  let readers = 0;
  let pulse = 0;
  const others = new Map<string, readonly Elsewhere[]>();
  const cpuPercent = createCpuMeter(world);
  return {
    stream(id) {
      streams[id] ??= { ...NOTHING };
      return streams[id];
    },
    read(batch) {
      bytesRead += bytesOf(batch);
      pulse++;
    },
    handedOver(bytes) {
      bytesRead += bytes;
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
    elsewhere(stream, reading) {
      const before = sum(others.get(stream) ?? [], 'bytesRead');
      if (sum(reading, 'bytesRead') !== before) pulse++;
      others.set(stream, reading);
    },
    readerStarted: () => void readers++,
    readerEnded: () => void readers--,
    snapshot() {
      const now = world.elapsed();
      const here: SyncProgress = {
        records,
        bytesRead,
        writerThreads: readers,
        secondsElapsed: (now - begin) / 1000,
        memoryBytes: process.memoryUsage.rss(),
        cpuPercent: Math.round(cpuPercent()),
        streams: structuredClone(streams),
        reconciliation: { ...reconciliation },
      };
      return withOthers(here, others);
    },
    get pulse() {
      return pulse;
    },
  };
}

/** Processor time of this process since the last call, as a percentage of one processor. */
function createCpuMeter(world: World): () => number {
  let before = process.cpuUsage();
  let at = world.elapsed();
  return () => {
    const now = world.elapsed();
    const cpu = process.cpuUsage(before);
    const percent = now === at ? 0 : (cpu.user + cpu.system) / 10 / (now - at);
    before = process.cpuUsage();
    at = now;
    return percent;
  };
}

/** What this process says, and what is under way in others. */
function withOthers(here: SyncProgress, others: ReadonlyMap<string, readonly Elsewhere[]>): SyncProgress {
  const chunks = [...others.values()].flat();
  const active = chunks.filter((chunk) => chunk.isBeingRead);
  const streams = { ...here.streams };
  for (const [id, reading] of others) {
    const stream = streams[id];
    if (stream) streams[id] = { ...stream, rows: stream.rows + sum(reading, 'rows') };
  }
  return {
    ...here,
    bytesRead: here.bytesRead + sum(chunks, 'bytesRead'),
    writerThreads: here.writerThreads + active.length,
    memoryBytes: here.memoryBytes + sum(active, 'memoryBytes'),
    cpuPercent: Math.round(here.cpuPercent + sum(active, 'cpuPercent')),
    streams,
  };
}

const sum = (chunks: readonly Elsewhere[], what: Exclude<keyof Elsewhere, 'isBeingRead'>): number =>
  chunks.reduce((total, chunk) => total + chunk[what], 0);

function bytesOf(batch: ColumnBatch): number {
  let bytes = 0;
  for (const { column, values, count, constant } of batch.columns) {
    if (constant === true) continue;
    if (column.type.kind === 'string') bytes += values[count]! + 4 * count;
    else bytes += count * (lanesOf(column.type) * 4 || values.BYTES_PER_ELEMENT);
  }
  return bytes;
}
