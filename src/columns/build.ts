import { Failure } from '../errors.ts';
import type { ColumnValue } from './read.ts';
import type { Column, ColumnType, ColumnVector } from './types.ts';
import { lanesOf } from './types.ts';

/** Collects JavaScript values into a vector. The slow path: tests, small files, rows that are built one by one. */
export interface ColumnBuilder {
  /** Null is one row without a value. Throws `value_refused` when the value does not fit the column's type. */
  append(value: ColumnValue | null): void;
  readonly rows: number;
  /** Bytes that the collected values take. */
  readonly bytes: number;
  /** The vector of all rows so far; it shares the builder's buffers until `reset`. */
  finish(): ColumnVector;
  reset(): void;
}

/** A builder with room for `capacity` rows; grows beyond it by itself. */
export function createColumnBuilder(column: Column, capacity: number): ColumnBuilder {
  const store = storeFor(column.type, Math.max(8, capacity));
  let validity = new Uint8Array((Math.max(8, capacity) + 7) >> 3);
  let rows = 0;
  let count = 0;

  return {
    append(value) {
      if (rows >> 3 === validity.length) {
        const grown = new Uint8Array(validity.length * 2);
        grown.set(validity);
        validity = grown;
      }
      if (value === null) {
        if (!column.nullable) throw refused(column, 'null in a column that must not be null');
      } else {
        const reason = store.put(count, value);
        if (reason !== undefined) throw refused(column, reason);
        validity[rows >> 3]! |= 1 << (rows & 7);
        count++;
      }
      rows++;
    },
    get rows() {
      return rows;
    },
    get bytes() {
      return store.bytes(count) + (rows >> 3);
    },
    finish: () => ({ column, values: store.values(), heap: store.heap(), validity, nulls: rows - count, count }),
    reset() {
      validity.fill(0);
      store.reset();
      rows = 0;
      count = 0;
    },
  };
}

function refused(column: Column, reason: string): Failure {
  return new Failure('value_refused', `Column "${column.name}" cannot take a value: ${reason}.`);
}

interface ValueStore {
  /** Puts the value at the dense index; answers why not when it does not fit. */
  put(index: number, value: ColumnValue): string | undefined;
  bytes(count: number): number;
  values(): ColumnVector['values'];
  heap(): Uint8Array;
  reset(): void;
}

type Numbers = Uint8Array | Int32Array | Float32Array | Float64Array;

function storeFor(type: ColumnType, capacity: number): ValueStore {
  switch (type.kind) {
    case 'string':
      return stringStore(capacity);
    case 'boolean':
      return numberStore(new Uint8Array(capacity), (value) => (typeof value === 'boolean' ? Number(value) : undefined));
    case 'float':
      return numberStore(new Float32Array(capacity), numberOf);
    case 'double':
      return numberStore(new Float64Array(capacity), numberOf);
    case 'int':
      return laneStore(1, capacity, 2n ** 31n);
    case 'long':
    case 'timestamp':
      return laneStore(2, capacity, 2n ** 63n);
    case 'decimal':
      return laneStore(lanesOf(type), capacity, 10n ** BigInt(type.precision));
  }
}

const numberOf = (value: ColumnValue): number | undefined =>
  typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;

const noHeap = new Uint8Array(0);

function numberStore(first: Numbers, convert: (value: ColumnValue) => number | undefined): ValueStore {
  let values = first;
  return {
    put(index, value) {
      const number = convert(value);
      if (number === undefined) return `a ${typeof value} is of the wrong kind`;
      if (index === values.length) values = doubled(values);
      values[index] = number;
      return undefined;
    },
    bytes: (count) => count * values.BYTES_PER_ELEMENT,
    values: () => values,
    heap: () => noHeap,
    reset: () => {},
  };
}

function laneStore(lanes: number, capacity: number, bound: bigint): ValueStore {
  const lowest = bound % 10n === 0n ? 1n - bound : -bound;
  let values = new Int32Array(capacity * lanes);
  return {
    put(index, value) {
      if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return `${typeof value} is not an exact integer`;
      let rest = BigInt(value);
      if (rest >= bound || rest < lowest) return 'the number is too large for the type';
      if (index * lanes === values.length) values = doubled(values);
      for (let lane = 0; lane < lanes; lane++) {
        values[index * lanes + lane] = Number(BigInt.asIntN(32, rest));
        rest >>= 32n;
      }
      return undefined;
    },
    bytes: (count) => count * lanes * 4,
    values: () => values,
    heap: () => noHeap,
    reset: () => {},
  };
}

function stringStore(capacity: number): ValueStore {
  let offsets = new Int32Array(capacity + 1);
  let heap = new Uint8Array(capacity * 16);
  return {
    put(index, value) {
      if (typeof value !== 'string') return `a ${typeof value} is of the wrong kind`;
      const start = offsets[index]!;
      const length = Buffer.byteLength(value);
      if (start + length > 0x7fff_ffff) return 'the column of one batch would hold more than 2 GiB of text';
      if (index + 1 === offsets.length) offsets = doubled(offsets);
      while (start + length > heap.length) heap = doubled(heap);
      Buffer.from(heap.buffer).write(value, start);
      offsets[index + 1] = start + length;
      return undefined;
    },
    bytes: (count) => count * 4 + offsets[count]!,
    values: () => offsets,
    heap: () => heap,
    reset: () => {},
  };
}

function doubled<T extends Numbers>(values: T): T {
  const grown = new (values.constructor as new (length: number) => T)(values.length * 2);
  grown.set(values);
  return grown;
}
