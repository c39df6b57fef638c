import type { ColumnVector } from '../../../columns/index.ts';
import { textAt } from '../decorate/index.ts';

/** Tells of a value index whether the value there is the one that `text` spells. Never true for a null text. */
export function createMatcher(vector: ColumnVector | undefined, text: string | null): (index: number) => boolean {
  if (vector === undefined || text === null) return () => false;
  const { values } = vector;
  const { type } = vector.column;
  const exact = type.kind === 'timestamp' ? microsOf(text) : /^-?\d+$/.test(text) ? BigInt(text) : undefined;
  if (exact !== undefined && type.kind === 'int') return (index) => values[index] === Number(exact);
  if (exact !== undefined && (type.kind === 'long' || type.kind === 'timestamp')) {
    const low = Number(BigInt.asIntN(32, exact));
    const high = Number(BigInt.asIntN(32, exact >> 32n));
    return (index) => values[index * 2] === low && values[index * 2 + 1] === high;
  }
  const wanted = canonicalCursor(text, type.kind);
  return (index) => canonicalCursor(textAt(vector, index), type.kind) === wanted;
}

const TIME = /^(\d{4,})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** Microseconds since 1970 of an ISO time in any of the spellings that sources print; undefined for other texts. */
export function microsOf(text: string): bigint | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  const shift = zone === 'Z' ? 0 : (zone.startsWith('-') ? -1 : 1) * minutesOf(zone.slice(1));
  return BigInt(date.getTime() - shift * 60_000) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}

function minutesOf(zone: string): number {
  return Number(zone.slice(0, 2)) * 60 + Number(zone.slice(2).replace(':', '') || '0');
}

/** Numbers are compared without the zeros that only spell them. */
function canonicalCursor(text: string, kind: string): string {
  if (kind === 'string') return text;
  if (kind === 'decimal' && text.includes('.')) return text.replace(/\.?0+$/, '');
  if (kind === 'float') return String(Math.fround(Number(text)));
  if (kind === 'double') return String(Number(text));
  return text;
}
