import { packedDecimalText } from './values.ts';

/**
 * The binary JSON of MySQL's row images as text, spelled as the server prints it: `, ` between members, `: ` after names,
 * numbers as they are. Offsets inside a container count from its first byte.
 */

const KIND = {
  smallObject: 0,
  largeObject: 1,
  smallArray: 2,
  largeArray: 3,
  literal: 4,
  int16: 5,
  uint16: 6,
  int32: 7,
  uint32: 8,
  int64: 9,
  uint64: 10,
  double: 11,
  string: 12,
  opaque: 15,
} as const;

const LITERALS = ['null', 'true', 'false'];
const DEEPEST = 200;

export function jsonText(document: Buffer): string {
  // An empty value stands for what an old server could not write.
  return document.length === 0 ? 'null' : valueText({ bytes: document, kind: document[0] ?? 0, at: 1, depth: 0 });
}

interface Place {
  readonly bytes: Buffer;
  readonly kind: number;
  readonly at: number;
  readonly depth: number;
}

function valueText(place: Place): string {
  const { bytes, kind, at } = place;
  if (place.depth > DEEPEST) throw new RangeError('a JSON document is nested too deeply');
  switch (kind) {
    case KIND.smallObject:
    case KIND.smallArray:
      return containerText(place, 2);
    case KIND.largeObject:
    case KIND.largeArray:
      return containerText(place, 4);
    case KIND.literal:
      return LITERALS[bytes[at] ?? 0] ?? 'null';
    case KIND.int16:
      return String(bytes.readInt16LE(at));
    case KIND.uint16:
      return String(bytes.readUInt16LE(at));
    case KIND.int32:
      return String(bytes.readInt32LE(at));
    case KIND.uint32:
      return String(bytes.readUInt32LE(at));
    case KIND.int64:
      return String(bytes.readBigInt64LE(at));
    case KIND.uint64:
      return String(bytes.readBigUInt64LE(at));
    case KIND.double:
      return doubleText(bytes.readDoubleLE(at));
    case KIND.string: {
      const { length, next } = readLength(bytes, at);
      return JSON.stringify(bytes.toString('utf8', next, next + length));
    }
    case KIND.opaque:
      return opaqueText(bytes, at);
    default:
      throw new RangeError(`a JSON document holds a value of the unknown kind ${kind}`);
  }
}

/** A whole number keeps a point, so that it stays a double. */
function doubleText(value: number): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function containerText(place: Place, width: 2 | 4): string {
  const { bytes, kind, at: start, depth } = place;
  const isObject = kind === KIND.smallObject || kind === KIND.largeObject;
  const read = (at: number): number => (width === 2 ? bytes.readUInt16LE(start + at) : bytes.readUInt32LE(start + at));
  const count = read(0);
  const keysAt = 2 * width;
  const valuesAt = keysAt + (isObject ? count * (width + 2) : 0);
  const parts: string[] = [];
  for (let member = 0; member < count; member++) {
    const entry = valuesAt + member * (1 + width);
    const memberKind = bytes[start + entry] ?? 0;
    const isInline = memberKind >= KIND.literal && memberKind <= (width === 4 ? KIND.uint32 : KIND.uint16);
    const at = isInline ? start + entry + 1 : start + read(entry + 1);
    const value = valueText({ bytes, kind: memberKind, at, depth: depth + 1 });
    if (!isObject) {
      parts.push(value);
      continue;
    }
    const key = keysAt + member * (width + 2);
    const keyAt = start + read(key);
    const length = bytes.readUInt16LE(start + key + width);
    parts.push(`${JSON.stringify(bytes.toString('utf8', keyAt, keyAt + length))}: ${value}`);
  }
  return isObject ? `{${parts.join(', ')}}` : `[${parts.join(', ')}]`;
}

const DECIMAL = 246;
const TIME = 11;
const DATES = new Set([7, 10, 12]);

/** A value of another type of the server: decimals and times in their text, all else in base64 as the server names it. */
function opaqueText(bytes: Buffer, at: number): string {
  const type = bytes[at] ?? 0;
  const { length, next } = readLength(bytes, at + 1);
  const value = bytes.subarray(next, next + length);
  if (type === DECIMAL) return decimalText(value);
  if (type === TIME || DATES.has(type)) return JSON.stringify(timeText(type, value.readBigInt64LE(0)));
  return JSON.stringify(`base64:type${type}:${value.toString('base64')}`);
}

function decimalText(value: Buffer): string {
  const [precision = 0, scale = 0] = value;
  return packedDecimalText(value, 2, { precision, scale });
}

const padded = (value: bigint, digits = 2): string => String(value).padStart(digits, '0');

/** 40 bits of date and time, 24 of microseconds, as one signed number. */
function timeText(type: number, packed: bigint): string {
  const size = packed < 0n ? -packed : packed;
  const clock = size >> 24n;
  const micros = padded(size & 0xff_ffffn, 6);
  const minutes = `${padded((clock >> 6n) & 63n)}:${padded(clock & 63n)}`;
  if (type === TIME) return `${packed < 0n ? '-' : ''}${padded((clock >> 12n) & 0x3ffn)}:${minutes}.${micros}`;
  const months = clock >> 22n;
  const day = `${padded(months / 13n, 4)}-${padded(months % 13n)}-${padded((clock >> 17n) & 31n)}`;
  return type === 10 ? day : `${day} ${padded((clock >> 12n) & 31n)}:${minutes}.${micros}`;
}

/** Seven bits per byte, low ones first; the eighth says that more follow. */
function readLength(bytes: Buffer, at: number): { length: number; next: number } {
  let length = 0;
  for (let byte = 0; byte < 5; byte++) {
    const part = bytes[at + byte] ?? 0;
    length += (part & 0x7f) * 2 ** (7 * byte);
    if (part < 0x80) return { length, next: at + byte + 1 };
  }
  throw new RangeError('a JSON document holds a length of more than 32 bits');
}
