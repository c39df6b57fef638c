/** Conversions of single values that the generated decoder calls; those on hot paths are written out there. */

const SECOND = 1_000_000n;
/** 2000-01-01, where the server starts to count, in microseconds since 1970. */
export const EPOCH_SHIFT = 946_684_800n * SECOND;
/** 0001-01-01 and 10000-01-01 in microseconds since 1970: what lies outside is clamped (OLake contract, section 7.6). */
export const FIRST_INSTANT = -62_135_596_800n * SECOND;
export const END_INSTANT = 253_402_300_800n * SECOND;

const HIGH = 4_294_967_296n;

/** Server counts whose high word is in [fastLow, fastHigh) are inside the years 1 to 9999 whatever their low word. */
export const FAST_HIGH_WORDS = {
  from: Number(floorDivide(FIRST_INSTANT - EPOCH_SHIFT, HIGH)) + 1,
  to: Number(floorDivide(END_INSTANT - EPOCH_SHIFT, HIGH)),
};

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient;
}

/** Microseconds since 1970, clamped: before year 1 → 1970, after year 9999 → its last microsecond. */
export function clampInstant(micros: bigint): bigint {
  if (micros < FIRST_INSTANT) return 0n;
  return micros >= END_INSTANT ? END_INSTANT - 1n : micros;
}

/** Reads the server's int64 at `at` and writes the clamped instant as two lanes; infinities are the ends of int64. */
export function storeClampedInstant(view: DataView, at: number, target: { out: Int32Array; index: number }): void {
  const micros = clampInstant(view.getBigInt64(at) + EPOCH_SHIFT);
  target.out[target.index] = Number(BigInt.asIntN(32, micros));
  target.out[target.index + 1] = Number(micros >> 32n);
}

const HEX_PAIRS = new Uint8Array(512);
for (let byte = 0; byte < 256; byte++) {
  HEX_PAIRS[byte * 2] = '0123456789abcdef'.charCodeAt(byte >> 4);
  HEX_PAIRS[byte * 2 + 1] = '0123456789abcdef'.charCodeAt(byte & 15);
}

/** `\x` and two hex digits per byte, as `bytea_output = hex` prints. Needs 2 + 2 × length bytes of room. */
export function storeHex(source: Uint8Array, range: { from: number; to: number }, target: HeapPlace): void {
  const { heap } = target;
  let at = target.at;
  heap[at++] = 0x5c;
  heap[at++] = 0x78;
  for (let i = range.from; i < range.to; i++) {
    const pair = (source[i] ?? 0) * 2;
    heap[at++] = HEX_PAIRS[pair] ?? 0;
    heap[at++] = HEX_PAIRS[pair + 1] ?? 0;
  }
}

export interface HeapPlace {
  readonly heap: Uint8Array;
  readonly at: number;
}

/** 36 characters of a uuid from its 16 bytes. */
export function storeUuid(source: Uint8Array, from: number, target: HeapPlace): void {
  const { heap } = target;
  let at = target.at;
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) heap[at++] = 0x2d;
    const pair = (source[from + i] ?? 0) * 2;
    heap[at++] = HEX_PAIRS[pair] ?? 0;
    heap[at++] = HEX_PAIRS[pair + 1] ?? 0;
  }
}

const GROWTH_LIMIT = 32 * 1024 * 1024;

/** A heap with room for `more` bytes behind the `used` ones: doubled while small, exact steps when large. */
export function growHeap(heap: Uint8Array, used: number, more: number): Uint8Array {
  const grown = new Uint8Array(Math.max(used + more, heap.length + Math.min(heap.length, GROWTH_LIMIT)));
  grown.set(heap.subarray(0, used));
  return grown;
}
