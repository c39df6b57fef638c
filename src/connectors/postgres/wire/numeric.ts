/**
 * Exact decoding of the binary `numeric` of PostgreSQL: int16 groups, int16 weight, uint16 sign, uint16 display scale,
 * then base-10000 groups; the first group counts 10000^weight. Trailing zero groups are absent.
 */

const POWERS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
const NEGATIVE = 0x4000;

/**
 * value × 10^scale as a double; NaN for a special value (NaN, infinities) or one with more decimals than the scale. Exact while
 * the result stays below 10^15: every step is an integer no larger than the result. The caller checks that bound.
 */
export function smallNumeric(view: DataView, at: number, scale: number): number {
  const groups = view.getInt16(at);
  const sign = view.getUint16(at + 4);
  if (sign !== 0 && sign !== NEGATIVE) return Number.NaN;
  if (groups === 0) return 0;
  // Exponent of ten, in units of the result, of the group that is read next.
  let exponent = view.getInt16(at + 2) * 4 + scale;
  let place = at + 8;
  const end = place + groups * 2;
  let value = 0;
  while (exponent >= 0 && place < end) {
    value = value * 10000 + view.getUint16(place);
    place += 2;
    exponent -= 4;
  }
  if (place === end) {
    value *= POWERS[exponent + 4] ?? Number.NaN;
  } else {
    // The last group reaches beyond the scale: its digits there must be zeros.
    const divisor = POWERS[-exponent] ?? Number.NaN;
    const part = view.getUint16(place) / divisor;
    if (exponent <= -4 || place + 2 < end || part !== Math.floor(part)) return Number.NaN;
    value = value * (POWERS[4 + exponent] ?? Number.NaN) + part;
  }
  return sign === NEGATIVE ? -value : value;
}

/**
 * The same for values from 0 up to, without, 10000, which most are; -1 for others. `unit` = 10^scale, for scales up to 4. Small
 * enough to become part of the loop that calls it.
 */
export function shortNumeric(view: DataView, at: number, unit: number): number {
  if (view.getInt16(at + 4) !== 0) return -1;
  const groupsAndWeight = view.getInt32(at);
  if (groupsAndWeight === 0) return 0;
  const first = view.getUint16(at + 8) * unit;
  if (groupsAndWeight === ONE_WHOLE) return first;
  const isMixed = groupsAndWeight === ONE_WHOLE_ONE_PART;
  if (!isMixed && groupsAndWeight !== ONE_PART) return -1;
  const scaled = isMixed ? view.getUint16(at + 10) * unit : first;
  const part = (scaled / 10000) | 0;
  if (part * 10000 !== scaled) return -1;
  return isMixed ? first + part : part;
}

/** Groups and weight of a value as one word: a group before the point, one on each side, one behind it. */
const ONE_WHOLE = 0x1_0000;
const ONE_WHOLE_ONE_PART = 0x2_0000;
const ONE_PART = 0x1_ffff;

export interface DecimalShape {
  readonly precision: number;
  readonly scale: number;
  readonly lanes: number;
}

/**
 * Writes value × 10^scale as `lanes` 32-bit words (low first, two's complement) to `out[index…]`. False when the value is
 * special or does not fit the precision; `out` then holds garbage at that place.
 */
export function wideNumeric(view: DataView, at: number, target: DecimalShape & { out: Int32Array; index: number }) {
  const groups = view.getInt16(at);
  const sign = view.getUint16(at + 4);
  const { out, index, lanes } = target;
  for (let lane = 0; lane < lanes; lane++) out[index + lane] = 0;
  if (sign !== 0 && sign !== NEGATIVE) return false;
  if (groups === 0) return true;
  let exponent = view.getInt16(at + 2) * 4 + target.scale;
  const first = view.getUint16(at + 8);
  const digits = (first >= 1000 ? 4 : first >= 100 ? 3 : first >= 10 ? 2 : 1) + exponent;
  if (digits > target.precision) return false;
  for (let group = 0; group < groups; group++, exponent -= 4) {
    const digit = view.getUint16(at + 8 + group * 2);
    if (exponent >= 0) {
      multiplyAdd(target, 10000, digit);
      continue;
    }
    const part = digit / (POWERS[-exponent] ?? Number.NaN);
    if (exponent <= -4 || group + 1 < groups || part !== Math.floor(part)) return false;
    multiplyAdd(target, POWERS[4 + exponent] ?? 1, part);
  }
  for (exponent += 4; exponent > 0; exponent -= 4) multiplyAdd(target, POWERS[Math.min(exponent, 4)] ?? 1, 0);
  if (sign === NEGATIVE) negate(target);
  return true;
}

interface Lanes {
  readonly out: Int32Array;
  readonly index: number;
  readonly lanes: number;
}

/** lanes = lanes × factor + addend; every product stays below 2^46, so doubles are exact. */
function multiplyAdd({ out, index, lanes }: Lanes, factor: number, addend: number): void {
  let carry = addend;
  for (let lane = index; lane < index + lanes; lane++) {
    const product = ((out[lane] ?? 0) >>> 0) * factor + carry;
    carry = Math.floor(product / 4294967296);
    out[lane] = product - carry * 4294967296;
  }
}

function negate({ out, index, lanes }: Lanes): void {
  let carry = 1;
  for (let lane = index; lane < index + lanes; lane++) {
    const word = (~(out[lane] ?? 0) >>> 0) + carry;
    carry = word > 0xffffffff ? 1 : 0;
    out[lane] = word | 0;
  }
}
