import type { Column, ColumnBatch, ColumnVector } from '../../columns/index.ts';
import { createColumnBuilder } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { openParquetFile } from '../parquet/index.ts';
import type { DataFileWriter } from './data-file.ts';
import { createDataFileWriter } from './data-file.ts';
import type { DataFile } from './model.ts';
import { equalityDeletes, positionDeletes } from './model.ts';
import { partitionFolder } from './partition.ts';
import type { RowIds } from './row-ids.ts';
import { createRowIds } from './row-ids.ts';
import type { RowLocation, WriteLayout, WrittenSlice } from './unit-files.ts';

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

export interface UpsertDeletes {
  /** Delete the older rows of every id of the unit, in all partitions. */
  readonly equality: readonly DataFile[];
  /** Delete rows of the unit itself that a later one replaces. */
  readonly position: readonly DataFile[];
  /** Rows of the unit that stay visible. */
  readonly liveRows: number;
}

const ROWS_AT_A_TIME = 122_880;

/**
 * Writes the delete files of an upsert. The unit's own files are read back for their ids, so that loads, which never
 * need them, pay nothing. Among rows of one unit with the same id the last one written stays.
 */
export async function writeUpsertDeletes(layout: WriteLayout, input: UpsertInput): Promise<UpsertDeletes> {
  const texts = await readTexts(layout, input);
  const order = input.slices ?? input.files.map((file) => wholeFile(file));
  const ids = createRowIds();
  const replaced: RowLocation[] = [];
  const locations = createLocations(order);
  let row = 0;
  for (const slice of order) {
    for (let at = 0; at < slice.rows; at++, row++) {
      const place = slice.locate(at);
      const earlier = ids.add(texts.get(place.file)!.id(place.row));
      if (earlier >= 0) replaced.push(locations(earlier));
    }
  }
  if (input.removes) {
    for (let index = 0; index < ids.distinct; index++) {
      const place = locations(ids.lastRow(index));
      if (texts.get(place.file)!.marks![place.row]) replaced.push(place);
    }
  }
  return {
    equality: ids.distinct === 0 ? [] : [await writeEqualityDeletes(layout, input.identifier, ids)],
    position: await writePositionDeletes(layout, input.files, replaced),
    liveRows: row - replaced.length,
  };
}

const wholeFile = (file: DataFile): WrittenSlice => ({
  rows: file.records,
  locate: (row) => ({ file: file.path, row }),
});

/** The place of the n-th row of the unit. */
function createLocations(order: readonly WrittenSlice[]): (row: number) => RowLocation {
  const starts: number[] = [];
  let total = 0;
  for (const slice of order) {
    starts.push(total);
    total += slice.rows;
  }
  return (row) => {
    const at = starts.findLastIndex((start) => start <= row);
    return order[at]!.locate(row - starts[at]!);
  };
}

interface FileTexts {
  id(row: number): Uint8Array;
  /** Rows that bear the removal mark. */
  readonly marks?: Uint8Array;
}

async function readTexts(layout: WriteLayout, input: UpsertInput): Promise<Map<string, FileTexts>> {
  const texts = new Map<string, FileTexts>();
  for (const file of input.files) texts.set(file.path, await readFileTexts(layout, input, file));
  return texts;
}

async function readFileTexts(layout: WriteLayout, input: UpsertInput, written: DataFile): Promise<FileTexts> {
  const { identifier, removes } = input;
  const { records } = written;
  const file = await openParquetFile(layout.storage, written.path);
  const offsets = new Float64Array(records + 1);
  const marks = removes && new Uint8Array(records);
  let heap = Buffer.alloc(1 << 16);
  for (let start = 0; start < records; start += ROWS_AT_A_TIME) {
    const columns = removes ? [identifier, removes.column] : [identifier];
    const rows = await file.readRange(columns, { start, end: Math.min(records, start + ROWS_AT_A_TIME) });
    for (const [at, [id, mark]] of rows.entries()) {
      if (typeof id !== 'string') throw new Failure('internal', `A row has no "${identifier}".`);
      const from = offsets[start + at]!;
      const length = Buffer.byteLength(id);
      if (from + length > heap.length) heap = Buffer.concat([heap, Buffer.alloc(Math.max(heap.length, length))]);
      heap.write(id, from);
      offsets[start + at + 1] = from + length;
      if (marks && mark === removes!.value) marks[start + at] = 1;
    }
  }
  return { id: (row) => heap.subarray(offsets[row]!, offsets[row + 1]!), marks };
}

async function writeEqualityDeletes(layout: WriteLayout, identifier: string, ids: RowIds): Promise<DataFile> {
  const key = layout.columns.find(({ column }) => column.name === identifier)!;
  const file = {
    path: layout.names.deleteFile(''),
    columns: [key],
    // Without partition values the deletes hold in every partition: an update may move a row to another one.
    partition: new Map(),
    content: equalityDeletes,
    equalityIds: [key.fieldId],
  };
  return fill(await createDataFileWriter(layout, file), idBatches(key.column, ids));
}

function* idBatches(column: Column, ids: RowIds): Generator<ColumnBatch> {
  for (let start = 0; start < ids.distinct; start += ROWS_AT_A_TIME) {
    const end = Math.min(ids.distinct, start + ROWS_AT_A_TIME);
    const { offsets, heap } = ids.slice(start, end);
    const vector = { column, values: offsets, heap, validity: new Uint8Array(0), nulls: 0, count: end - start };
    yield { rows: end - start, columns: [vector] };
  }
}

async function fill(writer: DataFileWriter, batches: Iterable<ColumnBatch>): Promise<DataFile> {
  try {
    for (const batch of batches) await writer.write(batch);
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** Field ids that the specification reserves for the columns of position delete files. */
const positionColumns = [
  { column: { name: 'file_path', type: { kind: 'string' }, nullable: false }, fieldId: 2_147_483_546 },
  { column: { name: 'pos', type: { kind: 'long' }, nullable: false }, fieldId: 2_147_483_545 },
] as const;

/** One delete file for each partition that needs one, since position deletes hold inside their own partition only. */
async function writePositionDeletes(
  layout: WriteLayout,
  files: readonly DataFile[],
  places: readonly RowLocation[],
): Promise<DataFile[]> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const folderOf = (path: string): string => {
    const values = layout.partitionFields.map((field) => byPath.get(path)!.partition.get(field.fieldId) ?? null);
    return partitionFolder(layout.partitionFields, values);
  };
  const deletes: DataFile[] = [];
  for (const [folder, group] of Map.groupBy(places, (place) => folderOf(place.file))) {
    const { partition } = byPath.get(group[0]!.file)!;
    const path = layout.names.deleteFile(folder);
    const file = { path, columns: positionColumns, partition, content: positionDeletes };
    deletes.push(await fill(await createDataFileWriter(layout, file), [positionBatch(group)]));
  }
  return deletes;
}

function positionBatch(places: readonly RowLocation[]): ColumnBatch {
  const sorted = places.toSorted(
    (left, right) => Buffer.compare(Buffer.from(left.file), Buffer.from(right.file)) || left.row - right.row,
  );
  const paths = createColumnBuilder(positionColumns[0].column, sorted.length);
  const positions = createColumnBuilder(positionColumns[1].column, sorted.length);
  for (const place of sorted) {
    paths.append(place.file);
    positions.append(place.row);
  }
  const columns: ColumnVector[] = [paths.finish(), positions.finish()];
  return { rows: sorted.length, columns };
}
