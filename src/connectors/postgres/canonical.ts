import { canonicalText, type ColumnType } from '../../columns/index.ts';
import { clampInstant } from './wire/values.ts';

const DATE_TIME = /^(\d+)-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?(?:\+00)?( BC)?$/;

/** The canonical text of a value that the server printed, in the lake type that its column becomes. */
export function canonicalOfText(type: ColumnType, printed: string): string {
  switch (type.kind) {
    case 'boolean':
      return canonicalText(type, printed === 't');
    case 'float':
    case 'double':
      return canonicalText(type, Number(printed));
    case 'timestamp':
      return canonicalText(type, parseInstant(printed));
    case 'decimal':
      return decimalWithScale(printed, type.scale);
    default:
      return printed;
  }
}

/** The server omits no zeros of a numeric's own scale; a column read as a wider decimal needs more of them. */
function decimalWithScale(printed: string, scale: number): string {
  const [whole = '', fraction = ''] = printed.split('.');
  const text = scale === 0 ? whole : `${whole}.${fraction.padEnd(scale, '0')}`;
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text;
}

/** Microseconds since 1970 of a date or timestamp in UTC, clamped as the readers clamp. */
function parseInstant(printed: string): bigint {
  if (printed === 'infinity') return clampInstant(2n ** 63n - 1n);
  if (printed === '-infinity') return clampInstant(-(2n ** 63n));
  const match = DATE_TIME.exec(printed);
  if (!match) throw new TypeError('the server printed a time in an unknown form');
  const [, year = '', month, day, hour = '0', minute = '0', second = '0', fraction = '', before] = match;
  // Beyond both ends only "too early" and "too late" matter.
  if (before !== undefined) return clampInstant(-(2n ** 62n));
  if (Number(year) > 9999) return clampInstant(2n ** 62n);
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  return BigInt(date.getTime()) * 1000n + BigInt(fraction.padEnd(6, '0'));
}
