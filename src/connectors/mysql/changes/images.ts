import { Failure } from '../../../errors.ts';
import { OPERATION, type ReadChanges } from '../../kit/index.ts';
import { readLength } from '../wire/packets.ts';
import { brokenFailure, type LogEvent, type RowsForm } from './events.ts';
import { sift } from './filter.ts';
import type { Mark } from './marks.ts';
import { printPosition } from './position.ts';
import type { ChangeTable } from './tables.ts';
import type { LogCursor } from './transactions.ts';

type Operation = Mark['operation'];

/** An event with images of rows of a table. */
export interface RowsWork {
  readonly table: ChangeTable;
  readonly event: LogEvent;
  readonly form: RowsForm;
  readonly cursor: LogCursor;
  readonly give: (table: ChangeTable) => Promise<void>;
  readonly inflate: (packed: Buffer) => Buffer;
  readonly work: { readonly changes: Pick<ReadChanges, 'refuse'> };
}

/** An image: where it lies. */
interface Image {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly end: number;
}

/** Appends the rows of the event; yields what must be waited for: the sink, or an answer of the server. */
export function* readImages(rows: RowsWork): Generator<Promise<unknown>> {
  const { table, event, form } = rows;
  const { decoder } = table;
  const body = locateRows(rows);
  const { image } = body;
  const mark = {
    operation: OPERATION.inserted as Operation,
    time: rows.cursor.time,
    file: rows.cursor.file,
    offset: rows.cursor.offset,
  };
  const filter = table.stream.selection.filter;
  const isFiltered = filter !== undefined && table.filter.length > 0;
  let at = body.from;
  while (at < image.end) {
    // A changed key makes two rows of one.
    if (decoder.isFull) yield rows.give(table);
    if (isFiltered) at = yield* readFiltered(rows, { image, at, mark });
    else if (form.kind === 'update') at = yield* readUpdate(rows, { image, at, mark });
    else at = append(rows, { image, at, mark }, form.kind === 'insert' ? OPERATION.inserted : OPERATION.deleted);
    if (at < 0) throw brokenFailure(`a row of event ${event.type} is shorter than its columns`);
  }
}

/** Number of the table, flags; further data; number of columns; which of them are there; the images. */
function locateRows({ table, event, form, inflate }: RowsWork): { image: Image; from: number } {
  const { bytes } = event;
  let at = event.from + 8;
  if (form.extended) at += bytes.readUInt16LE(at);
  const count = readLength(bytes, at);
  if (count.value !== table.width) throw brokenFailure('an event has more or fewer columns than its table');
  at = count.next;
  const width = (count.value + 7) >> 3;
  const images = form.kind === 'update' ? 2 : 1;
  for (let image = 0; image < images; image++, at += width) {
    if (!isComplete(bytes, at, count.value)) throw partialFailure(table);
  }
  if (!form.compressed) return { image: { bytes, view: event.view, end: event.end }, from: at };
  const inflated = inflate(bytes.subarray(at, event.end));
  const view = new DataView(inflated.buffer, inflated.byteOffset, inflated.length);
  return { image: { bytes: inflated, view, end: inflated.length }, from: 0 };
}

function isComplete(bytes: Buffer, at: number, columns: number): boolean {
  for (let column = 0; column < columns; column++) {
    if (((bytes[at + (column >> 3)] ?? 0) & (1 << (column & 7))) === 0) return false;
  }
  return true;
}

function partialFailure({ stream }: ChangeTable): Failure {
  const { namespace, name } = stream.selection;
  return new Failure(
    'configuration_invalid',
    `the log holds only parts of the rows of "${namespace}.${name}": set global binlog_row_image = FULL and load the table anew`,
  );
}

interface RowPlace {
  readonly image: Image;
  readonly at: number;
  readonly mark: Mark;
}

/** Appends the image as a change; answers where it ends. */
function append(rows: RowsWork, { image, at, mark }: RowPlace, operation: Operation): number {
  const { decoder, marks } = rows.table;
  const end = decoder.append(image.bytes, image.view, { from: at, end: image.end });
  if (decoder.refusedColumn < 0) marks.add({ ...mark, operation });
  else refuse(rows);
  return end;
}

function refuse({ table, work, cursor }: RowsWork): void {
  const { decoder, index } = table;
  const column = decoder.vector(decoder.refusedColumn).column;
  const reason =
    column.type.kind === 'timestamp'
      ? 'the value is no day of the calendar'
      : 'the value does not fit the column of the lake';
  const key = `a row of the log before ${printPosition({ file: cursor.file.toString(), offset: cursor.offset })}`;
  work.changes.refuse(index, { column: column.name, reason, key });
}

/** The image before and the one after: one change, or two when the key differs. */
function* readUpdate(rows: RowsWork, place: RowPlace): Generator<Promise<unknown>, number> {
  const { table } = rows;
  const { image } = place;
  const after = table.decoder.skip(image.bytes, image.view, { from: place.at, end: image.end });
  if (after < 0) return -1;
  table.previousKeys.set(table.decoder.keys);
  const end = table.decoder.append(image.bytes, image.view, { from: after, end: image.end });
  if (end < 0) return -1;
  const isRefused = table.decoder.refusedColumn >= 0;
  if (hasSameKey(table, image.bytes)) {
    if (isRefused) refuse(rows);
    else table.marks.add({ ...place.mark, operation: OPERATION.updated });
    return end;
  }
  if (!isRefused) table.decoder.undo();
  append(rows, place, OPERATION.deleted);
  if (table.decoder.isFull) yield rows.give(table);
  append(rows, { ...place, at: after }, OPERATION.inserted);
  return end;
}

function hasSameKey({ decoder, previousKeys }: ChangeTable, bytes: Buffer): boolean {
  const { keys } = decoder;
  for (let key = 0; key < keys.length; key += 2) {
    const [start = -1, end = -1] = [keys[key], keys[key + 1]];
    const [before = -1, beforeEnd = -1] = [previousKeys[key], previousKeys[key + 1]];
    if (end - start !== beforeEnd - before || start < 0 !== before < 0) return false;
    for (let byte = 0; byte < end - start; byte++) if (bytes[start + byte] !== bytes[before + byte]) return false;
  }
  return true;
}

/** A row that leaves the filter is deleted, one that enters it appears. */
function* readFiltered(rows: RowsWork, place: RowPlace): Generator<Promise<unknown>, number> {
  const { table, form } = rows;
  const { image } = place;
  const pick = { passes: false, end: 0 };
  yield* passes(rows, place, pick);
  if (pick.end < 0 || form.kind !== 'update') {
    const operation = form.kind === 'insert' ? OPERATION.inserted : OPERATION.deleted;
    if (pick.passes) append(rows, place, operation);
    return pick.end;
  }
  const after = { ...place, at: pick.end };
  const was = pick.passes;
  table.previousKeys.set(table.decoder.keys);
  yield* passes(rows, after, pick);
  if (pick.end < 0) return -1;
  const isSame = hasSameKey(table, image.bytes);
  if (was && !(pick.passes && isSame)) append(rows, place, OPERATION.deleted);
  if (table.decoder.isFull) yield rows.give(table);
  if (pick.passes) append(rows, after, was && isSame ? OPERATION.updated : OPERATION.inserted);
  return pick.end;
}

/** Whether the image passes the filter, and where it ends; a row that is refused passes, to be refused when it is appended. */
function* passes(
  rows: RowsWork,
  { image, at }: RowPlace,
  pick: { passes: boolean; end: number },
): Generator<Promise<unknown>> {
  const { decoder, filter, stream } = rows.table;
  pick.end = decoder.append(image.bytes, image.view, { from: at, end: image.end });
  pick.passes = true;
  if (pick.end < 0 || decoder.refusedColumn >= 0) return;
  let verdict = sift(decoder, filter, stream.selection.filter?.combine ?? 'and');
  while (typeof verdict !== 'boolean') {
    yield verdict;
    verdict = sift(decoder, filter, stream.selection.filter?.combine ?? 'and');
  }
  pick.passes = verdict;
  decoder.undo();
}
