import { EXCERPT_BYTES } from '../../../columns/index.ts';
import type { RowExcerpt } from '../../../columns/index.ts';
import type { WireKind } from '../types.ts';
import type { ColumnDefinition } from './packets.ts';

interface DescribableColumn extends ColumnDefinition {
  readonly name: string;
  readonly wire: WireKind;
}

interface Describable {
  readonly columns: readonly DescribableColumn[];
  /** Positions of the key in `columns`. */
  readonly key: readonly number[];
}

const LONGEST_KEY = 200;

/**
 * Names a row of the binary protocol by its key, `column=value, …`; undefined without a key, or when the key lies beyond
 * the span. For people and for finding the row; not on a hot path.
 */
export function describeRow(view: DataView, span: { from: number; end: number }, row: Describable): string | undefined {
  if (row.key.length === 0) return undefined;
  const parts = new Map<number, string>();
  for (const field of printFields(view, span, { columns: row.columns, longest: LONGEST_KEY })) {
    if (field.end > span.end) return undefined;
    if (row.key.includes(field.index))
      parts.set(field.index, `${row.columns[field.index]!.name}=${field.text ?? 'null'}`);
    if (parts.size === row.key.length) return row.key.map((index) => parts.get(index)).join(', ');
  }
  return undefined;
}

/**
 * The fields of a row of the binary protocol as texts by the names of their columns, as far as they lie in the span; long
 * ones are cut. For people; not on a hot path.
 */
export function excerptFields(
  view: DataView,
  span: { from: number; end: number },
  { columns }: Pick<Describable, 'columns'>,
): RowExcerpt {
  const texts: [string, string | null][] = [];
  for (const { index, text, end } of printFields(view, span, { columns, longest: EXCERPT_BYTES })) {
    // Of a text the beginning will do, when it is long enough to be seen as such.
    if (end > span.end && Buffer.byteLength(text ?? '') < EXCERPT_BYTES) break;
    texts.push([columns[index]!.name, text]);
  }
  return Object.fromEntries(texts);
}

interface PrintedField {
  readonly index: number;
  readonly text: string | null;
  /** Where the next one begins. */
  readonly end: number;
}

/** Field by field, up to the first that begins beyond the bytes. */
function* printFields(
  view: DataView,
  span: { from: number; end: number },
  { columns, longest }: Pick<Describable, 'columns'> & { readonly longest: number },
): Generator<PrintedField> {
  let at = span.from + 1 + ((columns.length + 9) >> 3);
  try {
    for (const [index, column] of columns.entries()) {
      const isNull = (view.getUint8(span.from + 1 + ((index + 2) >> 3)) & (1 << ((index + 2) & 7))) !== 0;
      const { text, next } = isNull
        ? { text: null, next: at }
        : printField(view, { at, longest, end: span.end }, column);
      yield { index, text, end: next };
      at = next;
      if (at > span.end) return;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

interface Printed {
  readonly text: string;
  readonly next: number;
}

interface FieldPlace {
  readonly at: number;
  readonly end: number;
  /** Of texts, so many bytes are shown. */
  readonly longest: number;
}

function printField(view: DataView, place: FieldPlace, { type, unsigned, wire }: DescribableColumn): Printed {
  const { at } = place;
  switch (type) {
    case 1:
      return { text: String(unsigned ? view.getUint8(at) : view.getInt8(at)), next: at + 1 };
    case 2:
    case 13:
      return { text: String(unsigned ? view.getUint16(at, true) : view.getInt16(at, true)), next: at + 2 };
    case 3:
    case 9:
      return { text: String(unsigned ? view.getUint32(at, true) : view.getInt32(at, true)), next: at + 4 };
    case 4:
      return { text: String(view.getFloat32(at, true)), next: at + 4 };
    case 5:
      return { text: String(view.getFloat64(at, true)), next: at + 8 };
    case 8:
      return { text: String(unsigned ? view.getBigUint64(at, true) : view.getBigInt64(at, true)), next: at + 8 };
    case 7:
    case 10:
    case 12:
      return printInstant(view, at);
    default:
      return printText(view, place, wire);
  }
}

const padded = (value: number, digits = 2): string => String(value).padStart(digits, '0');

function printInstant(view: DataView, at: number): Printed {
  const length = view.getUint8(at);
  const part = (offset: number): number => (offset < length ? view.getUint8(at + 1 + offset) : 0);
  const day = `${padded(part(0) | (part(1) << 8), 4)}-${padded(part(2))}-${padded(part(3))}`;
  const time = length > 4 ? ` ${padded(part(4))}:${padded(part(5))}:${padded(part(6))}` : '';
  const micros = length > 7 ? `.${padded(view.getUint32(at + 8, true), 6)}` : '';
  return { text: `${day}${time}${micros}`, next: at + 1 + length };
}

/** Bytes are printed as the table holds them: in base64, a geometry without its reference system. */
function printText(view: DataView, { at, end, longest }: FieldPlace, wire: WireKind): Printed {
  const first = view.getUint8(at);
  const head = first < 251 ? 1 : first === 252 ? 3 : first === 253 ? 4 : 9;
  const length =
    head === 1
      ? first
      : head === 3
        ? view.getUint16(at + 1, true)
        : head === 4
          ? view.getUint32(at, true) >>> 8
          : view.getUint32(at + 1, true);
  const shown = Math.min(length, longest, end - at - head);
  const bytes = Buffer.from(view.buffer, view.byteOffset + at + head, Math.max(0, shown));
  const isText = wire !== 'bytes' && wire !== 'geometry';
  const text = isText ? bytes.toString() : bytes.toString('base64', wire === 'geometry' ? 4 : 0);
  return { text, next: at + head + length };
}
