import type { ColumnBatch, ColumnVector } from '../../columns/index.ts';
import { isPresent } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { VectorReader } from '../parquet/index.ts';
import { openVectorReader } from '../parquet/index.ts';
import type { FileColumn } from './data-file.ts';
import { createDataFileWriter } from './data-file.ts';
import type { DeadByFile } from './dead-rows.ts';
import { deadRowsOf } from './dead-rows.ts';
import type { KeyTable } from './key-table.ts';
import { createKeyTable } from './key-table.ts';
import type { DataFile } from './model.ts';
import { equalityDeletes } from './model.ts';
import { fill } from './position-deletes.ts';
import type { WriteLayout, WrittenSlice } from './unit-files.ts';

/** Marks rows that stand for a deletion at the source and are not to stay in the table. */
export interface RemovalMark {
  readonly column: string;
  readonly value: string;
}

export interface UpsertInput {
  readonly files: readonly DataFile[];
  readonly slices: readonly WrittenSlice[] | undefined;
  readonly identifier: string;
  readonly removes?: RemovalMark;
}

/** The identifiers of a unit's rows. */
export interface UnitKeys {
  readonly keys: KeyTable;
  /** Rows of the unit that a later one of the unit replaces or removes. */
  readonly dead: DeadByFile;
  /** Rows of the unit that stay visible. */
  readonly liveRows: number;
}

const ROWS_AT_A_TIME = 122_880;
/** A place inside the unit is one number: file × 2^32 + row. */
const ROWS_PER_FILE = 0x1_0000_0000;

/**
 * Collects the identifiers of a unit; among rows with the same id the last one written stays. The unit's own files are
 * read back for them, so that loads, which never need them, pay nothing.
 */
export async function collectKeys(layout: WriteLayout, input: UpsertInput): Promise<UnitKeys> {
  const collector = createCollector(input);
  if (input.slices === undefined) {
    for (const [at, file] of input.files.entries()) {
      for await (const part of readParts(layout, input, file)) collector.addPart(at * ROWS_PER_FILE, part);
    }
  } else await collectInOrder(layout, input, collector);
  return collector.finish();
}

/** Rows of partitioned units lie in several files at once: their ids are held until all are seen in order. */
async function collectInOrder(layout: WriteLayout, input: UpsertInput, collector: Collector): Promise<void> {
  const files = new Map<string, { readonly at: number; readonly parts: FilePart[] }>();
  for (const [at, file] of input.files.entries()) {
    const parts: FilePart[] = [];
    for await (const part of readParts(layout, input, file)) parts.push(part);
    files.set(file.path, { at, parts });
  }
  for (const slice of input.slices!) {
    for (let row = 0; row < slice.rows; row++) {
      const place = slice.locate(row);
      const { at, parts } = files.get(place.file)!;
      const part = parts.findLast((one) => one.firstRow <= place.row)!;
      collector.add(part, place.row - part.firstRow, at * ROWS_PER_FILE + place.row);
    }
  }
}

/** Ids and marks of the rows of one row group. */
interface FilePart {
  readonly firstRow: number;
  readonly rows: number;
  readonly ids: ColumnVector;
  readonly marks: Uint8Array | undefined;
}

async function* readParts(layout: WriteLayout, input: UpsertInput, file: DataFile): AsyncGenerator<FilePart> {
  const { identifier, removes } = input;
  const find = (name: string): FileColumn => layout.columns.find(({ column }) => column.name === name)!;
  const wanted = [find(identifier), ...(removes ? [find(removes.column)] : [])];
  const reader: VectorReader = await openVectorReader(layout.storage, file.path);
  let firstRow = 0;
  for (const group of reader.groups.keys()) {
    const { rows, columns } = await reader.readGroup(group, wanted);
    const ids = columns[0]!;
    if (ids.nulls > 0) throw new Failure('internal', `A row has no "${identifier}".`);
    yield { firstRow, rows, ids, marks: removes && readMarks(columns[1]!, rows, removes) };
    firstRow += rows;
  }
}

function readMarks(vector: ColumnVector, rows: number, { value }: RemovalMark): Uint8Array {
  const marks = new Uint8Array(rows);
  const mark = Buffer.from(value);
  const { values, heap } = vector;
  for (let row = 0, dense = 0; row < rows; row++) {
    if (!isPresent(vector, row)) continue;
    const start = values[dense++]!;
    if (values[dense]! - start !== mark.length) continue;
    marks[row] = mark.every((byte, at) => heap[start + at] === byte) ? 1 : 0;
  }
  return marks;
}

interface Collector {
  addPart(base: number, part: FilePart): void;
  add(part: FilePart, row: number, place: number): void;
  finish(): UnitKeys;
}

function createCollector({ files }: UpsertInput): Collector {
  const keys = createKeyTable();
  const dead: DeadByFile = new Map();
  /** 1 for an id whose last row so far is a removal. */
  let removed = new Uint8Array(1 << 10);
  let rows = 0;
  let deadRows = 0;

  function bury(place: number): void {
    const at = Math.floor(place / ROWS_PER_FILE);
    if (deadRowsOf(dead, files[at]!.path).add(place - at * ROWS_PER_FILE)) deadRows += 1;
  }
  function add(part: FilePart, row: number, place: number): void {
    const { values, heap } = part.ids;
    const known = keys.size;
    const index = keys.put(heap, values[row]!, values[row + 1]!);
    if (index < known) bury(keys.get(index));
    else if (index >= removed.length) removed = Buffer.concat([removed], removed.length * 2);
    if (part.marks) removed[index] = part.marks[row]!;
    keys.set(index, place);
    rows += 1;
  }
  return {
    add,
    addPart(base, part) {
      for (let row = 0; row < part.rows; row++) add(part, row, base + part.firstRow + row);
    },
    finish() {
      for (let index = 0; index < keys.size; index++) if (removed[index] === 1) bury(keys.get(index));
      return { keys, dead, liveRows: rows - deadRows };
    },
  };
}

/** Writes the deletes of the older rows of every id of the unit; none when it has no rows. */
export async function writeEqualityDeletes(
  layout: WriteLayout,
  identifier: string,
  unit: UnitKeys,
): Promise<readonly DataFile[]> {
  const key = layout.columns.find(({ column }) => column.name === identifier)!;
  if (unit.keys.size === 0) return [];
  const file = {
    path: layout.names.deleteFile(''),
    columns: [key],
    // Without partition values the deletes hold in every partition: an update may move a row to another one.
    partition: new Map(),
    content: equalityDeletes,
    equalityIds: [key.fieldId],
  };
  return [await fill(await createDataFileWriter(layout, file), keyBatches(key, unit))];
}

function* keyBatches({ column }: FileColumn, { keys }: UnitKeys): Generator<ColumnBatch> {
  for (let from = 0; from < keys.size; from += ROWS_AT_A_TIME) {
    const count = Math.min(ROWS_AT_A_TIME, keys.size - from);
    const base = keys.start(from);
    const values = Int32Array.from({ length: count + 1 }, (_, at) => keys.start(from + at) - base);
    const heap = keys.heap.subarray(base, keys.start(from + count));
    yield { rows: count, columns: [{ column, values, heap, validity: new Uint8Array(0), nulls: 0, count }] };
  }
}
