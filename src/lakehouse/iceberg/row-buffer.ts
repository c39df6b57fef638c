import type { Column, ColumnBatch, ColumnVector } from '../../columns/index.ts';
import { isPresent, lanesOf } from '../../columns/index.ts';

/** Rows picked from batches, column by column, until there are enough for a row group. */
export interface RowBuffer {
  readonly rows: number;
  readonly bytes: number;
  /** Copies these rows of the batch; the batch's buffers may be reused afterwards. */
  append(batch: ColumnBatch, picked: Int32Array): void;
  /** The rows so far as one batch, which shares the buffers until `clear`. */
  batch(): ColumnBatch;
  clear(): void;
}

export function createRowBuffer(columns: readonly Column[]): RowBuffer {
  const gatherers = columns.map(createGatherer);
  let rows = 0;
  return {
    get rows() {
      return rows;
    },
    get bytes() {
      return gatherers.reduce((sum, gatherer) => sum + gatherer.bytes, 0);
    },
    append(batch, picked) {
      for (const [at, gatherer] of gatherers.entries()) gatherer.append(batch.columns[at]!, picked, batch.rows);
      rows += picked.length;
    },
    batch: () => ({ rows, columns: gatherers.map((gatherer) => gatherer.vector(rows)) }),
    clear() {
      rows = 0;
      for (const gatherer of gatherers) gatherer.clear();
    },
  };
}

interface Gatherer {
  readonly bytes: number;
  append(vector: ColumnVector, picked: Int32Array, batchRows: number): void;
  vector(rows: number): ColumnVector;
  clear(): void;
}

function createGatherer(column: Column): Gatherer {
  const store = column.type.kind === 'string' ? textStore() : fixedStore(column);
  let validity = new Uint8Array(16);
  let rows = 0;
  let count = 0;
  return {
    get bytes() {
      return store.bytes(count);
    },
    append(vector, picked, batchRows) {
      validity = roomFor(validity, (rows + picked.length + 7) >> 3);
      const dense = denseIndexes(vector, picked, batchRows);
      store.reserve(vector, dense, count);
      for (const index of dense) {
        if (index >= 0) {
          validity[rows >> 3]! |= 1 << (rows & 7);
          store.copy(vector, index, count);
          count += 1;
        }
        rows += 1;
      }
    },
    vector: (total) => ({ column, ...store.contents(), validity, nulls: total - count, count }),
    clear() {
      validity.fill(0);
      rows = 0;
      count = 0;
    },
  };
}

/** For each picked row (in rising order) the index of its value, or -1 for null. */
function denseIndexes(vector: ColumnVector, picked: Int32Array, batchRows: number): Int32Array {
  if (vector.constant) return new Int32Array(picked.length);
  if (vector.nulls === 0) return picked;
  const result = new Int32Array(picked.length);
  let dense = 0;
  for (let row = 0, at = 0; row < batchRows && at < picked.length; row++) {
    const present = isPresent(vector, row);
    if (picked[at] === row) result[at++] = present ? dense : -1;
    if (present) dense += 1;
  }
  return result;
}

type Numbers = Uint8Array | Int32Array | Float32Array | Float64Array;

/** The array, or a larger copy of it; doubles, so that appending stays linear. */
function roomFor<T extends Numbers>(values: T, needed: number): T {
  if (needed <= values.length) return values;
  const grown = new (values.constructor as new (length: number) => T)(Math.max(needed, values.length * 2));
  grown.set(values);
  return grown;
}

interface ValueStore {
  reserve(vector: ColumnVector, dense: Int32Array, count: number): void;
  copy(vector: ColumnVector, from: number, to: number): void;
  contents(): Pick<ColumnVector, 'values' | 'heap'>;
  bytes(count: number): number;
}

const noHeap = new Uint8Array(0);

function fixedStore(column: Column): ValueStore {
  const width = lanesOf(column.type) || 1;
  let values: Numbers = emptyValues(column);
  return {
    reserve(_vector, dense, count) {
      values = roomFor(values, (count + dense.length) * width);
    },
    copy(vector, from, to) {
      for (let lane = 0; lane < width; lane++) values[to * width + lane] = vector.values[from * width + lane]!;
    },
    contents: () => ({ values, heap: noHeap }),
    bytes: (count) => count * width * values.BYTES_PER_ELEMENT,
  };
}

function emptyValues(column: Column): Numbers {
  const { kind } = column.type;
  if (kind === 'boolean') return new Uint8Array(16);
  if (kind === 'float') return new Float32Array(16);
  return kind === 'double' ? new Float64Array(16) : new Int32Array(16);
}

function textStore(): ValueStore {
  let offsets = new Int32Array(16);
  let heap = new Uint8Array(64);
  return {
    reserve(_vector, dense, count) {
      offsets = roomFor(offsets, count + dense.length + 1);
    },
    copy(vector, from, to) {
      const [start, end] = [vector.values[from]!, vector.values[from + 1]!];
      const at = offsets[to]!;
      heap = roomFor(heap, at + end - start);
      heap.set(vector.heap.subarray(start, end), at);
      offsets[to + 1] = at + end - start;
    },
    contents: () => ({ values: offsets, heap }),
    bytes: (count) => count * 4 + offsets[count]!,
  };
}
