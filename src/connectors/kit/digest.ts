import { hash } from 'node:crypto';
import { canonicalText, isPresent, readValue } from '../../columns/index.ts';
import type { ColumnBatch, ColumnType, ColumnValue, ColumnVector } from '../../columns/index.ts';

/**
 * Sums over rows by which two sides compare what they hold without moving it. A row is the texts of its columns (below),
 * `\u0001` for null, joined by `\u0002`; its number is made of the first 15 hexadecimal digits of the MD5 of that in UTF-8. A
 * bucket adds up the numbers of its rows; a row is in the bucket of the first two hexadecimal digits of the MD5 of its
 * key's texts, joined alike, modulo the count of buckets. Source SQL and the table's reader compute the same:
 *
 * | type           | text                                                                             |
 * |----------------|----------------------------------------------------------------------------------|
 * | boolean        | `t`, `f`                                                                          |
 * | int, long      | digits                                                                           |
 * | float, double  | 16 hexadecimal digits of the 64-bit form, big end first; NaN `7ff8000000000000`, −0 as 0 |
 * | decimal        | `canonicalText`                                                                   |
 * | timestamp      | microseconds since 1970                                                          |
 * | string         | itself                                                                           |
 */
export interface Digest {
  /** By bucket number. */
  readonly buckets: readonly DigestBucket[];
  /** Names of the columns that went in; others cannot be compared on this side. */
  readonly columns: readonly string[];
}

export interface DigestBucket {
  readonly rows: number;
  /** Decimal digits. */
  readonly sum: string;
}

export const DIGEST_NULL = '\u0001';
export const DIGEST_SEPARATOR = '\u0002';
/** At most; two hexadecimal digits tell them apart. */
export const MOST_BUCKETS = 256;

/** Adds up batches of a table. `columns` and `key` are positions in the batches, in the order of the other side. */
export function createDigester(places: {
  readonly columns: readonly number[];
  readonly key: readonly number[];
  readonly buckets: number;
}): { add(batch: ColumnBatch, isLeftOut?: (row: number) => boolean): void; finish(): readonly DigestBucket[] } {
  const rows = Array.from({ length: places.buckets }, () => 0);
  const sums = Array.from({ length: places.buckets }, () => 0n);
  return {
    add(batch, isLeftOut) {
      const readers = batch.columns.map(textReader);
      for (let row = 0; row < batch.rows; row++) {
        // Also for rows that are left out: a reader goes from value to value.
        const line = readers.map((read) => read(row));
        if (isLeftOut?.(row) === true) continue;
        const key = hash('md5', places.key.map((at) => line[at]).join(DIGEST_SEPARATOR), 'hex');
        const whole = hash('md5', places.columns.map((at) => line[at]).join(DIGEST_SEPARATOR), 'hex');
        const bucket = Number.parseInt(key.slice(0, 2), 16) % places.buckets;
        rows[bucket]! += 1;
        sums[bucket]! += BigInt(`0x${whole.slice(0, 15)}`);
      }
    },
    finish: () => rows.map((count, bucket) => ({ rows: count, sum: String(sums[bucket]) })),
  };
}

/** The texts of a vector, asked for row by row in order. */
function textReader(vector: ColumnVector): (row: number) => string {
  let index = 0;
  const { type } = vector.column;
  if (vector.constant === true) {
    const text = digestText(type, readValue(vector, 0));
    return () => text;
  }
  return (row) => (isPresent(vector, row) ? digestText(type, readValue(vector, index++)) : DIGEST_NULL);
}

function digestText(type: ColumnType, value: ColumnValue): string {
  switch (type.kind) {
    case 'boolean':
      return value === true ? 't' : 'f';
    case 'float':
    case 'double':
      return bitsOf(Number(value));
    case 'timestamp':
      return String(value);
    default:
      return canonicalText(type, value);
  }
}

const bits = new DataView(new ArrayBuffer(8));

function bitsOf(number: number): string {
  if (Number.isNaN(number)) return '7ff8000000000000';
  bits.setFloat64(0, number === 0 ? 0 : number);
  return bits.getBigUint64(0).toString(16).padStart(16, '0');
}
