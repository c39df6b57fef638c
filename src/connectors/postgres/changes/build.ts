import type { RelationPlan } from './relations.ts';
import { clearRow, ensureRoom, type Cell, type RowWriter } from './row.ts';
import { VALUE, type Tuple } from './tuples.ts';

/** What all rows of one transaction share: the fields that the log adds behind the operation, ready to be copied. */
export type TransactionFields = Buffer;

/** Fields that stand before the selected ones: operation, time of the commit, place of the commit. */
export const LEADING_FIELDS = 3;
/** Where the operation stands in a row, and where its fields begin. */
export const OPERATION_AT = 11;
const FIELDS_AT = 5;

/** The length of a field whose value the log left out. */
export const ABSENT = -2;

export function transactionFields(committed: bigint, place: string): TransactionFields {
  const fields = Buffer.alloc(16 + place.length);
  fields.writeInt32BE(8, 0);
  fields.writeBigInt64BE(committed, 4);
  fields.writeInt32BE(place.length, 12);
  fields.write(place, 16, 'latin1');
  return fields;
}

/** One change whose row is to be built. Reused from change to change. */
export interface RowSource {
  bytes: Buffer;
  view: DataView;
  tuple: Tuple;
  /** The row before the change; has what the new one left out. */
  old: Tuple | undefined;
  operation: number;
  shared: TransactionFields;
}

const cell: Cell = { bytes: Buffer.alloc(0), view: new DataView(new ArrayBuffer(0)), at: 0, length: 0 };

/**
 * Writes the row as a message of a binary `COPY`, so that the reader of loads reads it, too. Answers how many fields the
 * log left out; their length is `ABSENT`.
 */
export function buildRow(row: RowWriter, plan: RelationPlan, what: RowSource): number {
  const { shared, old } = what;
  const { sources, absent } = plan;
  clearRow(row);
  ensureRoom(row, OPERATION_AT + 1 + shared.length + 4 * sources.length);
  row.bytes[0] = 0x64;
  row.view.setInt16(FIELDS_AT, LEADING_FIELDS + sources.length);
  row.view.setInt32(FIELDS_AT + 2, 1);
  row.bytes[OPERATION_AT] = what.operation;
  row.bytes.set(shared, OPERATION_AT + 1);
  row.at = OPERATION_AT + 1 + shared.length;
  cell.bytes = what.bytes;
  cell.view = what.view;
  let missing = 0;
  for (let field = 0; field < sources.length; field++) {
    const source = sources[field] ?? -1;
    let { tuple } = what;
    let kind: number = source < 0 || source >= tuple.columns ? VALUE.null : (tuple.kinds[source] ?? VALUE.null);
    if (kind === VALUE.unchanged && old) {
      tuple = old;
      kind = tuple.kinds[source] ?? VALUE.unchanged;
    }
    if (kind === VALUE.unchanged || absent[field] === 1) {
      putLength(row, ABSENT);
      missing++;
    } else if (kind === VALUE.null) {
      putLength(row, -1);
    } else {
      cell.at = tuple.places[source] ?? 0;
      cell.length = tuple.lengths[source] ?? 0;
      const reader = plan.readers[field];
      const convert = kind === VALUE.binary ? reader?.binary : reader?.printed;
      if (!convert)
        throw new TypeError(`no reader for the type of "${plan.relation.columns[source]?.name}" in the log`);
      convert(cell, row);
    }
  }
  row.view.setUint32(1, row.at - 1);
  return missing;
}

function putLength(row: RowWriter, length: number): void {
  ensureRoom(row, 4);
  row.view.setInt32(row.at, length);
  row.at += 4;
}

/** The text of a column's value; null when there is none, undefined when the log left it out. */
export function columnText(what: RowSource, source: number, reader: RelationPlan['readers'][number]) {
  let { tuple } = what;
  if (source < 0) return null;
  if (tuple.kinds[source] === VALUE.unchanged && what.old) tuple = what.old;
  const kind = tuple.kinds[source];
  if (kind === VALUE.unchanged) return undefined;
  if (kind === VALUE.null || source >= tuple.columns) return null;
  const [at, length] = [tuple.places[source] ?? 0, tuple.lengths[source] ?? 0];
  if (kind === VALUE.printed) return what.bytes.toString('utf8', at, at + length);
  return reader?.print?.({ bytes: what.bytes, view: what.view, at, length }) ?? null;
}

/** True when a field that identifies the row has another value than before. */
export function isKeyChanged({ table, sources }: RelationPlan, bytes: Buffer, rows: { old: Tuple; tuple: Tuple }) {
  const { old, tuple } = rows;
  return table.keys.some((field) => {
    const at = sources[field] ?? -1;
    if (at < 0 || tuple.kinds[at] === VALUE.unchanged) return false;
    if (old.kinds[at] !== tuple.kinds[at]) return true;
    if (tuple.kinds[at] === VALUE.null) return false;
    const [from, length] = [tuple.places[at] ?? 0, tuple.lengths[at] ?? 0];
    const [oldFrom, oldLength] = [old.places[at] ?? 0, old.lengths[at] ?? 0];
    return length !== oldLength || bytes.compare(bytes, from, from + length, oldFrom, oldFrom + length) !== 0;
  });
}
