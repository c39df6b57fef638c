import type { Column, ColumnVector } from '../../../columns/index.ts';
import type { OPERATION } from '../../kit/index.ts';

const COMMITTED_AT: Column = { name: '_cdc_timestamp', type: { kind: 'timestamp' }, nullable: false };

/** Columns that the log adds to each change (OLake contract, section 7.5). */
export const PLACE_COLUMNS: readonly Column[] = [
  { name: '_cdc_binlog_file_name', type: { kind: 'string' }, nullable: true },
  { name: '_cdc_binlog_file_pos', type: { kind: 'long' }, nullable: true },
];

/** What belongs to a change: operation, time and place, one of each per row. */
export interface Marks {
  add(mark: Mark): void;
  operations(): Uint8Array;
  committedAt(rows: number): ColumnVector;
  places(rows: number): ColumnVector[];
  reset(): void;
}

export interface Mark {
  readonly operation: (typeof OPERATION)[keyof typeof OPERATION];
  /** Microseconds of the commit as two words. */
  readonly time: Int32Array;
  readonly file: Buffer;
  readonly offset: number;
}

const FIRST_ROWS = 1024;
const noHeap = new Uint8Array(0);

export function createMarks(): Marks {
  let room = FIRST_ROWS;
  let rows = 0;
  let operations = new Uint8Array(room);
  let times = new Int32Array(room * 2);
  let offsets = new Int32Array(room * 2);
  let files = new Int32Array(room + 1);
  let heap = new Uint8Array(room * 16);
  let used = 0;
  const grow = (): void => {
    room *= 2;
    operations = widened(operations, room);
    times = widened(times, room * 2);
    offsets = widened(offsets, room * 2);
    files = widened(files, room + 1);
  };
  const vector = (column: Column, values: Int32Array, count: number): ColumnVector => ({
    column,
    values,
    heap: column.type.kind === 'string' ? heap : noHeap,
    validity: noHeap,
    nulls: 0,
    count,
  });
  const [fileColumn, offsetColumn] = PLACE_COLUMNS as [Column, Column];
  return {
    add({ operation, time, file, offset }) {
      if (rows === room) grow();
      operations[rows] = operation;
      times[rows * 2] = time[0] ?? 0;
      times[rows * 2 + 1] = time[1] ?? 0;
      offsets[rows * 2] = offset | 0;
      offsets[rows * 2 + 1] = Math.floor(offset / 4_294_967_296);
      if (used + file.length > heap.length) heap = widened(heap, heap.length * 2 + file.length);
      heap.set(file, used);
      used += file.length;
      files[++rows] = used;
    },
    operations: () => operations,
    committedAt: (count) => vector(COMMITTED_AT, times, count),
    places: (count) => [vector(fileColumn, files, count), vector(offsetColumn, offsets, count)],
    reset() {
      rows = 0;
      used = 0;
    },
  };
}

function widened<T extends Uint8Array | Int32Array>(values: T, length: number): T {
  const wide = new (values.constructor as new (length: number) => T)(length);
  wide.set(values);
  return wide;
}
