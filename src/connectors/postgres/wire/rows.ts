import { EXCERPT_BYTES } from '../../../columns/index.ts';
import type { RowExcerpt } from '../../../columns/index.ts';
import type { WireColumn } from './decoder.ts';
import { clampInstant, EPOCH_SHIFT, storeHex, storeUuid } from './values.ts';

interface Keyed {
  readonly columns: readonly WireColumn[];
  readonly key: readonly number[];
}

const LONGEST_KEY = 200;

/**
 * Names a row by its key, `column=value, …`, from its fields; undefined without a key, or when the key lies beyond `span.end`.
 * For people and for finding the row; not on a hot path.
 */
export function describeRow(view: DataView, span: { from: number; end: number }, row: Keyed): string | undefined {
  if (row.key.length === 0) return undefined;
  const parts = new Map<number, string>();
  let at = span.from;
  for (let index = 0; index < row.columns.length && parts.size < row.key.length; index++) {
    if (at + 4 > span.end) return undefined;
    const length = view.getInt32(at);
    at += 4;
    const column = row.columns[index];
    if (column && row.key.includes(index)) {
      if (at + Math.max(length, 0) > span.end) return undefined;
      parts.set(
        index,
        `${column.column.name}=${length < 0 ? 'null' : printField(view, { at, length, longest: LONGEST_KEY }, column)}`,
      );
    }
    at += Math.max(length, 0);
  }
  return parts.size < row.key.length ? undefined : row.key.map((index) => parts.get(index)).join(', ');
}

/**
 * The fields of a row as texts by the names of their columns, as far as they lie in the span; long ones are cut. The
 * first `leading` fields are left out. For people; not on a hot path.
 */
export function excerptFields(
  view: DataView,
  span: { from: number; end: number },
  { columns, leading = 0 }: { readonly columns: readonly WireColumn[]; readonly leading?: number },
): RowExcerpt {
  const texts: [string, string | null][] = [];
  let at = span.from;
  for (const [index, column] of columns.entries()) {
    if (at + 4 > span.end) break;
    const length = view.getInt32(at);
    at += 4;
    const here = Math.min(length, span.end - at);
    // Of a text the beginning will do, when it is long enough to be seen as such.
    const isWhole = here === length;
    if (!isWhole && (here < EXCERPT_BYTES || column.wire === 'numeric')) break;
    const text = length < 0 ? null : printField(view, { at, length: here, longest: EXCERPT_BYTES }, column);
    if (index >= leading) texts.push([column.column.name, text]);
    if (!isWhole) break;
    at += Math.max(length, 0);
  }
  return Object.fromEntries(texts);
}

interface Field {
  readonly at: number;
  readonly length: number;
  /** Of texts and bytes, so many bytes are shown. */
  readonly longest: number;
}

function printField(view: DataView, { at, length, longest }: Field, { wire }: WireColumn): string {
  const shown = Math.min(length, longest);
  const bytes = Buffer.from(view.buffer, view.byteOffset + at, shown);
  switch (wire) {
    case 'bool':
      return String(bytes[0] === 1);
    case 'int2':
      return String(view.getInt16(at));
    case 'int4':
      return String(view.getInt32(at));
    case 'int8':
      return String(view.getBigInt64(at));
    case 'float4':
      return String(view.getFloat32(at));
    case 'float8':
      return String(view.getFloat64(at));
    case 'date':
      return printInstant(BigInt(view.getInt32(at)) * 86_400_000_000n + EPOCH_SHIFT).slice(0, 10);
    case 'timestamp':
      return printInstant(view.getBigInt64(at) + EPOCH_SHIFT);
    case 'numeric':
      return printNumeric(view, at);
    case 'uuid':
      return printBytes(36, (printed) => storeUuid(bytes, 0, { heap: printed, at: 0 }));
    case 'bytea':
      return printBytes(2 + 2 * shown, (printed) => storeHex(bytes, { from: 0, to: shown }, { heap: printed, at: 0 }));
    default:
      return bytes.toString('utf8', wire === 'jsonb' ? 1 : 0);
  }
}

function printBytes(characters: number, store: (printed: Buffer) => unknown): string {
  const printed = Buffer.alloc(characters);
  store(printed);
  return printed.toString('latin1');
}

function printInstant(micros: bigint): string {
  const clamped = clampInstant(micros);
  const millis = new Date(Number(clamped / 1000n)).toISOString();
  return `${millis.slice(0, -1)}${String(((clamped % 1000n) + 1000n) % 1000n).padStart(3, '0')}Z`;
}

function printNumeric(view: DataView, at: number): string {
  const groups = view.getInt16(at);
  const weight = view.getInt16(at + 2);
  const sign = view.getUint16(at + 4);
  const scale = view.getUint16(at + 6);
  if (sign !== 0 && sign !== 0x4000) return sign === 0xd000 ? 'Infinity' : sign === 0xf000 ? '-Infinity' : 'NaN';
  const group = (index: number): string =>
    String(index >= 0 && index < groups ? view.getUint16(at + 8 + index * 2) : 0).padStart(4, '0');
  let whole = '';
  for (let index = 0; index <= weight; index++) whole += group(index);
  let fraction = '';
  for (let index = weight + 1; fraction.length < scale; index++) fraction += group(index);
  const digits = `${whole.replace(/^0+/, '') || '0'}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`;
  return sign === 0 ? digits : `-${digits}`;
}

/** Which of the fields of a row is the longest, as far as the beginning of the row in `span` tells. */
export function findLargestField(view: DataView, span: { from: number; end: number }, fields: number): number {
  let largest = { field: 0, length: -1 };
  let at = span.from;
  for (let field = 0; field < fields && at + 4 <= span.end; field++) {
    const length = view.getInt32(at);
    if (length > largest.length) largest = { field, length };
    at += 4 + Math.max(length, 0);
  }
  return largest.field;
}
