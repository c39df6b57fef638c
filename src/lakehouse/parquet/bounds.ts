import type { ColumnType } from '../../columns/index.ts';

/** A smallest or largest value: strings as UTF-8 bytes, booleans as 0 or 1, decimals unscaled. */
export type Bound = number | bigint | Uint8Array;

/** Bytes of a bound in Iceberg's single-value form; for decimals big-endian in the fewest bytes. */
export function icebergBytes(type: ColumnType, bound: Bound): Uint8Array {
  if (type.kind === 'decimal')
    return bigEndian(BigInt(bound as number | bigint), minimalWidth(BigInt(bound as bigint)));
  return littleEndian(type, bound);
}

/** Bytes of a bound as Parquet's footer keeps it: plain encoding, without a length before strings. */
export function parquetBytes(type: ColumnType, bound: Bound, width: number): Uint8Array {
  if (type.kind !== 'decimal') return littleEndian(type, bound);
  if (type.precision > 18) return bigEndian(bound as bigint, width);
  const bytes = Buffer.alloc(width);
  if (width === 4) bytes.writeInt32LE(Number(bound));
  else bytes.writeBigInt64LE(BigInt(bound as bigint));
  return bytes;
}

function littleEndian(type: ColumnType, bound: Bound): Uint8Array {
  if (bound instanceof Uint8Array) return bound;
  const bytes = Buffer.alloc(type.kind === 'boolean' ? 1 : type.kind === 'int' || type.kind === 'float' ? 4 : 8);
  if (type.kind === 'boolean') bytes[0] = Number(bound);
  else if (type.kind === 'int') bytes.writeInt32LE(Number(bound));
  else if (type.kind === 'float') bytes.writeFloatLE(Number(bound));
  else if (type.kind === 'double') bytes.writeDoubleLE(Number(bound));
  else bytes.writeBigInt64LE(BigInt(bound));
  return bytes;
}

function minimalWidth(value: bigint): number {
  let width = 1;
  while (BigInt.asIntN(8 * width, value) !== value) width++;
  return width;
}

function bigEndian(value: bigint, width: number): Uint8Array {
  const bytes = Buffer.alloc(width);
  let rest = value;
  for (let at = width - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

const FOOTER_STRING_BYTES = 64;

/** A lower bound short enough for the footer: a prefix of whole characters, which is never above the value. */
export function shortenLower(text: Uint8Array): { bytes: Uint8Array; exact: boolean } {
  if (text.length <= FOOTER_STRING_BYTES) return { bytes: text, exact: true };
  return { bytes: text.subarray(0, characterStart(text, FOOTER_STRING_BYTES)), exact: false };
}

/** An upper bound short enough for the footer: a prefix whose last character is raised by one; undefined when none can. */
export function shortenUpper(text: Uint8Array): { bytes: Uint8Array; exact: boolean } | undefined {
  if (text.length <= FOOTER_STRING_BYTES) return { bytes: text, exact: true };
  const characters = [...Buffer.from(text.subarray(0, characterStart(text, FOOTER_STRING_BYTES))).toString()];
  while (characters.length > 0) {
    const last = characters.pop()!.codePointAt(0)!;
    if (last === 0x10ffff) continue;
    const raised = last === 0xd7ff ? 0xe000 : last + 1;
    return { bytes: Buffer.from(characters.join('') + String.fromCodePoint(raised)), exact: false };
  }
  return undefined;
}

/** The place at or before `at` where a UTF-8 character starts. */
function characterStart(text: Uint8Array, at: number): number {
  let start = at;
  while (start > 0 && (text[start]! & 0xc0) === 0x80) start--;
  return start;
}
