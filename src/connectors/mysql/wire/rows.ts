import type { ColumnDefinition } from './packets.ts';

interface Describable {
  readonly columns: readonly (ColumnDefinition & { readonly name: string })[];
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
  let at = span.from + 1 + ((row.columns.length + 9) >> 3);
  try {
    for (const [index, column] of row.columns.entries()) {
      const isNull = (view.getUint8(span.from + 1 + ((index + 2) >> 3)) & (1 << ((index + 2) & 7))) !== 0;
      const field = isNull ? { text: 'null', next: at } : printField(view, at, column);
      if (field.next > span.end) return undefined;
      if (row.key.includes(index)) parts.set(index, `${column.name}=${field.text}`);
      at = field.next;
      if (parts.size === row.key.length) break;
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return row.key.map((index) => parts.get(index)).join(', ');
}

interface Printed {
  readonly text: string;
  readonly next: number;
}

function printField(view: DataView, at: number, { type, unsigned }: ColumnDefinition): Printed {
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
      return printText(view, at);
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

function printText(view: DataView, at: number): Printed {
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
  const shown = Math.min(length, LONGEST_KEY, view.byteLength - at - head);
  const text = Buffer.from(view.buffer, view.byteOffset + at + head, Math.max(0, shown)).toString();
  return { text, next: at + head + length };
}
