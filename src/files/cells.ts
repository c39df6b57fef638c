import type { Column, ColumnType, ColumnVector } from '../columns/index.ts';
import { lanesOf, typeWord } from '../columns/index.ts';
import { isNumber, parseDecimal, storeInteger, storeTime } from './values.ts';

/** Collects the texts of one column as values of its type. */
export interface Cells {
  /** Null is a row without a value. Answers why a text is no value of the type; the row then has no cell here. */
  put(text: string | null): string | undefined;
  /** Takes the last cell back. */
  takeBack(): void;
  /** The column of all rows so far; it shares the buffers until `reset`. */
  vector(): ColumnVector;
  reset(): void;
}

/** Stores values densely. `put` answers why not. */
interface Store {
  put(index: number, text: string): string | undefined;
  values(): ColumnVector['values'];
  heap(): Uint8Array;
  reset(): void;
}

const FIRST_ROWS = 1024;
const NO_BYTES = new Uint8Array(0);
const SHOWN = 40;

export function createCells(column: Column): Cells {
  const store = storeFor(column.type);
  let validity = new Uint8Array(FIRST_ROWS >> 3);
  let rows = 0;
  let count = 0;
  return {
    put(text) {
      if (rows >> 3 === validity.length) validity = doubled(validity);
      if (text !== null) {
        const reason = store.put(count, text);
        if (reason !== undefined) return reason;
        validity[rows >> 3]! |= 1 << (rows & 7);
        count++;
      }
      rows++;
      return undefined;
    },
    takeBack() {
      rows--;
      const bit = 1 << (rows & 7);
      if ((validity[rows >> 3]! & bit) === 0) return;
      validity[rows >> 3]! &= ~bit;
      count--;
    },
    vector: () => ({ column, values: store.values(), heap: store.heap(), validity, nulls: rows - count, count }),
    reset() {
      validity.fill(0);
      store.reset();
      rows = 0;
      count = 0;
    },
  };
}

function storeFor(type: ColumnType): Store {
  switch (type.kind) {
    case 'string':
      return stringStore();
    case 'boolean':
      return numberStore(new Uint8Array(FIRST_ROWS), 'is no boolean', (text) =>
        isWord(text, 'true') ? 1 : isWord(text, 'false') ? 0 : undefined,
      );
    case 'double':
      return numberStore(new Float64Array(FIRST_ROWS), 'is no number', readDouble);
    case 'float':
      return numberStore(new Float32Array(FIRST_ROWS), 'is no number', readDouble);
    case 'int':
      return numberStore(new Int32Array(FIRST_ROWS), 'is no 32-bit integer', readInt);
    case 'timestamp':
      return laneStore('is no time', remembering(storeTime));
    case 'long':
      return laneStore('is no 64-bit integer', (lanes, at, text) => storeInteger(lanes, at, asNumber(text)));
    case 'decimal':
      return decimalStore(type);
  }
}

/** A boolean in a column of numbers counts as 1 or 0. */
function asNumber(text: string): string {
  return isWord(text, 'true') ? '1' : isWord(text, 'false') ? '0' : text;
}

function isWord(text: string, word: string): boolean {
  return text === word || (text.length === word.length && text.toLowerCase() === word);
}

function readDouble(text: string): number | undefined {
  if (isNumber(text)) {
    const number = Number(text);
    return Number.isFinite(number) ? number : undefined;
  }
  if (text === 'NaN') return Number.NaN;
  if (text === 'Infinity' || text === '-Infinity') return Number(text);
  const word = asNumber(text);
  return word === text ? undefined : Number(word);
}

function readInt(text: string): number | undefined {
  const lanes = new Int32Array(2);
  if (!storeInteger(lanes, 0, asNumber(text))) return undefined;
  return lanes[1] === lanes[0]! >> 31 ? lanes[0] : undefined;
}

/** The value is shown as far as it helps to find it. */
function because(text: string, problem: string): string {
  return `${JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text)} ${problem}`;
}

type Numbers = Uint8Array | Int32Array | Float32Array | Float64Array;

/** Times repeat from row to row, at least the one of the file: the last is not read again. */
function remembering(store: typeof storeTime): typeof storeTime {
  const last = new Int32Array(2);
  let lastText: string | undefined;
  return (lanes, at, text) => {
    if (text !== lastText) {
      if (!store(last, 0, text)) {
        lastText = undefined;
        return false;
      }
      lastText = text;
    }
    lanes[at] = last[0]!;
    lanes[at + 1] = last[1]!;
    return true;
  };
}

function numberStore(first: Numbers, problem: string, read: (text: string) => number | undefined): Store {
  let values = first;
  return {
    put(index, text) {
      const number = read(text);
      if (number === undefined) return because(text, problem);
      if (index === values.length) values = doubled(values);
      values[index] = number;
      return undefined;
    },
    values: () => values,
    heap: () => NO_BYTES,
    reset: () => {},
  };
}

function laneStore(problem: string, store: (lanes: Int32Array, at: number, text: string) => boolean): Store {
  let values = new Int32Array(FIRST_ROWS * 2);
  return {
    put(index, text) {
      if (index * 2 === values.length) values = doubled(values);
      return store(values, index * 2, text) ? undefined : because(text, problem);
    },
    values: () => values,
    heap: () => NO_BYTES,
    reset: () => {},
  };
}

/** Of a stream whose Parquet files hold decimals; rare, so by a builder that is not the quickest. */
function decimalStore(type: Extract<ColumnType, { kind: 'decimal' }>): Store {
  const lanes = lanesOf(type);
  const bound = 10n ** BigInt(type.precision);
  let values = new Int32Array(FIRST_ROWS * lanes);
  return {
    put(index, text) {
      let rest = parseDecimal(asNumber(text), type.scale);
      if (rest === undefined || rest >= bound || rest <= -bound) return because(text, `is no ${typeWord(type)}`);
      if (index * lanes === values.length) values = doubled(values);
      for (let lane = 0; lane < lanes; lane++) {
        values[index * lanes + lane] = Number(BigInt.asIntN(32, rest));
        rest >>= 32n;
      }
      return undefined;
    },
    values: () => values,
    heap: () => NO_BYTES,
    reset: () => {},
  };
}

/** A heap that one batch of long texts blew up is given back. */
const KEPT_HEAP = 32 * 1024 * 1024;
const LARGEST_HEAP = 0x7fff_ffff;

function stringStore(): Store {
  let offsets = new Int32Array(FIRST_ROWS + 1);
  let heap = Buffer.allocUnsafeSlow(FIRST_ROWS * 16);
  return {
    put(index, text) {
      const start = offsets[index]!;
      // No text takes more than three bytes for each of its units.
      const most = text.length * 3;
      if (start + most > heap.length) {
        if (start + most > LARGEST_HEAP) return 'a text this long does not fit into a batch';
        const grown = Buffer.allocUnsafeSlow(Math.min(LARGEST_HEAP, Math.max(heap.length * 2, start + most)));
        grown.set(heap.subarray(0, start));
        heap = grown;
      }
      if (index + 1 === offsets.length) offsets = doubled(offsets);
      offsets[index + 1] = start + writeText(heap, start, text);
      return undefined;
    },
    values: () => offsets,
    heap: () => heap,
    reset() {
      if (heap.length > KEPT_HEAP) heap = Buffer.allocUnsafeSlow(FIRST_ROWS * 16);
    },
  };
}

const SHORT = 24;

/** Short plain texts are quicker written by hand than by a call out of the engine. Answers the bytes written. */
function writeText(heap: Buffer, start: number, text: string): number {
  const { length } = text;
  if (length <= SHORT) {
    let at = 0;
    for (; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) break;
      heap[start + at] = code;
    }
    if (at === length) return length;
  }
  return heap.write(text, start);
}

function doubled<T extends Numbers>(values: T): T {
  const grown = new (values.constructor as new (length: number) => T)(Math.max(16, values.length * 2));
  grown.set(values);
  return grown;
}
