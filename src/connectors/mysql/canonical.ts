import { canonicalText, type ColumnType } from '../../columns/index.ts';
import { daysOf } from './wire/values.ts';

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/;

/** The canonical text of a value that the server printed, in the lake type that its column becomes. */
export function canonicalOfText(type: ColumnType, printed: string): string {
  switch (type.kind) {
    case 'int':
    case 'long':
      return canonicalText(type, BigInt(printed));
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

/** A column read as a wider decimal needs more zeros than the server prints; zerofill prints more than it needs. */
function decimalWithScale(printed: string, scale: number): string {
  const [whole = '', fraction = ''] = printed.replace(/^(-?)0+(?=\d)/, '$1').split('.');
  const text = scale === 0 ? whole : `${whole}.${fraction.padEnd(scale, '0')}`;
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text;
}

/** Microseconds since 1970 of a date or datetime in UTC; what lies before year 1 is 1970, as the readers have it. */
function parseInstant(printed: string): bigint {
  const match = DATE_TIME.exec(printed);
  if (!match) throw new TypeError('the server printed a time in an unknown form');
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = ''] = match;
  if (Number(year) < 1) return 0n;
  const days = daysOf(Number(year), Number(month), Number(day));
  if (Number.isNaN(days)) throw new TypeError(`${printed} is no day of the calendar`);
  const seconds = days * 86_400 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}
