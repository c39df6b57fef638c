import { isUtf8 } from 'node:buffer';
import type { ColumnValue, ColumnVector } from '../../columns/index.ts';
import { decimalText } from '../../columns/index.ts';
import { clampMicros, microsOfDays } from '../values.ts';
import { floorDivide, unscaled } from './integers.ts';
import { nestedText } from './nested.ts';
import type { ParquetColumn, Storing } from './types.ts';
import { scaleOf } from './types.ts';

/** Values of one column as the reader hands them out: of a typed array, or of an array that may hold nulls. */
export type RawValues = ArrayLike<unknown>;

/** One raw value as a value of the column's lake type. */
export type Convert = (raw: unknown) => ColumnValue;

/** How raw values of the column become values of its type. */
export function converterOf(column: ParquetColumn): Convert {
  const { element } = column.tree;
  if (column.storing === 'decimal') {
    const scale = scaleOf(element);
    return column.type.kind === 'string' ? (raw) => decimalText(unscaled(raw), scale) : unscaled;
  }
  if (column.storing === 'nested') return (raw) => nestedText(raw, column.tree);
  return CONVERTERS[column.storing];
}

const identity: Convert = (raw) => raw as ColumnValue;

const CONVERTERS: Readonly<Record<Exclude<Storing, 'decimal' | 'nested'>, Convert>> = {
  boolean: (raw) => Boolean(raw),
  int: identity,
  unsigned: (raw) => BigInt((raw as number) >>> 0),
  long: identity,
  unsignedLong: (raw) => BigInt.asUintN(64, raw as bigint),
  float: identity,
  half: (raw) => halfOf(raw as Uint8Array),
  double: identity,
  days: (raw) => microsOfDays(raw as number),
  millis: (raw) => clampMicros((raw as bigint) * 1000n),
  micros: (raw) => clampMicros(raw as bigint),
  nanos: (raw) => clampMicros(floorDivide(raw as bigint, 1000n)),
  text: (raw) => textOf(raw as Uint8Array),
  uuid: (raw) => uuidOf(raw as Uint8Array),
  binary: (raw) => bufferOf(raw as Uint8Array).toString('base64'),
  timeMillis: (raw) => timeText(BigInt(raw as number) * 1_000_000n, 3),
  timeMicros: (raw) => timeText((raw as bigint) * 1000n, 6),
  timeNanos: (raw) => timeText(raw as bigint, 9),
};

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export class NotText extends Error {}

function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new NotText('a text is not UTF-8');
  return bufferOf(bytes).toString();
}

export function uuidOf(bytes: Uint8Array): string {
  const hex = bufferOf(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Nanoseconds of a day as `HH:MM:SS` with so many digits behind the second. */
export function timeText(nanos: bigint, digits: number): string {
  const seconds = nanos / 1_000_000_000n;
  const two = (value: bigint): string => String(value).padStart(2, '0');
  const fraction = String(nanos % 1_000_000_000n)
    .padStart(9, '0')
    .slice(0, digits);
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}.${fraction}`;
}

function halfOf(bytes: Uint8Array): number {
  const bits = bytes[0]! | (bytes[1]! << 8);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The rows from `from` on of a vector, `rows` of them. `dense` values lie before the first; shares the buffers. */
export function sliceRows(vector: ColumnVector, { from, rows, dense }: { from: number; rows: number; dense: number }) {
  const validity = sliceBits(vector, from, rows);
  const count = vector.nulls === 0 ? rows : countBits(validity, rows);
  const { values } = vector;
  if (vector.column.type.kind === 'string') {
    const base = values[dense]!;
    const offsets = (values as Int32Array).slice(dense, dense + count + 1);
    for (let at = 0; at <= count; at++) offsets[at]! -= base;
    return { ...vector, values: offsets, heap: vector.heap.subarray(base), validity, nulls: rows - count, count };
  }
  const lanes = vector.column.type.kind === 'boolean' ? 1 : lanesPer(vector);
  const part = values.subarray(dense * lanes, (dense + count) * lanes);
  return { ...vector, values: part, validity, nulls: rows - count, count };
}

function lanesPer({ values, column: { type } }: ColumnVector): number {
  if (!(values instanceof Int32Array) || type.kind === 'int') return 1;
  if (type.kind === 'decimal') return type.precision <= 9 ? 1 : type.precision <= 18 ? 2 : 4;
  return 2;
}

function sliceBits({ validity, nulls }: ColumnVector, from: number, rows: number): Uint8Array {
  if (nulls === 0) return validity;
  if (from % 8 === 0) return validity.subarray(from >> 3);
  const bits = new Uint8Array((rows + 7) >> 3);
  for (let row = 0; row < rows; row++) {
    if ((validity[(from + row) >> 3]! & (1 << ((from + row) & 7))) !== 0) bits[row >> 3]! |= 1 << (row & 7);
  }
  return bits;
}

function countBits(bits: Uint8Array, rows: number): number {
  let count = 0;
  for (let row = 0; row < rows; row++) if ((bits[row >> 3]! & (1 << (row & 7))) !== 0) count++;
  return count;
}
