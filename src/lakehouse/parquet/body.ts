import type { ColumnVector } from '../../columns/index.ts';
import type { Dictionary } from './dictionary.ts';
import type { PageRange } from './pages.ts';
import type { FileColumn } from './schema.ts';

/**
 * The body of one page, assembled in scratch space that grows to the largest page seen. There is one per process, for
 * all columns of all writers: chunks are encoded without awaiting in between.
 */
let bytes = Buffer.allocUnsafe(1 << 16);
let end = 0;

/** Scratch beyond this size is given back after the page, so that one huge value does not stay in memory. */
const KEPT_BYTES = 4 << 20;

function reserve(more: number): void {
  if (end + more <= bytes.length) return;
  const grown = Buffer.allocUnsafe(Math.max(Math.min(bytes.length * 2, KEPT_BYTES), end + more));
  bytes.copy(grown, 0, 0, end);
  bytes = grown;
}

function varint(value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes[end++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  bytes[end++] = rest;
}

export interface PageParts {
  readonly file: FileColumn;
  readonly vector: ColumnVector;
  readonly page: PageRange;
  readonly dictionary: Dictionary | undefined;
}

/** Levels and values of one page, as they lie in it before compression. Valid until the next call. */
export function assemblePage({ file, vector, page, dictionary }: PageParts): Uint8Array {
  startPage();
  if (file.column.nullable) appendDefinitionLevels(vector, page);
  if (dictionary === undefined) appendPlain(file, vector, page);
  else appendCodes(dictionary, page);
  return bytes.subarray(0, end);
}

/** The first value of a vector alone, plain encoded. Valid until the next call. */
export function plainValue(file: FileColumn, vector: ColumnVector): Uint8Array {
  startPage();
  appendPlain(file, vector, { rows: 1, firstRow: 0, firstValue: 0, values: 1 });
  return bytes.subarray(0, end);
}

function startPage(): void {
  if (bytes.length > KEPT_BYTES) bytes = Buffer.allocUnsafe(1 << 16);
  end = 0;
}

function appendDefinitionLevels(vector: ColumnVector, page: PageRange): void {
  const groups = (page.rows + 7) >> 3;
  reserve(14 + groups);
  const lengthAt = end;
  end += 4;
  if (page.values === page.rows || page.values === 0) {
    varint(page.rows * 2);
    bytes[end++] = page.values === page.rows ? 1 : 0;
  } else {
    varint(groups * 2 + 1);
    bytes.set(vector.validity.subarray(page.firstRow >> 3, (page.firstRow >> 3) + groups), end);
    end += groups;
    if (page.rows & 7) bytes[end - 1]! &= (1 << (page.rows & 7)) - 1;
  }
  bytes.writeInt32LE(end - lengthAt - 4, lengthAt);
}

function appendCodes(dictionary: Dictionary, page: PageRange): void {
  if (dictionary.size === 1) {
    reserve(8);
    bytes[end++] = 1;
    varint(page.values * 2);
    bytes[end++] = 0;
    return;
  }
  const width = 32 - Math.clz32(dictionary.size - 1);
  const groups = (page.values + 7) >> 3;
  reserve(16 + groups * width);
  bytes[end++] = width;
  varint(groups * 2 + 1);
  packBits(dictionary.codes.subarray(page.firstValue, page.firstValue + page.values), width, bytes.subarray(end));
  end += groups * width;
}

function appendPlain(file: FileColumn, vector: ColumnVector, page: PageRange): void {
  const { type } = file.column;
  const { width } = file.physical;
  if (type.kind === 'boolean') {
    reserve((page.values + 7) >> 3);
    end += packBooleans(vector, page, bytes.subarray(end));
  } else if (type.kind === 'string') {
    const offsets = vector.values as Int32Array;
    reserve(offsets[page.firstValue + page.values]! - offsets[page.firstValue]! + 4 * page.values);
    end += packStrings(vector, page, bytes.subarray(end));
  } else {
    const length = page.values * width;
    reserve(length);
    if (type.kind === 'decimal' && type.precision > 18) {
      packWideDecimals(vector.values as Int32Array, page, bytes.subarray(end, end + length));
    } else {
      const start = vector.values.byteOffset + page.firstValue * width;
      bytes.set(new Uint8Array(vector.values.buffer, start, length), end);
    }
    end += length;
  }
}

/** Packs codes of `width` bits, least significant bit first, into whole groups of eight (the rest is zero). */
export function packBits(codes: Int32Array, width: number, target: Uint8Array): void {
  const count = codes.length;
  const length = ((count + 7) >> 3) * width;
  let pending = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const code = codes[i]!;
    pending |= code << bits;
    bits += width;
    if (bits >= 32) {
      target[at] = pending;
      target[at + 1] = pending >>> 8;
      target[at + 2] = pending >>> 16;
      target[at + 3] = pending >>> 24;
      at += 4;
      bits -= 32;
      pending = bits === 0 ? 0 : code >>> (width - bits);
    }
  }
  while (at < length) {
    target[at++] = pending;
    pending >>>= 8;
  }
}

function packBooleans(vector: ColumnVector, page: PageRange, target: Uint8Array): number {
  const length = (page.values + 7) >> 3;
  if (vector.constant) {
    target.fill(vector.values[0] === 0 ? 0 : 255, 0, length);
    return length;
  }
  const values = vector.values as Uint8Array;
  let at = page.firstValue;
  const last = at + page.values;
  for (let byte = 0; byte < length; byte++) {
    let packed = 0;
    for (let bit = 0; bit < 8 && at < last; bit++) packed |= (values[at++] === 0 ? 0 : 1) << bit;
    target[byte] = packed;
  }
  return length;
}

/** Strings up to this length are copied word by word, which beats a call into the engine's copy. */
const SHORT_STRING = 64;

function packStrings(vector: ColumnVector, page: PageRange, target: Uint8Array): number {
  const offsets = vector.values as Int32Array;
  const { heap } = vector;
  const from = new DataView(heap.buffer, heap.byteOffset, heap.length);
  const to = new DataView(target.buffer, target.byteOffset, target.length);
  let at = 0;
  let start = offsets[page.firstValue]!;
  for (let value = page.firstValue; value < page.firstValue + page.values; value++) {
    const stop = offsets[value + 1]!;
    const length = stop - start;
    to.setInt32(at, length, true);
    at += 4;
    if (length < SHORT_STRING) {
      for (; start + 4 <= stop; start += 4, at += 4) to.setInt32(at, from.getInt32(start, true), true);
      while (start < stop) to.setUint8(at++, from.getUint8(start++));
    } else {
      target.set(heap.subarray(start, stop), at);
      at += length;
      start = stop;
    }
  }
  return at;
}

/** Four lanes, low word first, become big-endian two's complement of the target's width. */
function packWideDecimals(lanes: Int32Array, page: PageRange, target: Uint8Array): void {
  const width = target.length / page.values;
  let at = 0;
  for (let i = page.firstValue; i < page.firstValue + page.values; i++) {
    for (let byte = width - 1; byte >= 0; byte--) {
      target[at++] = lanes[4 * i + (byte >> 2)]! >>> ((byte & 3) * 8);
    }
  }
}
