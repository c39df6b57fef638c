import { daysOf, multiplyAdd, negate, type LanePlace } from '../wire/values.ts';

/** Conversions of single values of row images that the generated decoders call. */

/** Bytes that so many left-over decimal digits take. */
export const DIGIT_BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;

const GROUP = 9;
const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const;

export interface DecimalLayout {
  readonly precision: number;
  readonly scale: number;
}

/** The groups of a packed decimal in order: how many digits, in how many bytes. */
export function decimalGroups({ precision, scale }: DecimalLayout): { digits: number; bytes: number }[] {
  const whole = precision - scale;
  const counts = [
    whole % GROUP,
    ...Array.from({ length: Math.floor(whole / GROUP) }, () => GROUP),
    ...Array.from({ length: Math.floor(scale / GROUP) }, () => GROUP),
    scale % GROUP,
  ];
  return counts.filter((digits) => digits > 0).map((digits) => ({ digits, bytes: DIGIT_BYTES[digits] ?? 4 }));
}

export function decimalBytes(layout: DecimalLayout): number {
  return decimalGroups(layout).reduce((sum, group) => sum + group.bytes, 0);
}

interface DecimalTarget extends LanePlace {
  readonly lanes: number;
  /** Zeros that the lake's scale has more. */
  readonly shift: number;
}

/**
 * Writes a packed decimal × 10^shift as lanes. Groups of up to nine digits, each big-endian; the first bit is inverted, and a negative
 * number is inverted as a whole.
 */
export function storePackedDecimal(source: Uint8Array, at: number, target: DecimalTarget & DecimalLayout): void {
  const { out, index, lanes, shift } = target;
  for (let lane = 0; lane < lanes; lane++) out[index + lane] = 0;
  const isNegative = ((source[at] ?? 0) & 0x80) === 0;
  eachGroup(source, { at, layout: target }, (value, digits) => {
    // A factor may have six digits at most to stay exact.
    const first = Math.min(digits, 5);
    multiplyAdd(target, POWERS[first] ?? 1, 0);
    multiplyAdd(target, POWERS[digits - first] ?? 1, value);
  });
  for (let left = shift; left > 0; left -= 5) multiplyAdd(target, POWERS[Math.min(left, 5)] ?? 1, 0);
  if (isNegative) negate(target);
}

/** A packed decimal as the server prints it. */
export function packedDecimalText(source: Uint8Array, at: number, layout: DecimalLayout): string {
  let digits = '';
  eachGroup(source, { at, layout }, (value, count) => (digits += String(value).padStart(count, '0')));
  const { precision, scale } = layout;
  const whole = digits.slice(0, precision - scale).replace(/^0+(?=\d)/, '') || '0';
  const text = scale === 0 ? whole : `${whole}.${digits.slice(precision - scale)}`;
  const isNegative = ((source[at] ?? 0) & 0x80) === 0;
  return isNegative && /[1-9]/.test(text) ? `-${text}` : text;
}

function eachGroup(source: Uint8Array, { at, layout }: Packed, visit: (value: number, digits: number) => void): void {
  const mask = ((source[at] ?? 0) & 0x80) === 0 ? 0xff : 0;
  let place = at;
  for (const { digits, bytes } of decimalGroups(layout)) {
    let value = 0;
    for (let byte = 0; byte < bytes; byte++, place++) {
      const stored = (source[place] ?? 0) ^ (place === at ? 0x80 : 0);
      value = value * 256 + (stored ^ mask);
    }
    visit(value, digits);
  }
}

interface Packed {
  readonly at: number;
  readonly layout: DecimalLayout;
}

/** Microseconds of a fraction of `digits` digits, stored in half as many bytes, big-endian. */
export function fractionMicros(source: Uint8Array, at: number, digits: number): number {
  const bytes = (digits + 1) >> 1;
  let value = 0;
  for (let byte = 0; byte < bytes; byte++) value = value * 256 + (source[at + byte] ?? 0);
  return value * 10 ** (6 - bytes * 2);
}

/** Seconds since 1970 of a packed datetime of five bytes; 0 for a zero date, NaN for what is no day of the calendar. */
export function datetimeSeconds(source: Uint8Array, at: number): number {
  const high = (source[at] ?? 0) * 256 + (source[at + 1] ?? 0);
  const low = ((source[at + 2] ?? 0) << 16) | ((source[at + 3] ?? 0) << 8) | (source[at + 4] ?? 0);
  const months = ((high & 0x7fff) << 2) | (low >>> 22);
  const year = Math.floor(months / 13);
  if (year < 1) return 0;
  const days = daysOf(year, months % 13, (low >>> 17) & 31);
  return days * 86_400 + ((low >>> 12) & 31) * 3600 + ((low >>> 6) & 63) * 60 + (low & 63);
}

/** Seconds since 1970 of a date of three bytes: 5 bits day, 4 bits month, year. */
export function dateSeconds(source: Uint8Array, at: number): number {
  const packed = (source[at] ?? 0) | ((source[at + 1] ?? 0) << 8) | ((source[at + 2] ?? 0) << 16);
  const year = packed >>> 9;
  return year < 1 ? 0 : daysOf(year, (packed >>> 5) & 15, packed & 31) * 86_400;
}

/** Seconds since 1970 of a datetime of servers before MySQL 5.6: YYYYMMDDHHMMSS as a number. */
export function oldDatetimeSeconds(view: DataView, at: number): number {
  const packed = Number(view.getBigUint64(at, true));
  const day = Math.floor(packed / 1_000_000);
  const time = packed % 1_000_000;
  const year = Math.floor(day / 10_000);
  if (year < 1) return 0;
  const days = daysOf(year, Math.floor(day / 100) % 100, day % 100);
  return days * 86_400 + Math.floor(time / 10_000) * 3600 + (Math.floor(time / 100) % 100) * 60 + (time % 100);
}

const two = (value: number): string => String(value).padStart(2, '0');

/** A time of three bytes and a fraction, as the server prints it; negative ones are stored as complement. */
export function timeText(source: Uint8Array, at: number, digits: number): string {
  const bytes = 3 + ((digits + 1) >> 1);
  let stored = 0n;
  for (let byte = 0; byte < bytes; byte++) stored = stored * 256n + BigInt(source[at + byte] ?? 0);
  const fractionBits = BigInt((bytes - 3) * 8);
  const value = stored - (0x80_0000n << fractionBits);
  const size = value < 0n ? -value : value;
  const packed = Number(size >> fractionBits);
  const fraction = Number(size & ((1n << fractionBits) - 1n));
  const text = `${two((packed >>> 12) & 0x3ff)}:${two((packed >>> 6) & 63)}:${two(packed & 63)}`;
  const behind =
    digits === 0
      ? ''
      : `.${String(fraction)
          .padStart((bytes - 3) * 2, '0')
          .slice(0, digits)}`;
  return `${value < 0n ? '-' : ''}${text}${behind}`;
}

/** A time of servers before MySQL 5.6: HHMMSS as a signed number of three bytes. */
export function oldTimeText(source: Uint8Array, at: number): string {
  const raw = (source[at] ?? 0) | ((source[at + 1] ?? 0) << 8) | ((source[at + 2] ?? 0) << 16);
  const value = (raw << 8) >> 8;
  const size = Math.abs(value);
  return `${value < 0 ? '-' : ''}${two(Math.floor(size / 10_000))}:${two(Math.floor(size / 100) % 100)}:${two(size % 100)}`;
}

/** MariaDB keeps time-based uuids with their parts in reverse order; the bits of the variant tell which. */
export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  const isReversed = ((bytes[6] ?? 0) & 0x80) !== 0 && (bytes[8] ?? 0) >> 4 >= 1 && (bytes[8] ?? 0) >> 4 <= 5;
  const parts = isReversed
    ? [hex.slice(24), hex.slice(20, 24), hex.slice(16, 20), hex.slice(12, 16), hex.slice(0, 12)]
    : [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return parts.join('-');
}

/** As the server prints it: the longest row of zeros cut, an embedded IPv4 address in its own form. */
export function inet6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2));
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const embeds = best.at === 0 && (best.length === 6 || (best.length === 5 && groups[5] === 0xffff));
  const print = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (embeds) return `::${best.length === 5 ? 'ffff:' : ''}${[...bytes.subarray(12)].join('.')}`;
  if (best.at < 0) return print(0, 8);
  return `${print(0, best.at)}::${print(best.at + best.length, 8)}`;
}
