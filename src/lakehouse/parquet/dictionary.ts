import type { ColumnVector } from '../../columns/index.ts';
import { lanesOf } from '../../columns/index.ts';

/**
 * Distinct values of a column chunk in order of first appearance. `codes` is scratch space of this module: it is valid
 * until the next dictionary is built, so a chunk is encoded in one go, without awaiting in between.
 */
export interface Dictionary {
  readonly size: number;
  /** One entry per dense value: its place in the dictionary. */
  readonly codes: Int32Array;
  /** The dictionary page's body, plain encoded. Copied; safe to keep. */
  readonly plain: Uint8Array;
  /** Dense position of each entry's first appearance; length at least `size`. Scratch space too. */
  readonly firsts: Int32Array;
}

const MAXIMUM_ENTRIES = 20_000;
const MAXIMUM_STRING_BYTES = 1_000_000;
/** After this many values, a dictionary that holds more than every second of them does not pay. */
const TRIAL_FIXED = 8192;
const TRIAL_STRINGS = 4096;
const FIRST_BITS = 10;

const slots = new Int32Array(1 << 16);
const firsts = new Int32Array(MAXIMUM_ENTRIES + 1);
const hashes = new Int32Array(MAXIMUM_ENTRIES + 1);
let codes = new Int32Array(1 << 17);

/**
 * Builds the dictionary of a vector's values, or answers undefined when plain encoding is the better choice: too many
 * distinct values, nothing to encode, or a type that is never dictionary encoded (booleans, decimals beyond 18 digits).
 */
export function buildDictionary(vector: ColumnVector): Dictionary | undefined {
  const { count } = vector;
  const { type } = vector.column;
  if (count === 0 || type.kind === 'boolean') return undefined;
  if (codes.length < count) codes = new Int32Array(count);
  if (type.kind === 'string')
    return dictionaryOfStrings({ offsets: vector.values as Int32Array, heap: vector.heap }, count);
  const lanes = type.kind === 'float' ? 1 : type.kind === 'double' ? 2 : lanesOf(type);
  if (lanes === 4) return undefined;
  const words = new Int32Array(vector.values.buffer, vector.values.byteOffset, count * lanes);
  return lanes === 1 ? dictionaryOf32(words, count) : dictionaryOf64(words, count);
}

/** Values of the entries, as words: compared here, close together, instead of where they first appeared. */
const entryWords = new Int32Array(2 * MAXIMUM_ENTRIES);

/** Re-enters the known entries after the table of slots has doubled. */
function refill(mask: number, size: number): void {
  slots.fill(0, 0, mask + 1);
  for (let entry = 0; entry < size; entry++) {
    let slot = hashes[entry]! & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = entry + 1;
  }
}

function dictionaryOf32(words: Int32Array, count: number): Dictionary | undefined {
  const places = codes;
  let mask = (1 << FIRST_BITS) - 1;
  let size = 0;
  slots.fill(0, 0, mask + 1);
  for (let i = 0; i < count; i++) {
    const word = words[i]!;
    let hash = Math.imul(word, 0x9e3779b1);
    hash ^= hash >>> 15;
    let slot = hash & mask;
    let entry = slots[slot]!;
    while (entry !== 0 && entryWords[entry - 1] !== word) {
      slot = (slot + 1) & mask;
      entry = slots[slot]!;
    }
    if (entry === 0) {
      if (size >= MAXIMUM_ENTRIES || (i > TRIAL_FIXED && size > i >> 1)) return undefined;
      firsts[size] = i;
      hashes[size] = hash;
      entryWords[size] = word;
      entry = slots[slot] = ++size;
      if (size > mask >> 1) refill((mask = mask * 2 + 1), size);
    }
    places[i] = entry - 1;
  }
  return { size, codes, firsts, plain: new Uint8Array(entryWords.slice(0, size).buffer) };
}

function dictionaryOf64(words: Int32Array, count: number): Dictionary | undefined {
  const places = codes;
  let mask = (1 << FIRST_BITS) - 1;
  let size = 0;
  slots.fill(0, 0, mask + 1);
  for (let i = 0; i < count; i++) {
    const low = words[2 * i]!;
    const high = words[2 * i + 1]!;
    let hash = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & mask;
    let entry = slots[slot]!;
    while (entry !== 0 && (entryWords[2 * entry - 2] !== low || entryWords[2 * entry - 1] !== high)) {
      slot = (slot + 1) & mask;
      entry = slots[slot]!;
    }
    if (entry === 0) {
      if (size >= MAXIMUM_ENTRIES || (i > TRIAL_FIXED && size > i >> 1)) return undefined;
      firsts[size] = i;
      hashes[size] = hash;
      entryWords[2 * size] = low;
      entryWords[2 * size + 1] = high;
      entry = slots[slot] = ++size;
      if (size > mask >> 1) refill((mask = mask * 2 + 1), size);
    }
    places[i] = entry - 1;
  }
  return { size, codes, firsts, plain: new Uint8Array(entryWords.slice(0, 2 * size).buffer) };
}

function dictionaryOfStrings({ offsets, heap }: Strings, count: number): Dictionary | undefined {
  const strings = { offsets, view: new DataView(heap.buffer, heap.byteOffset, heap.length) };
  const places = codes;
  let mask = (1 << FIRST_BITS) - 1;
  let size = 0;
  let plainBytes = 0;
  slots.fill(0, 0, mask + 1);
  for (let i = 0; i < count; i++) {
    const hash = hashString(strings, i);
    let slot = hash & mask;
    let entry = slots[slot]!;
    while (entry !== 0 && !(hashes[entry - 1] === hash && sameString(strings, firsts[entry - 1]!, i))) {
      slot = (slot + 1) & mask;
      entry = slots[slot]!;
    }
    if (entry === 0) {
      plainBytes += offsets[i + 1]! - offsets[i]! + 4;
      if (size >= MAXIMUM_ENTRIES || plainBytes > MAXIMUM_STRING_BYTES) return undefined;
      if (i > TRIAL_STRINGS && size > i >> 1) return undefined;
      firsts[size] = i;
      hashes[size] = hash;
      entry = slots[slot] = ++size;
      if (size > mask >> 1) refill((mask = mask * 2 + 1), size);
    }
    places[i] = entry - 1;
  }
  return { size, codes, firsts, plain: plainStrings({ offsets, heap }, size, plainBytes) };
}

interface Strings {
  readonly offsets: Int32Array;
  readonly heap: Uint8Array;
}

/** Strings to be looked at four bytes at a time. */
interface ViewedStrings {
  readonly offsets: Int32Array;
  readonly view: DataView;
}

function hashString({ offsets, view }: ViewedStrings, index: number): number {
  let at = offsets[index]!;
  const stop = offsets[index + 1]!;
  let hash = stop - at;
  for (; at + 4 <= stop; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < stop; at++) hash = Math.imul(hash ^ view.getUint8(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

function sameString({ offsets, view }: ViewedStrings, left: number, right: number): boolean {
  let a = offsets[left]!;
  let b = offsets[right]!;
  const stop = offsets[left + 1]!;
  if (offsets[right + 1]! - b !== stop - a) return false;
  for (; a + 4 <= stop; a += 4, b += 4) if (view.getInt32(a, true) !== view.getInt32(b, true)) return false;
  for (; a < stop; a++, b++) if (view.getUint8(a) !== view.getUint8(b)) return false;
  return true;
}

function plainStrings({ offsets, heap }: Strings, size: number, bytes: number): Uint8Array {
  const plain = Buffer.allocUnsafe(bytes);
  let end = 0;
  for (let entry = 0; entry < size; entry++) {
    const start = offsets[firsts[entry]!]!;
    const stop = offsets[firsts[entry]! + 1]!;
    end = plain.writeInt32LE(stop - start, end);
    plain.set(heap.subarray(start, stop), end);
    end += stop - start;
  }
  return plain;
}
