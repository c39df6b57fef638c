import type { PartitionValue } from './model.ts';

/** A value in Iceberg's single-value binary form. Decimals come as their bytes already. */
export function encodeSingleValue(type: string, value: Exclude<PartitionValue, null>): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(value);
  if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
  const bytes = Buffer.alloc(type === 'int' || type === 'date' || type === 'float' ? 4 : 8);
  if (type === 'float') bytes.writeFloatLE(Number(value));
  else if (type === 'double') bytes.writeDoubleLE(Number(value));
  else if (bytes.length === 4) bytes.writeInt32LE(Number(value));
  else bytes.writeBigInt64LE(BigInt(value));
  return bytes;
}

/** The smallest two's complement form of an integer, most significant byte first, as decimals are stored. */
export function bigEndianBytes(value: bigint): Uint8Array {
  let width = 1;
  while (BigInt.asIntN(width * 8, value) !== value) width += 1;
  return bigEndianFixed(value, width);
}

/** The same in exactly `width` bytes. */
export function bigEndianFixed(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = value;
  for (let at = width - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The integer of two's complement bytes, most significant first. */
export function readBigEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}

const BOUND_CODE_POINTS = 16;

/** A lower bound of a string: the first 16 code points. */
export function truncateLower(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, cutAfterCodePoints(bytes, BOUND_CODE_POINTS));
}

/**
 * An upper bound of a string: the first 16 code points, the last of them that can be raised raised by one. Undefined when
 * none can be raised: then the column has no upper bound.
 */
export function truncateUpper(bytes: Uint8Array): Uint8Array | undefined {
  const end = cutAfterCodePoints(bytes, BOUND_CODE_POINTS);
  if (end === bytes.length) return bytes;
  const points = Array.from(Buffer.from(bytes.subarray(0, end)).toString());
  while (points.length > 0) {
    const next = points.pop()!.codePointAt(0)! + 1;
    if (next > 0x10ffff) continue;
    // Surrogates are no characters; the next valid one follows them.
    points.push(String.fromCodePoint(next >= 0xd800 && next <= 0xdfff ? 0xe000 : next));
    return Buffer.from(points.join(''));
  }
  return undefined;
}

function cutAfterCodePoints(bytes: Uint8Array, most: number): number {
  let points = 0;
  for (let at = 0; at < bytes.length; at++) {
    const startsCodePoint = (bytes[at]! & 0xc0) !== 0x80;
    if (startsCodePoint && ++points > most) return at;
  }
  return bytes.length;
}
