import type { Column, ColumnBuilder, ColumnType, ColumnValue, ColumnVector } from '../../columns/index.ts';
import { canonicalText, createColumnBuilder, typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { storeLong, storeSafe } from '../values.ts';
import type { Piece } from './file.ts';
import type { ParquetColumn, Storing } from './types.ts';
import { converterOf, NotText } from './values.ts';
import type { RawValues } from './values.ts';

/** The values of a column for the rows of a window, and why some of them could not be taken. */
export interface FilledColumn {
  readonly vector: ColumnVector;
  /** By row of the window; such a row holds null here. */
  readonly refused: ReadonlyMap<number, string>;
}

interface Window {
  readonly start: number;
  readonly end: number;
}

const NO_BYTES = new Uint8Array(0);

/** Brings raw values into a vector of the wanted type, which may be wider than that of the file. */
export function fillColumn(
  column: Column,
  from: { readonly column: ParquetColumn; readonly pieces: readonly Piece[] },
  window: Window,
): FilledColumn {
  const same = typeWord(column.type) === typeWord(from.column.type);
  const store = same ? quickStore(from.column.storing, window.end - window.start) : undefined;
  if (store) return { vector: fillQuickly(column, { store, pieces: from.pieces, window }), refused: new Map() };
  return fillCarefully(column, from, window);
}

/** A column that the file does not have. */
export function emptyColumn(column: Column, rows: number): ColumnVector {
  const builder = createColumnBuilder(column, rows);
  for (let row = 0; row < rows; row++) builder.append(null);
  return builder.finish();
}

/** Every row holds the same time. */
export function constantTime(column: Column, micros: bigint): ColumnVector {
  const values = new Int32Array(2);
  storeLong(values, 0, micros);
  return { column, values, heap: NO_BYTES, validity: NO_BYTES, nulls: 0, count: 1, constant: true };
}

/** Puts raw values of the commonest kinds into place without a detour. */
interface QuickStore {
  put(index: number, raw: unknown): void;
  /** Takes a piece without nulls as a whole; false when it cannot. */
  putAll?(index: number, values: RawValues, span: { from: number; to: number }): boolean;
  values(): ColumnVector['values'];
  heap(): Uint8Array;
}

function quickStore(storing: Storing, rows: number): QuickStore | undefined {
  switch (storing) {
    case 'int':
      return numberStore(new Int32Array(rows));
    case 'float':
      return numberStore(new Float32Array(rows));
    case 'double':
      return numberStore(new Float64Array(rows));
    case 'boolean':
      return numberStore(new Uint8Array(rows));
    case 'long':
      return longStore(rows);
    case 'text':
      return textStore(rows);
    case 'micros':
    case 'millis':
      return timeStore(rows, storing === 'millis' ? 1000 : 1);
    default:
      return undefined;
  }
}

function numberStore(values: Uint8Array | Int32Array | Float32Array | Float64Array): QuickStore {
  return {
    put: (index, raw) => void (values[index] = raw as number),
    putAll(index, raw, { from, to }) {
      if (raw.constructor !== values.constructor) return false;
      values.set((raw as typeof values).subarray(from, to), index);
      return true;
    },
    values: () => values,
    heap: () => NO_BYTES,
  };
}

function longStore(rows: number): QuickStore {
  const lanes = new Int32Array(rows * 2);
  return {
    put: (index, raw) => storeLong(lanes, index * 2, raw as bigint),
    putAll(index, raw, { from, to }) {
      if (!(raw instanceof BigInt64Array)) return false;
      lanes.set(new Int32Array(raw.buffer, raw.byteOffset + from * 8, (to - from) * 2), index * 2);
      return true;
    },
    values: () => lanes,
    heap: () => NO_BYTES,
  };
}

/** Times far from today pass the clamp of the careful way; the others are exact in a double. */
const NEAR = 9_000_000_000_000_000;

function timeStore(rows: number, factor: 1 | 1000): QuickStore {
  const lanes = new Int32Array(rows * 2);
  const careful = converterOfTime(factor);
  return {
    put(index, raw) {
      const micros = Number(raw) * factor;
      if (micros > -NEAR && micros < NEAR) storeSafe(lanes, index * 2, micros);
      else storeLong(lanes, index * 2, careful(raw) as bigint);
    },
    values: () => lanes,
    heap: () => NO_BYTES,
  };
}

function converterOfTime(factor: 1 | 1000): (raw: unknown) => ColumnValue {
  return converterOf({ storing: factor === 1 ? 'micros' : 'millis', tree: { element: {} } } as ParquetColumn);
}

const LARGEST_HEAP = 0x7fff_ffff;

function textStore(rows: number): QuickStore {
  const offsets = new Int32Array(rows + 1);
  let heap = Buffer.allocUnsafeSlow(Math.max(1024, rows * 16));
  return {
    put(index, raw) {
      const bytes = raw as Uint8Array;
      const start = offsets[index]!;
      const end = start + bytes.length;
      if (end > heap.length) {
        if (end > LARGEST_HEAP)
          throw new Failure('value_refused', 'a column of one row group holds more than 2 GiB of text');
        const grown = Buffer.allocUnsafeSlow(Math.min(LARGEST_HEAP, Math.max(heap.length * 2, end)));
        grown.set(heap.subarray(0, start));
        heap = grown;
      }
      if (bytes.length <= 24) for (let at = 0; at < bytes.length; at++) heap[start + at] = bytes[at]!;
      else heap.set(bytes, start);
      offsets[index + 1] = end;
    },
    values: () => offsets,
    heap: () => heap,
  };
}

function fillQuickly(
  column: Column,
  { store, pieces, window }: { store: QuickStore; pieces: readonly Piece[]; window: Window },
): ColumnVector {
  const rows = window.end - window.start;
  const validity = new Uint8Array((rows + 7) >> 3);
  let nulls = 0;
  let count = 0;
  for (const { values, from, to, row } of partsWithin(pieces, window)) {
    if (nulls === 0 && store.putAll?.(count, values, { from, to })) {
      for (let at = row; at < row + to - from; at++) validity[at >> 3]! |= 1 << (at & 7);
      count += to - from;
      continue;
    }
    for (let at = from; at < to; at++) {
      const raw = values[at];
      const target = row + at - from;
      if (raw === null || raw === undefined) nulls++;
      else {
        store.put(count++, raw);
        validity[target >> 3]! |= 1 << (target & 7);
      }
    }
  }
  return { column, values: store.values(), heap: store.heap(), validity, nulls, count };
}

/** Values `from` to `to` − 1 of a piece; the first is that of `row` of the window. */
interface Part {
  readonly values: RawValues;
  readonly from: number;
  readonly to: number;
  readonly row: number;
}

/** What of the pieces lies within the window. */
function partsWithin(pieces: readonly Piece[], window: Window): Part[] {
  return pieces.flatMap(({ start, values }) => {
    const from = Math.max(0, window.start - start);
    const to = Math.min(values.length, window.end - start);
    return from < to ? [{ values, from, to, row: start + from - window.start }] : [];
  });
}

function fillCarefully(
  column: Column,
  from: { readonly column: ParquetColumn; readonly pieces: readonly Piece[] },
  window: Window,
): FilledColumn {
  const convert = converterOf(from.column);
  const refused = new Map<number, string>();
  const builder = createColumnBuilder(column, window.end - window.start);
  const wanted = (raw: unknown): ColumnValue => widen(convert(raw), from.column.type, column.type);
  for (const part of partsWithin(from.pieces, window)) {
    for (let at = part.from; at < part.to; at++) {
      const reason = append(builder, part.values[at], wanted);
      if (reason !== undefined) refused.set(part.row + at - part.from, reason);
    }
  }
  return { vector: builder.finish(), refused };
}

function append(builder: ColumnBuilder, raw: unknown, convert: (raw: unknown) => ColumnValue): string | undefined {
  if (raw === null || raw === undefined) {
    builder.append(null);
    return undefined;
  }
  try {
    builder.append(convert(raw));
    return undefined;
  } catch (error) {
    if (!(error instanceof NotText) && !(error instanceof Failure)) throw error;
    builder.append(null);
    return error.message;
  }
}

/** A value of one type as a value of a wider one. Throws `value_refused` when the wider type does not hold it exactly. */
function widen(value: ColumnValue, from: ColumnType, to: ColumnType): ColumnValue {
  if (typeWord(from) === typeWord(to)) return value;
  const number = typeof value === 'boolean' ? Number(value) : value;
  switch (to.kind) {
    case 'string':
      return canonicalText(from, value);
    case 'int':
      if (typeof number === 'number' && Number.isInteger(number)) return number;
      break;
    case 'long':
      if (typeof number === 'bigint' || Number.isSafeInteger(number)) return BigInt(number);
      break;
    case 'float':
    case 'double':
      if (from.kind === 'decimal' || from.kind === 'timestamp' || typeof number === 'string') break;
      if (typeof number === 'number' || BigInt(Number(number)) === number) return Number(number);
      break;
    case 'decimal': {
      if (typeof number === 'string' || from.kind === 'timestamp' || !isWhole(number)) break;
      const scale = from.kind === 'decimal' ? from.scale : 0;
      if (scale <= to.scale) return BigInt(number) * 10n ** BigInt(to.scale - scale);
      break;
    }
    default:
  }
  throw new Failure('value_refused', `${from.kind} value ${canonicalText(from, value)} does not fit ${typeWord(to)}`);
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}
