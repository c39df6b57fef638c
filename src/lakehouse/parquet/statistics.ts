import type { ColumnVector } from '../../columns/index.ts';
import { lanesOf, readLong, readValue, readWide } from '../../columns/index.ts';
import type { Bound } from './bounds.ts';
import type { Dictionary } from './dictionary.ts';

export interface ChunkStatistics {
  readonly nulls: number;
  readonly nans: number;
  readonly lower: Bound | undefined;
  readonly upper: Bound | undefined;
}

interface Extremes {
  readonly least: number;
  readonly greatest: number;
}

/**
 * Counts and bounds of one chunk. With a dictionary only its entries are compared. NaN never becomes a bound (a column of
 * nothing but NaN has none); a zero bound of a float is widened to -0 below and +0 above, as both formats demand.
 */
export function chunkStatistics(
  vector: ColumnVector,
  dictionary: Dictionary | undefined,
  rows: number,
): ChunkStatistics {
  const { nulls } = vector;
  const { kind } = vector.column.type;
  const picks = dictionary && vector.count > dictionary.size ? dictionary : undefined;
  const size = picks ? picks.size : vector.count;
  if (size === 0) return { nulls, nans: 0, lower: undefined, upper: undefined };
  if (kind === 'float' || kind === 'double') {
    const statistics = floatStatistics(vector, picks);
    return { nulls, ...statistics, nans: vector.constant ? statistics.nans * rows : statistics.nans };
  }
  const { least, greatest } = extremes(vector, size, picks?.firsts);
  return { nulls, nans: 0, lower: boundAt(vector, least), upper: boundAt(vector, greatest) };
}

function extremes(vector: ColumnVector, size: number, picks: Picks): Extremes {
  if (vector.column.type.kind === 'string') return extremesOfStrings(vector, size, picks);
  switch (lanesOf(vector.column.type)) {
    case 2:
      return extremesOf64(vector.values as Int32Array, size, picks);
    case 4:
      return extremesOf128(vector.values as Int32Array, size);
    default:
      return extremesOf32(vector.values, size, picks);
  }
}

/** Dense positions to look at instead of all; the first is always position 0. */
type Picks = Int32Array | undefined;

function extremesOf32(values: ColumnVector['values'], size: number, picks: Picks): Extremes {
  let least = 0;
  let greatest = 0;
  let lowest = values[0]!;
  let highest = lowest;
  for (let i = 1; i < size; i++) {
    const index = picks === undefined ? i : picks[i]!;
    const value = values[index]!;
    if (value < lowest) {
      lowest = value;
      least = index;
    } else if (value > highest) {
      highest = value;
      greatest = index;
    }
  }
  return { least, greatest };
}

function extremesOf64(lanes: Int32Array, size: number, picks: Picks): Extremes {
  let least = 0;
  let greatest = 0;
  let [leastLow, leastHigh] = [lanes[0]! >>> 0, lanes[1]!];
  let [greatestLow, greatestHigh] = [leastLow, leastHigh];
  for (let i = 1; i < size; i++) {
    const index = picks === undefined ? i : picks[i]!;
    const high = lanes[2 * index + 1]!;
    const low = lanes[2 * index]! >>> 0;
    if (high < leastHigh || (high === leastHigh && low < leastLow)) {
      least = index;
      leastLow = low;
      leastHigh = high;
    } else if (high > greatestHigh || (high === greatestHigh && low > greatestLow)) {
      greatest = index;
      greatestLow = low;
      greatestHigh = high;
    }
  }
  return { least, greatest };
}

function extremesOf128(lanes: Int32Array, size: number): Extremes {
  let least = 0;
  let greatest = 0;
  for (let i = 1; i < size; i++) {
    if (compareWide(lanes, i, least) < 0) least = i;
    else if (compareWide(lanes, i, greatest) > 0) greatest = i;
  }
  return { least, greatest };
}

function compareWide(lanes: Int32Array, left: number, right: number): number {
  const high = lanes[4 * left + 3]! - lanes[4 * right + 3]!;
  if (high !== 0) return high;
  for (let lane = 2; lane >= 0; lane--) {
    const difference = (lanes[4 * left + lane]! >>> 0) - (lanes[4 * right + lane]! >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function extremesOfStrings({ values, heap }: ColumnVector, size: number, picks: Picks): Extremes {
  const strings = { offsets: values as Int32Array, view: new DataView(heap.buffer, heap.byteOffset, heap.length) };
  let least = 0;
  let greatest = 0;
  for (let i = 1; i < size; i++) {
    const index = picks === undefined ? i : picks[i]!;
    if (compareStrings(strings, index, least) < 0) least = index;
    else if (compareStrings(strings, index, greatest) > 0) greatest = index;
  }
  return { least, greatest };
}

interface Strings {
  readonly offsets: Int32Array;
  readonly view: DataView;
}

/** Byte by byte, unsigned: the order of UTF-8 text in both formats. Four bytes at a time, the first one highest. */
function compareStrings({ offsets, view }: Strings, left: number, right: number): number {
  const a = offsets[left]!;
  const b = offsets[right]!;
  const lengthA = offsets[left + 1]! - a;
  const lengthB = offsets[right + 1]! - b;
  const length = lengthA < lengthB ? lengthA : lengthB;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const difference = view.getUint32(a + at) - view.getUint32(b + at);
    if (difference !== 0) return difference;
  }
  for (; at < length; at++) {
    const difference = view.getUint8(a + at) - view.getUint8(b + at);
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}

function floatStatistics(vector: ColumnVector, picks: Dictionary | undefined): Omit<ChunkStatistics, 'nulls'> {
  const { values } = vector;
  const size = picks ? picks.size : vector.count;
  let lower = Infinity;
  let upper = -Infinity;
  let nans = 0;
  for (let i = 0; i < size; i++) {
    const value = values[picks === undefined ? i : picks.firsts[i]!]!;
    if (value < lower) lower = value;
    if (value > upper) upper = value;
    if (value !== value) nans++;
  }
  const bounded = nans < size;
  if (picks && nans > 0) nans = countNans(vector);
  if (!bounded) return { nans, lower: undefined, upper: undefined };
  return { nans, lower: lower === 0 ? -0 : lower, upper: upper === 0 ? 0 : upper };
}

function countNans({ values, count }: ColumnVector): number {
  let nans = 0;
  for (let i = 0; i < count; i++) if (values[i] !== values[i]) nans++;
  return nans;
}

/**
 * What is kept of a text as a bound. Longer than any path, which position deletes need whole; of other texts, footer and
 * manifest take a far shorter part, so that they say the same of the rest as of this.
 */
const KEPT_TEXT_BYTES = 16 * 1024;

function boundAt(vector: ColumnVector, index: number): Bound {
  const { values, heap } = vector;
  const { type } = vector.column;
  if (type.kind === 'string') {
    const start = values[index]!;
    return new Uint8Array(heap.subarray(start, Math.min(values[index + 1]!, start + KEPT_TEXT_BYTES)));
  }
  const lanes = lanesOf(type);
  if (lanes === 2) return readLong(values as Int32Array, 2 * index);
  if (lanes === 4) return readWide(values as Int32Array, 4 * index);
  const value = readValue(vector, index);
  return typeof value === 'boolean' ? Number(value) : (value as number | bigint);
}

/** The bounds of a file so far and of one more chunk, together. Neither argument changes. */
export function mergeStatistics(left: ChunkStatistics, right: ChunkStatistics): ChunkStatistics {
  return {
    nulls: left.nulls + right.nulls,
    nans: left.nans + right.nans,
    lower: chooseBound(left.lower, right.lower, -1),
    upper: chooseBound(left.upper, right.upper, 1),
  };
}

function chooseBound(left: Bound | undefined, right: Bound | undefined, sign: number): Bound | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return compareBounds(right, left) * sign > 0 ? right : left;
}

function compareBounds(left: Bound, right: Bound): number {
  if (left instanceof Uint8Array) return Buffer.compare(left, right as Uint8Array);
  return left < (right as number | bigint) ? -1 : left > (right as number | bigint) ? 1 : 0;
}
