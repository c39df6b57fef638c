import { murmur3 } from './murmur.ts';

/** Keys as bytes, each once, with a number: a hash table that makes no object per key. */
export interface KeyTable {
  /** The key's index, in order of first appearance; a new key gets the next one. */
  put(bytes: Uint8Array, start: number, end: number): number;
  /** The key's index, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number;
  readonly size: number;
  /** Bytes that the keys take. */
  readonly bytes: number;
  /** The number of a key; 0 until it is set. */
  get(index: number): number;
  set(index: number, value: number): void;
  /** Where the key lies in `heap`; valid until the next `put`. */
  start(index: number): number;
  readonly heap: Uint8Array;
}

/** The keys one after the other, with their hashes and numbers. */
interface KeyList extends Pick<KeyTable, 'size' | 'bytes' | 'get' | 'set' | 'start' | 'heap'> {
  hash(index: number): number;
  equals(index: number, bytes: Uint8Array, range: Range): boolean;
  append(hash: number, bytes: Uint8Array, range: Range): void;
}

type Range = readonly [start: number, end: number];

/** Keys up to this length are copied byte by byte, which beats a call into the engine's copy. */
const SHORT_KEY = 48;

function createKeyList(): KeyList {
  let heap = Buffer.allocUnsafe(1 << 12);
  let offsets = new Float64Array(1 << 10);
  let hashes = new Int32Array(1 << 10);
  let values = new Float64Array(1 << 10);
  let size = 0;
  return {
    hash: (index) => hashes[index]!,
    equals(index, bytes, [start, end]) {
      const known = offsets[index]!;
      if (offsets[index + 1]! - known !== end - start) return false;
      let at = start;
      while (at < end && bytes[at] === heap[known + at - start]) at++;
      return at === end;
    },
    append(hash, bytes, [start, end]) {
      const at = offsets[size]!;
      const stop = at + end - start;
      if (stop > heap.length) heap = Buffer.concat([heap], Math.max(heap.length * 2, stop));
      if (end - start > SHORT_KEY) heap.set(bytes.subarray(start, end), at);
      else for (let from = start, to = at; from < end; from++) heap[to++] = bytes[from]!;
      if (size + 2 > offsets.length) {
        offsets = grown(offsets, new Float64Array(offsets.length * 2));
        values = grown(values, new Float64Array(values.length * 2));
        hashes = grown(hashes, new Int32Array(hashes.length * 2));
      }
      offsets[size + 1] = stop;
      hashes[size] = hash;
      size += 1;
    },
    get size() {
      return size;
    },
    get bytes() {
      return offsets[size]!;
    },
    get: (index) => values[index]!,
    set(index, value) {
      values[index] = value;
    },
    start: (index) => offsets[index]!,
    get heap() {
      return heap;
    },
  };
}

export function createKeyTable(): KeyTable {
  const list = createKeyList();
  let slots = new Int32Array(1 << 11).fill(-1);

  /** The slot of the key, or the free one where it belongs. */
  function slotOf(hash: number, bytes: Uint8Array, range: Range): number {
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (; slots[slot] !== -1; slot = (slot + 1) & mask) {
      const index = slots[slot]!;
      if (list.hash(index) === hash && list.equals(index, bytes, range)) break;
    }
    return slot;
  }
  function growSlots(): void {
    slots = new Int32Array(slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let index = 0; index < list.size; index++) {
      let slot = list.hash(index) & mask;
      while (slots[slot] !== -1) slot = (slot + 1) & mask;
      slots[slot] = index;
    }
  }
  return {
    put(bytes, start, end) {
      const hash = murmur3(bytes, start, end);
      const range: Range = [start, end];
      const slot = slotOf(hash, bytes, range);
      if (slots[slot] !== -1) return slots[slot]!;
      const index = list.size;
      slots[slot] = index;
      list.append(hash, bytes, range);
      if (list.size * 2 > slots.length) growSlots();
      return index;
    },
    find: (bytes, start, end) => slots[slotOf(murmur3(bytes, start, end), bytes, [start, end])]!,
    get size() {
      return list.size;
    },
    get bytes() {
      return list.bytes;
    },
    get: list.get,
    set: list.set,
    start: list.start,
    get heap() {
      return list.heap;
    },
  };
}

function grown<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
