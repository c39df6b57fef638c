import type { ColumnValue } from './read.ts';
import type { ColumnType } from './types.ts';

/**
 * The one text of a value that source and table are compared by (reconciliation):
 *
 * | type             | text                                                                                     |
 * |------------------|------------------------------------------------------------------------------------------|
 * | boolean          | `true`, `false`                                                                          |
 * | int, long        | digits, `-` before negative ones                                                         |
 * | float            | shortest text that reads back as the same 64-bit number after rounding to 32 bits        |
 * | double           | shortest text that reads back as the same number, JavaScript's spelling (`1e+21`, `0.1`) |
 * | float, double    | `NaN`, `Infinity`, `-Infinity`; negative zero is `0`                                     |
 * | decimal(p,s)     | digits with exactly s of them after the point; no point when s is 0                      |
 * | timestamp        | `YYYY-MM-DDTHH:MM:SS.ffffffZ`; years outside 0–9999 with sign and six digits             |
 * | string           | itself                                                                                   |
 *
 * Decimals come unscaled and timestamps in microseconds, as `readValue` gives them.
 */
export function canonicalText(type: ColumnType, value: ColumnValue): string {
  switch (type.kind) {
    case 'float':
      return String(Math.fround(Number(value)));
    case 'decimal':
      return decimalText(BigInt(value), type.scale);
    case 'timestamp':
      return timestampText(BigInt(value));
    default:
      return String(value);
  }
}

/** An unscaled integer as a decimal number with exactly `scale` digits after the point. */
export function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? '-' : '';
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString();
  if (scale === 0) return sign + digits;
  const padded = digits.padStart(scale + 1, '0');
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** Microseconds since 1970 as RFC 3339 UTC with six fractional digits. */
export function timestampText(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((micros - fraction) / 1_000_000n);
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return micros.toString();
  return `${date.toISOString().slice(0, -5)}.${fraction.toString().padStart(6, '0')}Z`;
}
