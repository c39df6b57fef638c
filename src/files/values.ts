/** Numbers and times as files spell them; nothing passes through a double that a double cannot hold. */

const LOW = 4294967296;
const MICROS_OF_DAY = 86_400_000_000;
/** Numbers of at most so many digits are exact in a double. */
const SAFE_DIGITS = 15;

const LONGEST = 2n ** 63n;
const NUMBER = /^-?(?:(?:0|[1-9]\d*)(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Writes a 64-bit integer into two lanes. */
export function storeLong(lanes: Int32Array, at: number, value: bigint): void {
  lanes[at] = Number(BigInt.asIntN(32, value));
  lanes[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

/** Writes an integer of at most 53 bits into two lanes. */
export function storeSafe(lanes: Int32Array, at: number, value: number): void {
  const high = Math.floor(value / LOW);
  lanes[at] = (value - high * LOW) | 0;
  lanes[at + 1] = high;
}

/** Digits with an optional minus sign, no leading zeros: the only spelling that reads back as the same text. */
export function isInteger(text: string): boolean {
  let at = text.charCodeAt(0) === 45 ? 1 : 0;
  const digits = text.length - at;
  if (digits === 0) return false;
  if (text.charCodeAt(at) === 48) return digits === 1 && at === 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

export function fitsLong(integer: string): boolean {
  if (integer.length <= 18) return true;
  if (integer.length > 20) return false;
  const value = BigInt(integer);
  return value < LONGEST && value >= -LONGEST;
}

/** Stores an integer's text as 64 bits; false when it is none, or too large. */
export function storeInteger(lanes: Int32Array, at: number, text: string): boolean {
  if (!isInteger(text)) return false;
  if (text.length <= SAFE_DIGITS) {
    storeSafe(lanes, at, Number(text));
    return true;
  }
  if (!fitsLong(text)) return false;
  storeLong(lanes, at, BigInt(text));
  return true;
}

export function isNumber(text: string): boolean {
  return NUMBER.test(text);
}

/** A number's text as an integer of this scale; undefined when it is none, or has more digits behind the point. */
export function parseDecimal(text: string, scale: number): bigint | undefined {
  const match = /^(-?)(\d*)(?:\.(\d+))?$/.exec(text);
  if (!match || !isNumber(text)) return undefined;
  const [, sign = '', whole = '', fraction = ''] = match;
  if (/[1-9]/.test(fraction.slice(scale))) return undefined;
  const unscaled = BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0'));
  return sign === '' ? unscaled : -unscaled;
}

/** Digits that carry the value: without sign, point, exponent and the zeros before them. */
export function significantDigits(number: string): number {
  return number
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '').length;
}

/** Year, month, day, hour, minute, second, fraction, zone. */
const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(Z|z|[+-]\d\d(?::?\d\d)?))?)?$/;

const FIRST_MICROS = 0;
const LAST_DAY_SECONDS = 253_402_300_799;

/**
 * Microseconds since 1970 of an ISO 8601 date or time, UTC where it names no zone; undefined for other texts and for days
 * that do not exist. Finer fractions are cut. Years before 1 and after 9999 become the ends that the lake knows.
 */
export function parseTime(text: string): bigint | undefined {
  const found = findSeconds(text);
  if (!found) return undefined;
  const { seconds, micros } = found;
  if (seconds < FIRST_SECOND) return BigInt(FIRST_MICROS);
  if (seconds > LAST_DAY_SECONDS) return BigInt(LAST_DAY_SECONDS) * 1_000_000n + 999_999n;
  return BigInt(seconds) * 1_000_000n + BigInt(micros);
}

/** 0001-01-01. */
const FIRST_SECOND = -62_135_596_800;

function findSeconds(text: string): { seconds: number; micros: number } | undefined {
  // The shortest is a date; a quick look at its dashes keeps most texts from the pattern.
  if (text.length < 10 || text.length > 40 || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined;
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [hour, minute, second] = [Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0)];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  if (day > daysOf(year, month)) return undefined;
  const fraction = match[7] ?? '';
  const micros = fraction === '' ? 0 : Number(fraction.slice(0, 6).padEnd(6, '0'));
  const shift = zoneMinutes(match[8]);
  if (shift === undefined) return undefined;
  const seconds = (daysSince1970(year, month, day) * 1440 + hour * 60 + minute - shift) * 60 + second;
  return { seconds, micros };
}

/** Stores a time's text as microseconds; false when it is none. */
export function storeTime(lanes: Int32Array, at: number, text: string): boolean {
  const found = findSeconds(text);
  if (!found) return false;
  const { seconds, micros } = found;
  // 2^53 microseconds are some 285 years from 1970 in either direction.
  if (seconds > -9_000_000_000 && seconds < 9_000_000_000) storeSafe(lanes, at, seconds * 1_000_000 + micros);
  else storeLong(lanes, at, parseTime(text) ?? 0n);
  return true;
}

/** Clamps microseconds to the years that the lake knows. */
export function clampMicros(micros: bigint): bigint {
  if (micros < BigInt(FIRST_SECOND) * 1_000_000n) return BigInt(FIRST_MICROS);
  const last = BigInt(LAST_DAY_SECONDS) * 1_000_000n + 999_999n;
  return micros > last ? last : micros;
}

/** Microseconds of a day counted from 1970. */
export function microsOfDays(days: number): bigint {
  return clampMicros(BigInt(days) * BigInt(MICROS_OF_DAY));
}

function zoneMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || 0);
  if (hours > 18 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days of the Gregorian calendar, counted in years that begin in March, so that a leap day ends its year. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}
