import type { RefusedRow } from '../../../connectors/kit/index.ts';

/** What a line of `quarantine.ndjson` holds. */
export interface QuarantineLine {
  readonly time: string;
  readonly stream: string;
  readonly column: string;
  readonly key: string;
  readonly reason: string;
  /** The row by columns of the source, as far as it could be read; absent where it could not, or no more fits the file. */
  readonly values?: Readonly<Record<string, string | null>>;
  /** Columns of which only the beginning, or nothing, is in `values`. */
  readonly incomplete?: readonly string[];
}

/** Of one value, in UTF-8. */
const VALUE_BYTES = 4096;
/** Of one line. */
const LINE_BYTES = 65_536;
/** Of column, key and reason each. */
const HEAD_BYTES = 1024;
/** For the names of the keys and what is between them. */
const ROOM = 256;

/** The line of a refused row, with its line break; at most 64 KiB. Without `withValues` the row's values are left out. */
export function printLine(
  refused: RefusedRow & { readonly stream: string; readonly time: Date },
  withValues: boolean,
): string {
  const head = {
    time: refused.time.toISOString(),
    stream: refused.stream,
    column: cut(refused.column, HEAD_BYTES),
    key: cut(refused.key, HEAD_BYTES),
    reason: cut(refused.reason, HEAD_BYTES),
  };
  const row = withValues ? refused.values?.() : undefined;
  if (!row) return `${JSON.stringify(head)}\n`;
  return `${JSON.stringify({ ...head, ...fitValues(row, LINE_BYTES - sizeOf(head) - ROOM) })}\n`;
}

/** As many values as the room allows, in their order; names of those that are cut or left out while there is room. */
function fitValues(
  row: Readonly<Record<string, string | null>>,
  room: number,
): Pick<QuarantineLine, 'values' | 'incomplete'> {
  const values: [string, string | null][] = [];
  const incomplete: string[] = [];
  let left = room;
  const take = (name: string, text: string | null): boolean => {
    const bytes = sizeOf(name) + sizeOf(text) + 2;
    if (bytes > left) return false;
    left -= bytes;
    values.push([name, text]);
    return true;
  };
  for (const [name, text] of Object.entries(row)) {
    const shown = text === null ? null : cut(text, VALUE_BYTES);
    if (take(name, shown) && shown === text) continue;
    const bytes = sizeOf(name) + 1;
    if (bytes > left) continue;
    left -= bytes;
    incomplete.push(name);
  }
  return { values: Object.fromEntries(values), ...(incomplete.length > 0 && { incomplete }) };
}

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
const scratch = new Uint8Array(VALUE_BYTES);
const encoder = new TextEncoder();

/** The beginning of the text, in whole characters. */
function cut(text: string, bytes: number): string {
  return text.slice(0, encoder.encodeInto(text, scratch.subarray(0, bytes)).read);
}
