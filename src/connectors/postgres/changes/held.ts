import { canonicalOfText } from '../canonical.ts';
import type { Query } from '../catalog.ts';
import { fetchRows } from '../fetch.ts';
import { quoteName } from '../select.ts';
import type { ChosenColumn } from '../selection.ts';
import { OPERATION } from '../../kit/index.ts';
import { ABSENT, LEADING_FIELDS, OPERATION_AT } from './build.ts';
import { textCell } from './cells.ts';
import { askFilter, sift } from './filter.ts';
import { clearRow, copyCell, ensureRoom, putNull, type RowWriter } from './row.ts';
import type { ChangeTable } from './table.ts';
import { fromText } from './texts.ts';

/** A row that waits: for values that the log left out, or for the server's word on the filter. */
export interface HeldRow {
  readonly bytes: Buffer;
  /** Key values as the log spells them; null when the row needs nothing from the table. */
  readonly key: readonly string[] | null;
  /** Values of the filter's columns; undefined = left out by the log. Null when the filter has decided. */
  readonly filter: readonly (string | null | undefined)[] | null;
}

/** The rows of one stream that wait, and all that came after the first of them. */
export interface HeldRows {
  readonly table: ChangeTable;
  readonly rows: HeldRow[];
  bytes: number;
}

/** How many rows, or bytes of them, wait at most. */
export const HELD_ROWS = 500;
export const HELD_BYTES = 4 * 1024 * 1024;

type Found = ReadonlyMap<string, ReadonlyMap<string, string | null>>;

/** Completes the rows and gives them on, in order. Values of rows that are gone from the table are null. */
export async function releaseRows(
  query: Query,
  { table, rows }: HeldRows,
  out: { row: RowWriter; emit: (row: RowWriter) => Promise<void> },
): Promise<void> {
  const found = await fetchMissing(query, table, rows);
  const verdicts = await decide(query, table, { rows, found });
  for (const [at, held] of rows.entries()) {
    const verdict = verdicts[at];
    const operation = held.bytes[OPERATION_AT];
    // A new row outside of the filter was never inside.
    if (verdict === false && operation === OPERATION.inserted) continue;
    complete(out.row, table, { held, values: valuesOf(table, held, found) });
    if (verdict === false) out.row.bytes[OPERATION_AT] = OPERATION.deleted;
    await out.emit(out.row);
  }
}

function valuesOf(table: ChangeTable, { key }: HeldRow, found: Found): ReadonlyMap<string, string | null> | undefined {
  return key === null ? undefined : found.get(keyWord(table, key));
}

/** The values that the waiting rows lack, by key and column. */
async function fetchMissing(query: Query, table: ChangeTable, rows: readonly HeldRow[]): Promise<Found> {
  const { primaryKey } = table.stream.selection;
  const needing = rows.flatMap(({ key }) => (key ? [key] : []));
  if (needing.length === 0 || primaryKey.length === 0) return new Map();
  const columns = new Map<string, ChosenColumn>();
  for (const field of table.keys) {
    const column = table.chosen[field];
    if (column) columns.set(column.name, column);
  }
  for (const at of missingFields(rows)) {
    const column = table.chosen[at];
    if (column) columns.set(column.name, column);
  }
  for (const { source } of table.filter) {
    const { name, reading } = source;
    if (!columns.has(name)) columns.set(name, { name, reading, expression: reading.expression(quoteName(name)) });
  }
  const list = [...columns.values()];
  const keys = [...new Map(needing.map((key) => [keyWord(table, key), key])).values()];
  const fetched = await fetchRows(query, table.relation, { columns: list, primaryKey, keys });
  return new Map(
    fetched.map(({ values }) => [
      values.slice(0, table.keys.length).join('\0'),
      new Map(list.map(({ name }, at) => [name, values[at] ?? null])),
    ]),
  );
}

/** The key in canonical texts, which is how fetched rows spell it. */
function keyWord(table: ChangeTable, key: readonly string[]): string {
  return key
    .map((text, at) => {
      const type = table.fields[table.keys[at] ?? 0]?.column.type ?? { kind: 'string' };
      if (type.kind === 'timestamp') return canonicalOfText(type, text.replace('T', ' ').replace(/Z$/, '+00'));
      return type.kind === 'boolean' ? String(text.startsWith('t')) : canonicalOfText(type, text);
    })
    .join('\0');
}

function missingFields(rows: readonly HeldRow[]): ReadonlySet<number> {
  const missing = new Set<number>();
  for (const { bytes, key } of rows) {
    if (key === null) continue;
    eachField(bytes, ({ field, length }) => void (length === ABSENT && missing.add(field)));
  }
  return missing;
}

async function decide(
  query: Query,
  table: ChangeTable,
  { rows, found }: { rows: readonly HeldRow[]; found: Found },
): Promise<(boolean | undefined)[]> {
  const verdicts: (boolean | undefined)[] = [];
  const open: { at: number; values: (string | null)[] }[] = [];
  for (const [at, held] of rows.entries()) {
    if (held.filter === null) continue;
    const fetched = valuesOf(table, held, found);
    const values = held.filter.map((value, test) =>
      value === undefined ? (fetched?.get(table.filter[test]?.column ?? '') ?? null) : value,
    );
    const verdict = sift(table, values);
    verdicts[at] = verdict;
    if (verdict === undefined) open.push({ at, values });
  }
  if (open.length === 0) return verdicts;
  const passed = await askFilter(
    query,
    table,
    open.map(({ values }) => values),
  );
  for (const [place, { at }] of open.entries()) verdicts[at] = passed.has(place);
  return verdicts;
}

interface FieldPlace {
  /** Among the selected columns. */
  readonly field: number;
  readonly length: number;
  readonly at: number;
}

function eachField(bytes: Buffer, take: (place: FieldPlace) => void): void {
  const fields = bytes.readInt16BE(5);
  let at = 7;
  for (let field = 0; field < fields; field++) {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (field >= LEADING_FIELDS) take({ field: field - LEADING_FIELDS, length, at });
    at += Math.max(length, 0);
  }
}

interface Completion {
  readonly held: HeldRow;
  readonly values: ReadonlyMap<string, string | null> | undefined;
}

function complete(row: RowWriter, table: ChangeTable, { held: { bytes }, values }: Completion): void {
  clearRow(row);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let isHead = true;
  eachField(bytes, ({ field, length, at }) => {
    if (isHead) {
      ensureRoom(row, at);
      bytes.copy(row.bytes, 0, 0, at - 4);
      row.at = at - 4;
      isHead = false;
    }
    if (length >= 0) copyCell({ bytes, view, at, length }, row);
    else {
      const target = table.fields[field];
      const text = length === ABSENT && target ? values?.get(target.column.name) : undefined;
      if (text == null || !target) putNull(row);
      else fromText[target.wire](textCell(text), row);
    }
  });
  row.view.setUint32(1, row.at - 1);
}
