import { readLength } from '../wire/packets.ts';
import type { LogEvent } from './events.ts';

/** Type codes of the log. */
export const TYPE = {
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  date: 10,
  time: 11,
  datetime: 12,
  year: 13,
  varchar: 15,
  bit: 16,
  timestamp2: 17,
  datetime2: 18,
  time2: 19,
  blobCompressed: 140,
  varcharCompressed: 141,
  json: 245,
  decimal: 246,
  enum: 247,
  set: 248,
  blob: 252,
  varString: 253,
  string: 254,
  geometry: 255,
} as const;

/** A column as the log describes it. */
export interface MappedColumn {
  readonly type: number;
  /**
   * By type: bytes of the length (blobs, json, geometry), longest value in bytes (strings), bytes of the value (enum, set,
   * bit), digits of the fraction (times); `precision × 256 + scale` for decimals.
   */
  readonly detail: number;
  /** There when the log is written with binlog_row_metadata=FULL. */
  readonly name?: string;
}

export interface TableMap {
  readonly namespace: string;
  readonly name: string;
  readonly columns: readonly MappedColumn[];
}

const DETAIL_BYTES: Readonly<Record<number, number>> = {
  [TYPE.float]: 1,
  [TYPE.double]: 1,
  [TYPE.varchar]: 2,
  [TYPE.varString]: 2,
  [TYPE.bit]: 2,
  [TYPE.timestamp2]: 1,
  [TYPE.datetime2]: 1,
  [TYPE.time2]: 1,
  [TYPE.blobCompressed]: 1,
  [TYPE.varcharCompressed]: 2,
  [TYPE.json]: 1,
  [TYPE.decimal]: 2,
  [TYPE.enum]: 2,
  [TYPE.set]: 2,
  242: 1,
  249: 1,
  250: 1,
  251: 1,
  [TYPE.blob]: 1,
  [TYPE.string]: 2,
  [TYPE.geometry]: 1,
};

const COLUMN_NAMES = 4;

/** The number of the table in a table map or rows event: 6 bytes. */
export function tableNumber({ bytes, from }: LogEvent): number {
  return bytes.readUIntLE(from, 6);
}

/** Number, flags; schema and table with length and NUL; types, details, null bits, further facts. */
export function parseTableMap({ bytes, from, end }: LogEvent): TableMap {
  let at = from + 8;
  const text = (): string => {
    const length = bytes[at] ?? 0;
    const value = bytes.toString('utf8', at + 1, at + 1 + length);
    at += length + 2;
    return value;
  };
  const namespace = text();
  const name = text();
  const count = readLength(bytes, at);
  const types = bytes.subarray(count.next, count.next + count.value);
  const details = readLength(bytes, count.next + count.value);
  const columns: MappedColumn[] = [];
  let detailAt = details.next;
  for (const type of types) {
    columns.push(mapColumn(type, bytes, detailAt));
    detailAt += DETAIL_BYTES[type] ?? 0;
  }
  const names = readNames(bytes, details.next + details.value + ((count.value + 7) >> 3), end);
  return { namespace, name, columns: columns.map((column, index) => ({ ...column, name: names[index] })) };
}

function mapColumn(type: number, bytes: Buffer, at: number): MappedColumn {
  switch (type) {
    case TYPE.string:
    case TYPE.enum:
    case TYPE.set:
      return mapString(bytes[at] ?? 0, bytes[at + 1] ?? 0);
    case TYPE.bit:
      return { type, detail: ((bytes[at] ?? 0) + 7 + (bytes[at + 1] ?? 0) * 8) >> 3 };
    case TYPE.decimal:
      return { type, detail: (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0) };
    default:
      return {
        type,
        detail: DETAIL_BYTES[type] === 2 ? bytes.readUInt16LE(at) : DETAIL_BYTES[type] ? (bytes[at] ?? 0) : 0,
      };
  }
}

/** Two bits of the length of long strings are hidden, inverted, in the byte of the type. */
function mapString(first: number, second: number): MappedColumn {
  if ((first & 0x30) !== 0x30) return { type: first | 0x30, detail: second | (((first & 0x30) ^ 0x30) << 4) };
  return { type: first, detail: second };
}

/** Facts of a table come as type, length, value; the names are a row of texts with lengths. */
function readNames(bytes: Buffer, from: number, end: number): string[] {
  const names: string[] = [];
  let at = from;
  while (at < end) {
    const kind = bytes[at];
    const length = readLength(bytes, at + 1);
    at = length.next + length.value;
    if (kind !== COLUMN_NAMES) continue;
    for (let place = length.next; place < at;) {
      const part = readLength(bytes, place);
      place = part.next + part.value;
      names.push(bytes.toString('utf8', part.next, place));
    }
  }
  return names;
}
