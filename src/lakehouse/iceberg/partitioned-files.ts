import type { ColumnBatch } from '../../columns/index.ts';
import type { DataFileWriter } from './data-file.ts';
import type { DataFile, PartitionValue } from './model.ts';
import { partitionFolder } from './partition.ts';
import type { RowBuffer } from './row-buffer.ts';
import { createRowBuffer } from './row-buffer.ts';
import { createRouter } from './split.ts';
import type { RowLocation, UnitFiles, WriteLayout, WrittenBatch, WrittenSlice } from './unit-files.ts';
import { openDataFile } from './unit-files.ts';

const ROWS_PER_GROUP = 122_880;
const GROUP_BYTES = 16 << 20;
/** Rows of all partitions together that wait for a row group of their own. */
const WAITING_BYTES = 64 << 20;
const OPEN_FILES = 32;

interface OpenPartition {
  readonly waiting: RowBuffer;
  readonly writer: DataFileWriter;
  /** Rows that the present file has or will have of those waiting. */
  rows: number;
  lastUse: number;
}

/** Partitions whose files are being written, with the rows that wait for a row group. */
interface PartitionPool {
  readonly bytes: number;
  append(ordinal: number, batch: ColumnBatch, picked: Int32Array): Promise<RowLocation>;
  /** Writes and closes what is over the bounds. */
  relieve(): Promise<void>;
  finish(): Promise<readonly DataFile[]>;
  abort(): Promise<void>;
}

/**
 * Files of a partitioned table. Rows wait in memory until they make a row group; what waits and how many files are open
 * is bounded: the fullest partition is written first, the one longest unused is closed first.
 */
export function createPartitionedFiles(layout: WriteLayout): UnitFiles {
  const names = layout.columns.map(({ column }) => column.name);
  const router = createRouter(
    layout.partitionFields,
    layout.partitionFields.map((field) => names.indexOf(field.sourceName)),
  );
  const pool = createPool(layout, (ordinal) => router.partitions[ordinal]!);
  const slices: WrittenSlice[] | undefined = layout.tracksOrder ? [] : undefined;
  let rows = 0;
  return {
    slices,
    get bytes() {
      return pool.bytes;
    },
    get rows() {
      return rows;
    },
    async write(batch): Promise<WrittenBatch> {
      if (batch.rows === 0) return { file: '', row: 0 };
      const ordinals = router.route(batch);
      const starts = new Map<number, RowLocation>();
      for (const [ordinal, picked] of groupRows(ordinals)) {
        starts.set(ordinal, await pool.append(ordinal, batch, picked));
      }
      rows += batch.rows;
      const locate = createLocator(ordinals, starts);
      slices?.push({ rows: batch.rows, locate });
      await pool.relieve();
      return starts.size > 1 ? { ...locate(0), placeOf: locate } : locate(0);
    },
    finish: () => pool.finish(),
    abort: () => pool.abort(),
  };
}

function createPool(layout: WriteLayout, valuesOf: (ordinal: number) => readonly PartitionValue[]): PartitionPool {
  const open = new Map<number, OpenPartition>();
  const closed: DataFile[] = [];
  let uses = 0;

  async function close(ordinal: number): Promise<void> {
    const partition = open.get(ordinal)!;
    await flush(partition);
    const file = await partition.writer.close();
    open.delete(ordinal);
    closed.push(file);
  }
  async function find(ordinal: number): Promise<OpenPartition> {
    const known = open.get(ordinal);
    if (known) return known;
    if (open.size >= OPEN_FILES) {
      const [oldest] = [...open].toSorted(([, left], [, right]) => left.lastUse - right.lastUse);
      await close(oldest![0]);
    }
    const partition = await openPartition(layout, valuesOf(ordinal));
    open.set(ordinal, partition);
    return partition;
  }
  return {
    get bytes() {
      const openBytes = [...open.values()].reduce((sum, one) => sum + one.writer.bytes + one.waiting.bytes, 0);
      return openBytes + closed.reduce((sum, file) => sum + file.bytes, 0);
    },
    async append(ordinal, batch, picked) {
      const partition = await find(ordinal);
      const place = { file: partition.writer.path, row: partition.rows };
      partition.lastUse = ++uses;
      partition.rows += picked.length;
      partition.waiting.append(batch, picked);
      return place;
    },
    async relieve() {
      for (const [ordinal, partition] of open) {
        const { waiting } = partition;
        if (waiting.rows >= ROWS_PER_GROUP || waiting.bytes >= GROUP_BYTES) await flush(partition);
        if (partition.writer.bytes >= layout.targetBytes) await close(ordinal);
      }
      await flushFullest([...open.values()]);
    },
    async finish() {
      for (const ordinal of open.keys()) await close(ordinal);
      return closed;
    },
    async abort() {
      for (const partition of open.values()) await partition.writer.abort();
      open.clear();
      for (const file of closed) await layout.storage.remove(file.path).catch(() => undefined);
    },
  };
}

async function openPartition(layout: WriteLayout, values: readonly PartitionValue[]): Promise<OpenPartition> {
  const byField = new Map(layout.partitionFields.map((field, at) => [field.fieldId, values[at] ?? null]));
  const writer = await openDataFile(layout, partitionFolder(layout.partitionFields, values), byField);
  return { waiting: createRowBuffer(layout.columns.map(({ column }) => column)), writer, rows: 0, lastUse: 0 };
}

async function flush(partition: OpenPartition): Promise<void> {
  if (partition.waiting.rows === 0) return;
  await partition.writer.write(partition.waiting.batch());
  partition.waiting.clear();
}

async function flushFullest(partitions: readonly OpenPartition[]): Promise<void> {
  let waitingBytes = partitions.reduce((sum, partition) => sum + partition.waiting.bytes, 0);
  for (const partition of partitions.toSorted((left, right) => right.waiting.bytes - left.waiting.bytes)) {
    if (waitingBytes <= WAITING_BYTES) break;
    waitingBytes -= partition.waiting.bytes;
    await flush(partition);
  }
}

/** Row indexes by partition ordinal, each list rising. */
function groupRows(ordinals: Int32Array): Map<number, Int32Array> {
  const sizes = new Map<number, number>();
  for (const ordinal of ordinals) sizes.set(ordinal, (sizes.get(ordinal) ?? 0) + 1);
  const groups = new Map([...sizes].map(([ordinal, size]) => [ordinal, new Int32Array(size)]));
  const filled = new Map<number, number>();
  for (let row = 0; row < ordinals.length; row++) {
    const ordinal = ordinals[row]!;
    const at = filled.get(ordinal) ?? 0;
    groups.get(ordinal)![at] = row;
    filled.set(ordinal, at + 1);
  }
  return groups;
}

/**
 * Finds the file and row that a row of the batch went to. A unit that tracks order keeps one for each batch, so it holds
 * little: ranks inside a partition are kept only until the last row was asked for.
 */
function createLocator(ordinals: Int32Array, starts: ReadonlyMap<number, RowLocation>): (row: number) => RowLocation {
  if (starts.size === 1) {
    const [start] = starts.values();
    return (row) => ({ file: start!.file, row: start!.row + row });
  }
  const isShort = ordinals.every((ordinal) => ordinal < 0x1_0000);
  const kept = isShort ? Uint16Array.from(ordinals) : ordinals;
  let ranks: Int32Array | undefined;
  return (row) => {
    ranks ??= rank(kept);
    const start = starts.get(kept[row]!)!;
    const place = { file: start.file, row: start.row + ranks[row]! };
    if (row === kept.length - 1) ranks = undefined;
    return place;
  };
}

function rank(ordinals: Int32Array | Uint16Array): Int32Array {
  const counts = new Map<number, number>();
  return Int32Array.from(ordinals, (ordinal) => {
    const seen = counts.get(ordinal) ?? 0;
    counts.set(ordinal, seen + 1);
    return seen;
  });
}
