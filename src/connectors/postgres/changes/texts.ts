import { Failure } from '../../../errors.ts';
import type { WireKind } from '../types.ts';
import { EPOCH_SHIFT } from '../wire/values.ts';
import { cellText, copyCell, ensureRoom, type Convert, type RowWriter } from './row.ts';

/** Values that the server printed, as fields of a binary `COPY` row: one writer for each way a value lies there. */
export const fromText: Readonly<Record<WireKind, Convert>> = {
  bool(cell, row) {
    fixed(row, 1);
    row.bytes[row.at++] = cell.bytes[cell.at] === 0x74 ? 1 : 0;
  },
  int2(cell, row) {
    fixed(row, 2);
    row.at = row.bytes.writeInt16BE(Number(cellText(cell)), row.at);
  },
  int4(cell, row) {
    fixed(row, 4);
    row.at = row.bytes.writeInt32BE(Number(cellText(cell)), row.at);
  },
  int8(cell, row) {
    fixed(row, 8);
    row.at = row.bytes.writeBigInt64BE(BigInt(cellText(cell)), row.at);
  },
  float4(cell, row) {
    fixed(row, 4);
    row.at = row.bytes.writeFloatBE(Number(cellText(cell)), row.at);
  },
  float8(cell, row) {
    fixed(row, 8);
    row.at = row.bytes.writeDoubleBE(Number(cellText(cell)), row.at);
  },
  numeric(cell, row) {
    putNumeric(cellText(cell), row);
  },
  date(cell, row) {
    fixed(row, 4);
    row.at = row.bytes.writeInt32BE(parseDate(cellText(cell)), row.at);
  },
  timestamp(cell, row) {
    fixed(row, 8);
    row.at = row.bytes.writeBigInt64BE(parseTimestamp(cellText(cell)), row.at);
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

function parseDate(text: string): number {
  if (text === 'infinity') return HIGHEST.date;
  if (text === '-infinity') return -HIGHEST.date - 1;
  return Number((secondsOf(text) - EPOCH_SHIFT / 1_000_000n) / DAY);
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

function putNumeric(text: string, row: RowWriter): void {
  const special = SIGNS[text];
  const negative = text.startsWith('-');
  const [whole = '', fraction = ''] = special === undefined ? text.slice(negative ? 1 : 0).split('.') : [];
  const padded = whole.padStart(Math.ceil(whole.length / 4) * 4, '0');
  const digits = padded + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
  const groups = Array.from({ length: digits.length / 4 }, (_, at) => Number(digits.slice(at * 4, at * 4 + 4)));
  let weight = padded.length / 4 - 1;
  let first = 0;
  while (first < groups.length && groups[first] === 0) first++;
  weight -= first;
  let last = groups.length;
  while (last > first && groups[last - 1] === 0) last--;
  fixed(row, 8 + (last - first) * 2);
  const { view } = row;
  view.setInt16(row.at, last - first);
  view.setInt16(row.at + 2, last === first ? 0 : weight);
  view.setUint16(row.at + 4, special ?? (negative ? 0x4000 : 0));
  view.setUint16(row.at + 6, fraction.length);
  row.at += 8;
  for (let at = first; at < last; at++, row.at += 2) view.setUint16(row.at, groups[at] ?? 0);
}
