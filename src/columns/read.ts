import type { ColumnVector } from './types.ts';
import { lanesOf } from './types.ts';

/** One value outside the columns: decimals as their unscaled bigint, timestamps as microseconds, long as bigint. */
export type ColumnValue = boolean | number | bigint | string;

const MASK_32 = 0xffff_ffffn;

/** The 64-bit integer in lanes `at` (low word) and `at + 1`. */
export function readLong(lanes: Int32Array, at: number): bigint {
  return (BigInt(lanes[at + 1]!) << 32n) | (BigInt(lanes[at]!) & MASK_32);
}

/** The 128-bit integer in the four lanes from `at`, low word first. */
export function readWide(lanes: Int32Array, at: number): bigint {
  return (readLong(lanes, at + 2) << 64n) | BigInt.asUintN(64, readLong(lanes, at));
}

/**
 * The value at a dense index (nulls not counted). int, float, double are numbers; long, timestamp and every decimal are
 * bigints. Slow path: makes an object per value. Any index reads the one value of a constant vector.
 */
export function readValue(vector: ColumnVector, denseIndex: number): ColumnValue {
  const index = vector.constant ? 0 : denseIndex;
  const { values } = vector;
  const { type } = vector.column;
  switch (type.kind) {
    case 'boolean':
      return values[index] !== 0;
    case 'int':
    case 'float':
    case 'double':
      return values[index]!;
    case 'string': {
      const { buffer, byteOffset } = vector.heap;
      const start = values[index]!;
      return Buffer.from(buffer, byteOffset + start, values[index + 1]! - start).toString();
    }
    default: {
      const lanes = values as Int32Array;
      const width = lanesOf(type);
      if (width === 1) return BigInt(lanes[index]!);
      return width === 2 ? readLong(lanes, index * 2) : readWide(lanes, index * 4);
    }
  }
}

/** True when the row holds a value. */
export function isPresent(vector: ColumnVector, row: number): boolean {
  return vector.nulls === 0 || (vector.validity[row >> 3]! & (1 << (row & 7))) !== 0;
}

/** All rows of a vector as values, null where there is none. For tests and small vectors. */
export function readRows(vector: ColumnVector, rows: number): (ColumnValue | null)[] {
  let dense = 0;
  return Array.from({ length: rows }, (_, row) => (isPresent(vector, row) ? readValue(vector, dense++) : null));
}
