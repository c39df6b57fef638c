import type { ColumnType, ColumnVector } from '../../../columns/index.ts';
import { appendAscii, appendByte, appendInteger, appendPadded, createByteBuffer, ensureRoom } from './bytes.ts';
import type { ByteBuffer } from './bytes.ts';

/** Appends the canonical text of the value at a value index (nulls take no index) to the bytes. */
export type TextWriter = (out: ByteBuffer, vector: ColumnVector, index: number) => void;

/** Writes the canonical texts of the columns room (`canonicalText`) straight from vectors, without making values. */
export function textWriter(type: ColumnType): TextWriter {
  switch (type.kind) {
    case 'boolean':
      return (out, { values }, index) => appendAscii(out, values[index] === 1 ? 'true' : 'false');
    case 'int':
      return (out, { values }, index) => appendInteger(out, values[index]!);
    case 'long':
      return (out, { values }, index) => appendLong(out, values[index * 2]!, values[index * 2 + 1]!);
    case 'float':
    case 'double':
      return (out, { values }, index) => appendAscii(out, String(values[index]!));
    case 'timestamp':
      return (out, { values }, index) => appendTimestamp(out, values[index * 2]!, values[index * 2 + 1]!);
    case 'decimal':
      return decimalWriter(type);
    case 'string':
      return appendString;
  }
}

/** Where the value of `row` is: its value index, or -1 for null. For single rows; loops keep their own count. */
export function valueIndex(vector: ColumnVector, row: number): number {
  if (vector.constant === true) return 0;
  if (vector.nulls === 0) return row;
  const { validity } = vector;
  if (((validity[row >> 3]! >> (row & 7)) & 1) === 0) return -1;
  let count = 0;
  const whole = row >> 3;
  for (let at = 0; at < whole; at++) count += BITS[validity[at]!]!;
  return count + BITS[validity[whole]! & ((1 << (row & 7)) - 1)]!;
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);
const scratch = createByteBuffer(4096);

/** Canonical text of one row's value; null for null. */
export function textOfRow(vector: ColumnVector, row: number): string | null {
  const index = valueIndex(vector, row);
  return index < 0 ? null : textAt(vector, index);
}

/** About how long the canonical text of one row's value is, without making it. */
export function bytesOfRow(vector: ColumnVector, row: number): number {
  const index = vector.column.type.kind === 'string' ? valueIndex(vector, row) : -1;
  return index < 0 ? 16 : vector.values[index + 1]! - vector.values[index]!;
}

/** Canonical text of the value at a value index. */
export function textAt(vector: ColumnVector, index: number): string {
  scratch.length = 0;
  textWriter(vector.column.type)(scratch, vector, index);
  return Buffer.from(scratch.bytes.buffer, 0, scratch.length).toString('utf8');
}

const LOW = 4294967296;

function appendLong(out: ByteBuffer, low: number, high: number): void {
  if (high >= -0x200000 && high < 0x200000) appendInteger(out, high * LOW + (low >>> 0));
  else appendAscii(out, ((BigInt(high) << 32n) | BigInt(low >>> 0)).toString());
}

function appendString(out: ByteBuffer, vector: ColumnVector, index: number): void {
  const offsets = vector.values;
  const start = offsets[index]!;
  const end = offsets[index + 1]!;
  ensureRoom(out, end - start);
  const { bytes } = out;
  const { heap } = vector;
  let at = out.length;
  if (end - start > 64) bytes.set(heap.subarray(start, end), at);
  else for (let i = start; i < end; i++) bytes[at++] = heap[i]!;
  out.length += end - start;
}

function decimalWriter(type: { precision: number; scale: number }): TextWriter {
  const { scale } = type;
  if (type.precision <= 9) return (out, { values }, index) => appendScaled(out, BigInt(values[index]!), scale);
  const lanes = type.precision <= 18 ? 2 : 4;
  return (out, { values }, index) => {
    let unscaled = BigInt(values[index * lanes + lanes - 1]!);
    for (let lane = lanes - 2; lane >= 0; lane--) {
      unscaled = (unscaled << 32n) | BigInt(values[index * lanes + lane]! >>> 0);
    }
    appendScaled(out, unscaled, scale);
  };
}

function appendScaled(out: ByteBuffer, unscaled: bigint, scale: number): void {
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  if (negative) appendByte(out, 45);
  if (scale === 0) return appendAscii(out, digits);
  appendAscii(out, `${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
}

const DAY = 86_400;

function appendTimestamp(out: ByteBuffer, low: number, high: number): void {
  let seconds: number;
  let micros: number;
  if (high >= -0x200000 && high < 0x200000) {
    const value = high * LOW + (low >>> 0);
    seconds = Math.floor(value / 1e6);
    micros = value - seconds * 1e6;
  } else {
    const value = (BigInt(high) << 32n) | BigInt(low >>> 0);
    micros = Number(((value % 1_000_000n) + 1_000_000n) % 1_000_000n);
    seconds = Number((value - BigInt(micros)) / 1_000_000n);
  }
  const days = Math.floor(seconds / DAY);
  const second = seconds - days * DAY;
  appendDate(out, days);
  appendByte(out, 84);
  appendPadded(out, (second / 3600) | 0, 2);
  appendByte(out, 58);
  appendPadded(out, ((second / 60) | 0) % 60, 2);
  appendByte(out, 58);
  appendPadded(out, second % 60, 2);
  appendByte(out, 46);
  appendPadded(out, micros, 6);
  appendByte(out, 90);
}

/** The proleptic Gregorian date of a day count from 1970-01-01, by eras of 400 years that begin in March. */
function appendDate(out: ByteBuffer, days: number): void {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const year = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  appendPadded(out, year + era * 400 + (month <= 2 ? 1 : 0), 4);
  appendByte(out, 45);
  appendPadded(out, month, 2);
  appendByte(out, 45);
  appendPadded(out, dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1, 2);
}
