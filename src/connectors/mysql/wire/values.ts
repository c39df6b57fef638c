/** Conversions of single values that the generated decoders call; those on hot paths are written out there. */

const MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const FIRST_YEAR = 1800;
const monthStarts = new Int32Array(400 * 12).fill(-0x8000_0000);

/** Days since 1970 of a day of the calendar; NaN when there is no such day. Years 1 to 9999. */
export function daysOf(year: number, month: number, day: number): number {
  if (month < 1 || month > 12 || day < 1) return Number.NaN;
  if (day > 28 && day > lengthOfMonth(year, month)) return Number.NaN;
  const at = (year - FIRST_YEAR) * 12 + month - 1;
  const remembered = monthStarts[at] ?? -0x8000_0000;
  if (remembered !== -0x8000_0000) return remembered + day - 1;
  const start = new Date(0).setUTCFullYear(year, month - 1, 1) / 86_400_000;
  if (at >= 0 && at < monthStarts.length) monthStarts[at] = start;
  return start + day - 1;
}

function lengthOfMonth(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && !leap ? 28 : (MONTHS[month - 1] ?? 0);
}

/** Places a value goes to: `out[index…]`. */
export interface LanePlace {
  readonly out: Int32Array;
  readonly index: number;
}

/** Microseconds of a time in seconds and microseconds, as two lanes. Exact for all years. */
export function storeInstant(seconds: number, micros: number, { out, index }: LanePlace): void {
  // 15625 × 64 = 10^6: the first product is exact in a double for all years up to 9999, the shift by 6 bits is done on lanes.
  const part = seconds * 15_625;
  const high = Math.floor(part / 67_108_864);
  const low = (part - high * 67_108_864) * 64 + micros;
  out[index] = low | 0;
  out[index + 1] = high + (low >= 4_294_967_296 ? 1 : 0);
}

export interface DecimalShape {
  readonly precision: number;
  readonly scale: number;
  readonly lanes: number;
}

const MINUS = 45;
const POINT = 46;

/**
 * Writes the decimal number in `source[from, to)` (digits, perhaps a sign and a point) × 10^scale as lanes, low first.
 * False when it has more digits than the shape takes; `out` then holds garbage at that place.
 */
export function storeDecimalText(source: Uint8Array, span: Span, target: DecimalShape & LanePlace): boolean {
  const { out, index, lanes, precision, scale } = target;
  for (let lane = 0; lane < lanes; lane++) out[index + lane] = 0;
  let digits = 0;
  let behind = -1;
  let at = span.from;
  const negative = source[at] === MINUS;
  if (negative) at++;
  for (; at < span.to; at++) {
    const byte = source[at] ?? 0;
    if (byte === POINT) {
      behind = 0;
      continue;
    }
    if (byte < 48 || byte > 57) return false;
    if (behind >= scale) {
      if (byte !== 48) return false;
      continue;
    }
    if (behind >= 0) behind++;
    if (digits > 0 || byte !== 48) digits++;
    multiplyAdd(target, 10, byte - 48);
  }
  for (let zeros = Math.max(behind, 0); zeros < scale; zeros++) {
    if (digits > 0) digits++;
    multiplyAdd(target, 10, 0);
  }
  if (digits > precision) return false;
  if (negative) negate(target);
  return true;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

interface Lanes extends LanePlace {
  readonly lanes: number;
}

/** lanes = lanes × factor + addend; every product stays below 2^63 / 2^10, so doubles are exact for factors up to 10^6. */
export function multiplyAdd({ out, index, lanes }: Lanes, factor: number, addend: number): void {
  let carry = addend;
  for (let lane = index; lane < index + lanes; lane++) {
    const product = ((out[lane] ?? 0) >>> 0) * factor + carry;
    carry = Math.floor(product / 4_294_967_296);
    out[lane] = product - carry * 4_294_967_296;
  }
}

export function negate({ out, index, lanes }: Lanes): void {
  let carry = 1;
  for (let lane = index; lane < index + lanes; lane++) {
    const word = (~(out[lane] ?? 0) >>> 0) + carry;
    carry = word > 0xffff_ffff ? 1 : 0;
    out[lane] = word | 0;
  }
}

const SIGNS = new Uint8Array(64);
'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.split('').forEach((sign, at) => {
  SIGNS[at] = sign.charCodeAt(0);
});
const PADDING = 61;

/** Base64 of `source[from, to)`; the heap has room for `4 * ceil(length / 3)` bytes. */
export function storeBase64(source: Uint8Array, { from, to }: Span, { heap, at: start }: HeapPlace): void {
  let at = start;
  let byte = from;
  for (; byte + 2 < to; byte += 3) {
    const group = ((source[byte] ?? 0) << 16) | ((source[byte + 1] ?? 0) << 8) | (source[byte + 2] ?? 0);
    heap[at++] = SIGNS[group >> 18] ?? 0;
    heap[at++] = SIGNS[(group >> 12) & 63] ?? 0;
    heap[at++] = SIGNS[(group >> 6) & 63] ?? 0;
    heap[at++] = SIGNS[group & 63] ?? 0;
  }
  if (byte === to) return;
  const group = ((source[byte] ?? 0) << 16) | (byte + 1 < to ? (source[byte + 1] ?? 0) << 8 : 0);
  heap[at++] = SIGNS[group >> 18] ?? 0;
  heap[at++] = SIGNS[(group >> 12) & 63] ?? 0;
  heap[at++] = byte + 1 < to ? (SIGNS[(group >> 6) & 63] ?? 0) : PADDING;
  heap[at] = PADDING;
}

export interface HeapPlace {
  readonly heap: Uint8Array;
  readonly at: number;
}

const GROWTH_LIMIT = 32 * 1024 * 1024;

/** A heap with room for `more` bytes behind the `used` ones: doubled while small, exact steps when large. */
export function growHeap(heap: Uint8Array, used: number, more: number): Uint8Array {
  const grown = new Uint8Array(Math.max(used + more, heap.length + Math.min(heap.length, GROWTH_LIMIT)));
  grown.set(heap.subarray(0, used));
  return grown;
}
