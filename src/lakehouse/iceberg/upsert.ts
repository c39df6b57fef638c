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
  /** True for a row of the unit, in the order of writing, whose id is known to be in no older row of the table. */
  readonly isFresh?: (row: number) => boolean;
}

/** The identifiers of a unit's rows. */
export interface UnitKeys {
  readonly keys: KeyTable;
  /** True when older rows of the table may bear the id. */
  mayExist(index: number): boolean;
  /** Rows of the unit that a later one of the unit replaces or removes. */
  readonly dead: DeadByFile;
  /** Rows of the unit that stay visible. */
  readonly liveRows: number;
}

const ROWS_AT_A_TIME = 122_880;
/** A place inside the unit is one number: file × 2^32 + row. */
const ROWS_PER_FILE = 0x1_0000_0000;

const FRESH = 1;
const REMOVES = 2;

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

function createCollector({ files, isFresh }: UpsertInput): Collector {
  const keys = createKeyTable();
  const dead: DeadByFile = new Map();
  let flags = new Uint8Array(1 << 10);
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
    else {
      if (index >= flags.length) flags = Buffer.concat([flags], flags.length * 2);
      flags[index] = isFresh?.(rows) ? FRESH : 0;
    }
    if (part.marks) flags[index] = (flags[index]! & FRESH) | (part.marks[row] === 1 ? REMOVES : 0);
    keys.set(index, place);
    rows += 1;
  }
  return {
    add,
    addPart(base, part) {
      for (let row = 0; row < part.rows; row++) add(part, row, base + part.firstRow + row);
    },
    finish() {
      for (let index = 0; index < keys.size; index++) if (flags[index]! & REMOVES) bury(keys.get(index));
      return { keys, dead, liveRows: rows - deadRows, mayExist: (index) => (flags[index]! & FRESH) === 0 };
    },
  };
}

/** Writes the deletes of the older rows of every id of the unit; none when all ids are known to be new. */
export async function writeEqualityDeletes(
  layout: WriteLayout,
  identifier: string,
  unit: UnitKeys,
): Promise<readonly DataFile[]> {
  const key = layout.columns.find(({ column }) => column.name === identifier)!;
  let needed = 0;
  for (let index = 0; index < unit.keys.size; index++) if (unit.mayExist(index)) needed += 1;
  if (needed === 0) return [];
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

function* keyBatches({ column }: FileColumn, { keys, mayExist }: UnitKeys): Generator<ColumnBatch> {
  const starts = new Int32Array(ROWS_AT_A_TIME + 1);
  let index = 0;
  while (index < keys.size) {
    const from = index;
    let count = 0;
    for (; index < keys.size && count < ROWS_AT_A_TIME; index++) {
      if (!mayExist(index)) continue;
      starts[count + 1] = starts[count]! + keys.start(index + 1) - keys.start(index);
      count += 1;
    }
    if (count === 0) return;
    const heap = new Uint8Array(starts[count]!);
    for (let one = from, at = 0; one < index; one++) {
      if (!mayExist(one)) continue;
      // Neighbours are copied together.
      const first = one;
      while (one + 1 < index && mayExist(one + 1)) one += 1;
      heap.set(keys.heap.subarray(keys.start(first), keys.start(one + 1)), at);
      at += keys.start(one + 1) - keys.start(first);
    }
    const vector = { column, values: starts, heap, validity: new Uint8Array(0), nulls: 0, count };
    yield { rows: count, columns: [vector] };
  }
}
