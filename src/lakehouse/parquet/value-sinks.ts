import type { ColumnType, ColumnVector } from '../../columns/index.ts';
import { lanesOf } from '../../columns/index.ts';

/** How the values of a chunk lie in the file. */
export interface StoredForm {
  readonly physical: string;
  /** Bytes of one fixed-length value. */
  readonly width: number;
  readonly type: ColumnType;
}

/** Takes the values of one column chunk, page by page. */
export interface ValueSink {
  /** Appends plain values from the page. */
  plain(page: Uint8Array, from: number, count: number): void;
  /** Sets the dictionary. */
  dictionary(page: Uint8Array, count: number): void;
  /** Appends values by their codes. */
  codes(codes: Int32Array): void;
  contents(): Pick<ColumnVector, 'values' | 'heap'>;
}

const noHeap = new Uint8Array(0);

/** A sink for a chunk of at most `rows` values; undefined for physical types that it does not know. */
export function createSink(form: StoredForm, rows: number, rawBytes: number): ValueSink | undefined {
  switch (form.physical) {
    case 'BOOLEAN':
      return booleanSink(rows);
    case 'INT32':
    case 'FLOAT':
      return wordSink(form, rows, 1);
    case 'INT64':
    case 'DOUBLE':
      return wordSink(form, rows, 2);
    case 'BYTE_ARRAY':
      return form.type.kind === 'string' ? textSink(rows, rawBytes) : undefined;
    case 'FIXED_LEN_BYTE_ARRAY':
      return form.type.kind === 'decimal' ? decimalSink(form, rows) : undefined;
    default:
      return undefined;
  }
}

function booleanSink(rows: number): ValueSink {
  const values = new Uint8Array(rows);
  let filled = 0;
  return {
    plain(page, from, count) {
      for (let index = 0; index < count; index++) {
        values[filled++] = (page[from + (index >> 3)]! >> (index & 7)) & 1;
      }
    },
    dictionary() {},
    // Booleans have no dictionary; run lengths hold the values themselves.
    codes(codes) {
      for (let index = 0; index < codes.length; index++) values[filled++] = codes[index]!;
    },
    contents: () => ({ values, heap: noHeap }),
  };
}

/** Values of one or two 32-bit words; doubles and longs are moved as words alike. */
function wordSink(form: StoredForm, rows: number, words: 1 | 2): ValueSink {
  const target = new Int32Array(rows * words);
  const bytes = new Uint8Array(target.buffer);
  let known = new Int32Array(0);
  let filled = 0;
  return {
    plain(page, from, count) {
      bytes.set(page.subarray(from, from + count * words * 4), filled * words * 4);
      filled += count;
    },
    dictionary(page, count) {
      known = new Int32Array(count * words);
      new Uint8Array(known.buffer).set(page.subarray(0, count * words * 4));
    },
    codes(codes) {
      const count = codes.length;
      if (words === 1) for (let index = 0; index < count; index++) target[filled + index] = known[codes[index]!]!;
      else {
        for (let index = 0, to = filled * 2; index < count; index++, to += 2) {
          const from = codes[index]! * 2;
          target[to] = known[from]!;
          target[to + 1] = known[from + 1]!;
        }
      }
      filled += count;
    },
    contents() {
      const { kind } = form.type;
      const { buffer } = target;
      const values =
        kind === 'float' ? new Float32Array(buffer) : kind === 'double' ? new Float64Array(buffer) : target;
      return { values, heap: noHeap };
    },
  };
}

/** Big-endian decimals of a fixed length, turned into lanes. */
function decimalSink({ type, width }: StoredForm, rows: number): ValueSink {
  const lanes = lanesOf(type);
  const target = new Int32Array(rows * lanes);
  let known = new Int32Array(0);
  let filled = 0;
  function decode(page: Uint8Array, from: number, to: { lanes: Int32Array; at: number; count: number }): void {
    for (let index = 0; index < to.count; index++) {
      const end = from + (index + 1) * width;
      const sign = page[end - width]! & 0x80 ? -1 : 0;
      for (let lane = 0; lane < lanes; lane++) {
        let word = 0;
        for (let byte = 0; byte < 4; byte++) {
          const place = lane * 4 + byte;
          word |= (place < width ? page[end - 1 - place]! : sign & 0xff) << (byte * 8);
        }
        to.lanes[to.at + index * lanes + lane] = word;
      }
    }
  }
  return {
    plain(page, from, count) {
      decode(page, from, { lanes: target, at: filled * lanes, count });
      filled += count;
    },
    dictionary(page, count) {
      known = new Int32Array(count * lanes);
      decode(page, 0, { lanes: known, at: 0, count });
    },
    codes(codes) {
      for (const code of codes) {
        for (let lane = 0; lane < lanes; lane++) target[filled * lanes + lane] = known[code * lanes + lane]!;
        filled += 1;
      }
    },
    contents: () => ({ values: target, heap: noHeap }),
  };
}

/** Texts of at most this many bytes are copied byte by byte, which beats a call into the engine's copy. */
const SHORT_TEXT = 24;

function textSink(rows: number, rawBytes: number): ValueSink {
  const offsets = new Int32Array(rows + 1);
  let heap = new Uint8Array(Math.max(64, rawBytes));
  let known: { readonly page: Uint8Array; readonly starts: Int32Array; readonly ends: Int32Array } | undefined;
  let filled = 0;
  function append(page: Uint8Array, start: number, end: number): void {
    const at = offsets[filled]!;
    const length = end - start;
    if (at + length > heap.length) {
      const grown = new Uint8Array(Math.max(heap.length * 2, at + length));
      grown.set(heap);
      heap = grown;
    }
    if (length <= SHORT_TEXT) for (let byte = 0; byte < length; byte++) heap[at + byte] = page[start + byte]!;
    else heap.set(page.subarray(start, end), at);
    filled += 1;
    offsets[filled] = at + length;
  }
  return {
    plain(page, from, count) {
      let at = from;
      for (let index = 0; index < count; index++) {
        const end = at + 4 + lengthAt(page, at);
        if (end > page.length) throw new RangeError('a text longer than its page');
        append(page, at + 4, end);
        at = end;
      }
    },
    dictionary(page, count) {
      const starts = new Int32Array(count);
      const ends = new Int32Array(count);
      for (let index = 0, at = 0; index < count; index++) {
        starts[index] = at + 4;
        ends[index] = at = at + 4 + lengthAt(page, at);
      }
      known = { page, starts, ends };
    },
    codes(codes) {
      const { page, starts, ends } = known!;
      for (const code of codes) append(page, starts[code]!, ends[code]!);
    },
    contents: () => ({ values: offsets, heap }),
  };
}

function lengthAt(page: Uint8Array, at: number): number {
  const length = page[at]! | (page[at + 1]! << 8) | (page[at + 2]! << 16) | (page[at + 3]! << 24);
  if (length < 0) throw new RangeError('a text of negative length');
  return length;
}
