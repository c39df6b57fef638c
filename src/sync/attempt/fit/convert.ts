import { canonicalText } from '../../../columns/index.ts';
import type { ColumnType, ColumnValue } from '../../../columns/index.ts';
import { microsOf } from '../pipeline/match.ts';

/** The value as one of type `to`, exactly; undefined when there is none. */
export type Conversion = (value: ColumnValue) => ColumnValue | undefined;

/** How values of one type become values of another (contract 7.6). Values are those of `readValue`. */
export function conversionOf(from: ColumnType, to: ColumnType): Conversion {
  if (to.kind === 'string') return (value) => canonicalText(from, value);
  if (from.kind === 'string') return (value) => parseText(String(value), to);
  if (from.kind === 'timestamp' || to.kind === 'timestamp') return () => undefined;
  if (to.kind === 'boolean') return (value) => (Number(value) === 0 ? false : Number(value) === 1 ? true : undefined);
  if (to.kind === 'float' || to.kind === 'double') return toFloating(from, to);
  const scale = to.kind === 'decimal' ? to.scale : 0;
  if (from.kind === 'float' || from.kind === 'double') return (value) => fromFloating(Number(value), scale);
  const own = from.kind === 'decimal' ? from.scale : 0;
  return (value) => rescale(typeof value === 'boolean' ? BigInt(value) : BigInt(value), own, scale);
}

function parseText(text: string, to: ColumnType): ColumnValue | undefined {
  const word = text.trim();
  switch (to.kind) {
    case 'boolean':
      return { true: true, t: true, '1': true, false: false, f: false, '0': false }[word.toLowerCase()];
    case 'timestamp':
      return microsOf(word);
    case 'float':
    case 'double': {
      const number = word === '' ? Number.NaN : Number(word);
      return Number.isNaN(number) && word !== 'NaN' ? undefined : number;
    }
    default:
      return parseDecimal(word, to.kind === 'decimal' ? to.scale : 0);
  }
}

const DECIMAL = /^([+-]?)(\d{1,1000})(?:\.(\d{0,1000}))?$/;

/** The unscaled integer of a plain decimal text at this scale. */
function parseDecimal(text: string, scale: number): bigint | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const fraction = match[3] ?? '';
  const unscaled = rescale(BigInt(match[2]! + fraction), fraction.length, scale);
  return unscaled === undefined ? undefined : match[1] === '-' ? -unscaled : unscaled;
}

/** Digits are never lost: undefined where they would be. */
function rescale(unscaled: bigint, from: number, to: number): bigint | undefined {
  if (to >= from) return unscaled * 10n ** BigInt(to - from);
  const divisor = 10n ** BigInt(from - to);
  return unscaled % divisor === 0n ? unscaled / divisor : undefined;
}

function toFloating(from: ColumnType, to: ColumnType): Conversion {
  const round = to.kind === 'float' ? Math.fround : (number: number): number => number;
  return (value) => {
    const number = from.kind === 'decimal' ? Number(canonicalText(from, value)) : Number(value);
    const isWhole = from.kind === 'int' || from.kind === 'long';
    if (isWhole && BigInt(round(number)) !== BigInt(value)) return undefined;
    return to.kind === 'float' && from.kind === 'double' && round(number) !== number && !Number.isNaN(number)
      ? undefined
      : round(number);
  };
}

function fromFloating(number: number, scale: number): bigint | undefined {
  if (!Number.isFinite(number)) return undefined;
  if (Number.isInteger(number)) return rescale(BigInt(number), 0, scale);
  return parseDecimal(String(number), scale);
}
