import { Failure } from '../../../errors.ts';
import type { WireKind } from '../types.ts';
import { EPOCH_SHIFT } from '../wire/values.ts';
import { cellText, copyCell, ensureRoom, type Cell, type Convert, type RowWriter } from './row.ts';

/** Values that the server printed, as fields of a binary `COPY` row: one writer for each way a value lies there. */
export const fromText: Readonly<Record<WireKind, Convert>> = {
  bool(cell, row) {
    fixed(row, 1);
    row.bytes[row.at++] = cell.bytes[cell.at] === 0x74 ? 1 : 0;
  },
  int2(cell, row) {
    fixed(row, 2);
    row.view.setInt16(row.at, parseWhole(cell));
    row.at += 2;
  },
  int4(cell, row) {
    fixed(row, 4);
    row.view.setInt32(row.at, parseWhole(cell));
    row.at += 4;
  },
  int8(cell, row) {
    fixed(row, 8);
    // Fifteen digits are exact in a double.
    if (cell.length > 15) row.view.setBigInt64(row.at, BigInt(cellText(cell)));
    else putLong(row, parseWhole(cell));
    row.at += 8;
  },
  float4(cell, row) {
    fixed(row, 4);
    row.view.setFloat32(row.at, Number(cellText(cell)));
    row.at += 4;
  },
  float8(cell, row) {
    fixed(row, 8);
    row.view.setFloat64(row.at, Number(cellText(cell)));
    row.at += 8;
  },
  numeric: putNumeric,
  date(cell, row) {
    fixed(row, 4);
    row.view.setInt32(row.at, parseDate(cell));
    row.at += 4;
  },
  timestamp(cell, row) {
    fixed(row, 8);
    const seconds = parseSeconds(cell);
    if (Number.isNaN(seconds)) row.view.setBigInt64(row.at, parseTimestamp(cellText(cell)));
    else row.view.setBigInt64(row.at, BigInt(seconds - EPOCH_SECONDS) * 1_000_000n + BigInt(parseFraction(cell)));
    row.at += 8;
  },
  text: copyCell,
  jsonb(cell, row) {
    fixed(row, 1 + cell.length);
    row.bytes[row.at++] = 1;
    cell.bytes.copy(row.bytes, row.at, cell.at, cell.at + cell.length);
    row.at += cell.length;
  },
  uuid(cell, row) {
    fixed(row, 16);
    row.at += row.bytes.write(cellText(cell).replaceAll('-', ''), row.at, 'hex');
  },
  bytea(cell, row) {
    const hex = cell.bytes.toString('latin1', cell.at + 2, cell.at + cell.length);
    fixed(row, hex.length / 2);
    row.at += row.bytes.write(hex, row.at, 'hex');
  },
};

function fixed(row: RowWriter, length: number): void {
  ensureRoom(row, length + 4);
  row.view.setInt32(row.at, length);
  row.at += 4;
}

const DATE_TIME = /^(\d{4,})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:\+00|Z)?( BC)?$/;
const DAY = 86_400n;
const HIGHEST = { date: 2 ** 31 - 1, timestamp: 2n ** 63n - 1n };

const EPOCH_SECONDS = Number(EPOCH_SHIFT / 1_000_000n);

function parseWhole({ bytes, at, length }: Cell): number {
  const isNegative = bytes[at] === MINUS;
  let value = 0;
  for (let place = isNegative ? at + 1 : at; place < at + length; place++)
    value = value * 10 + (bytes[place] ?? 0) - ZERO;
  return isNegative ? -value : value;
}

function putLong(row: RowWriter, value: number): void {
  row.view.setInt32(row.at, Math.floor(value / 4_294_967_296));
  row.view.setUint32(row.at + 4, value >>> 0);
}

/** Two digits at a place; NaN when they are none. */
function twoDigits(bytes: Buffer, at: number): number {
  const [tens, ones] = [(bytes[at] ?? 0) - ZERO, (bytes[at + 1] ?? 0) - ZERO];
  return tens >= 0 && tens < 10 && ones >= 0 && ones < 10 ? tens * 10 + ones : Number.NaN;
}

/** Seconds since 1970 of the usual form, `2024-01-31 23:59:59…`, in UTC; NaN for the rare ones. */
function parseSeconds({ bytes, at, length }: Cell): number {
  if (length < 19 || bytes[at + 4] !== MINUS || bytes[at + length - 1] === LETTER_C) return Number.NaN;
  const year = twoDigits(bytes, at) * 100 + twoDigits(bytes, at + 2);
  const days = daysOf(year, twoDigits(bytes, at + 5), twoDigits(bytes, at + 8));
  const clock = twoDigits(bytes, at + 11) * 3600 + twoDigits(bytes, at + 14) * 60 + twoDigits(bytes, at + 17);
  return days * 86_400 + clock;
}

/** Microseconds behind the point of the usual form. */
function parseFraction({ bytes, at, length }: Cell): number {
  if (length < 21 || bytes[at + 19] !== POINT) return 0;
  let value = 0;
  let scale = 1_000_000;
  for (let place = at + 20; place < at + length; place++) {
    const digit = (bytes[place] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
    scale /= 10;
  }
  return value * scale;
}

function parseDate(cell: Cell): number {
  const { bytes, at, length } = cell;
  if (length === 10 && bytes[at + 4] === MINUS) {
    const year = twoDigits(bytes, at) * 100 + twoDigits(bytes, at + 2);
    const days = daysOf(year, twoDigits(bytes, at + 5), twoDigits(bytes, at + 8));
    if (!Number.isNaN(days)) return days - EPOCH_SECONDS / 86_400;
  }
  const text = cellText(cell);
  if (text === 'infinity') return HIGHEST.date;
  if (text === '-infinity') return -HIGHEST.date - 1;
  return Number((secondsOf(text) - BigInt(EPOCH_SECONDS)) / DAY);
}

/** Microseconds since 2000 of a date or time as the server prints it in UTC, or as canonical text. */
export function parseTimestamp(text: string): bigint {
  if (text === 'infinity') return HIGHEST.timestamp;
  if (text === '-infinity') return -HIGHEST.timestamp - 1n;
  const fraction = /\.(\d{1,6})/.exec(text)?.[1] ?? '';
  return secondsOf(text) * 1_000_000n + BigInt(fraction.padEnd(6, '0')) - EPOCH_SHIFT;
}

/** Whole seconds since 1970 of a date or time as the server prints it in UTC. */
function secondsOf(text: string): bigint {
  const match = DATE_TIME.exec(text);
  if (!match) throw new Failure('internal', 'the log holds a time in an unknown form');
  const [, year = '', month, day, hour = '0', minute = '0', second = '0', , before] = match;
  const days = daysOf(before === undefined ? Number(year) : 1 - Number(year), Number(month), Number(day));
  return BigInt(days) * DAY + BigInt(Number(hour) * 3600 + Number(minute) * 60 + Number(second));
}

/** Days since 1970 of a day of the Gregorian calendar, extended without end in both directions. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

const SIGNS: Readonly<Record<string, number>> = { NaN: 0xc000, Infinity: 0xd000, '-Infinity': 0xf000 };

const [MINUS, POINT, ZERO, LETTER_C] = [0x2d, 0x2e, 0x30, 0x43];

/** Digits as the server prints them, put together to groups of four around the point. */
function putNumeric(cell: Cell, row: RowWriter): void {
  const { bytes, at, length } = cell;
  const isNegative = bytes[at] === MINUS;
  const end = at + length;
  let point = end;
  for (let place = at; place < end; place++) if (bytes[place] === POINT) point = place;
  const from = isNegative ? at + 1 : at;
  const first = bytes[from] ?? 0;
  if (first < ZERO || first > ZERO + 9) return putSpecial(cellText(cell), row);
  const scale = point === end ? 0 : end - point - 1;
  const before = Math.ceil((point - from) / 4);
  const groups = before + Math.ceil(scale / 4);
  ensureRoom(row, 12 + groups * 2);
  const start = row.at;
  row.at += 12;
  let weight = before - 1;
  let kept = 0;
  for (let group = 0; group < groups; group++) {
    const value =
      group < before
        ? wholeGroup(bytes, from, point - (before - group) * 4)
        : fractionGroup(bytes, point + 1 + (group - before) * 4, end);
    if (kept === 0 && value === 0) {
      weight--;
      continue;
    }
    row.view.setUint16(row.at, value);
    row.at += 2;
    kept++;
  }
  while (kept > 0 && row.view.getUint16(row.at - 2) === 0) {
    row.at -= 2;
    kept--;
  }
  row.view.setInt32(start, row.at - start - 4);
  row.view.setInt16(start + 4, kept);
  row.view.setInt16(start + 6, kept === 0 ? 0 : weight);
  row.view.setUint16(start + 8, isNegative ? 0x4000 : 0);
  row.view.setUint16(start + 10, scale);
}

function wholeGroup(bytes: Buffer, from: number, place: number): number {
  let value = 0;
  for (let at = Math.max(place, from); at < place + 4; at++) value = value * 10 + (bytes[at] ?? 0) - ZERO;
  return value;
}

function fractionGroup(bytes: Buffer, place: number, end: number): number {
  let value = 0;
  for (let at = place; at < place + 4; at++) value = value * 10 + (at < end ? (bytes[at] ?? 0) - ZERO : 0);
  return value;
}

function putSpecial(text: string, row: RowWriter): void {
  fixed(row, 8);
  row.view.setUint32(row.at, 0);
  row.view.setUint16(row.at + 4, SIGNS[text] ?? 0xc000);
  row.view.setUint16(row.at + 6, 0);
  row.at += 8;
}
