import type { ColumnBatch, ColumnVector } from '../../columns/index.ts';
import { readLong } from '../../columns/index.ts';
import { openVectorReader } from '../parquet/index.ts';
import type { Storage } from '../storage/types.ts';
import type { DataFileWriter, FilePorts } from './data-file.ts';
import { createDataFileWriter } from './data-file.ts';
import type { DeadRows } from './dead-rows.ts';
import type { DataFile } from './model.ts';
import { positionDeletes } from './model.ts';
import type { FileNames } from './names.ts';
import type { BoundPartitionField } from './partition.ts';
import { partitionFolder } from './partition.ts';

/** Field ids that the specification reserves for the columns of position delete files. */
const pathColumn = {
  column: { name: 'file_path', type: { kind: 'string' }, nullable: false },
  fieldId: 2_147_483_546,
} as const;
const placeColumn = {
  column: { name: 'pos', type: { kind: 'long' }, nullable: false },
  fieldId: 2_147_483_545,
} as const;
const positionColumns = [pathColumn, placeColumn];

/** A file with the partition spec that it was written under. */
export interface PlacedFile {
  readonly file: DataFile;
  readonly specId: number;
}

export interface DeletedRows extends PlacedFile {
  readonly dead: DeadRows;
}

export interface DeletePorts extends FilePorts {
  readonly names: FileNames;
  readonly partitionFieldsOf: (specId: number) => readonly BoundPartitionField[];
  /** Called before the first file of the session is created. */
  readonly announce: () => Promise<void>;
}

/** Paths are repeated row by row while a batch is built, so batches are small. */
const ROWS_AT_A_TIME = 32_768;

/**
 * Writes the dead rows as position delete files: one for each partition that needs one, since they hold inside their own
 * spec and partition only; rows sorted by path and place.
 */
export async function writePositionDeletes(
  ports: DeletePorts,
  deleted: readonly DeletedRows[],
): Promise<readonly PlacedFile[]> {
  const written: PlacedFile[] = [];
  const needed = deleted.filter(({ dead }) => dead.count > 0);
  const folderOf = ({ specId, file }: DeletedRows): string => {
    const fields = ports.partitionFieldsOf(specId);
    const values = fields.map((field) => file.partition.get(field.fieldId) ?? null);
    return partitionFolder(fields, values);
  };
  for (const group of Map.groupBy(needed, (one) => `${one.specId}/${folderOf(one)}`).values()) {
    const [{ specId, file }] = group as [DeletedRows];
    await ports.announce();
    const writer = await createDataFileWriter(ports, {
      path: ports.names.deleteFile(folderOf(group[0]!)),
      columns: positionColumns,
      partition: file.partition,
      content: positionDeletes,
    });
    written.push({ specId, file: await fill(writer, positionBatches(group)) });
  }
  return written;
}

/** Writes the batches and closes the file, or removes it. */
export async function fill(writer: DataFileWriter, batches: Iterable<ColumnBatch>): Promise<DataFile> {
  try {
    for (const batch of batches) await writer.write(batch);
    return await writer.close();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function* positionBatches(group: readonly DeletedRows[]): Generator<ColumnBatch> {
  const sorted = group
    .map(({ file, dead }) => ({ path: Buffer.from(file.path), dead }))
    .toSorted((left, right) => Buffer.compare(left.path, right.path));
  let batch = newBatch();
  for (const { path, dead } of sorted) {
    for (const row of dead.rows()) {
      batch.append(path, row);
      if (batch.rows < ROWS_AT_A_TIME) continue;
      yield batch.finish();
      batch = newBatch();
    }
  }
  if (batch.rows > 0) yield batch.finish();
}

interface PositionBatch {
  readonly rows: number;
  append(path: Buffer, row: number): void;
  finish(): ColumnBatch;
}

function newBatch(): PositionBatch {
  const offsets = new Int32Array(ROWS_AT_A_TIME + 1);
  const places = new Int32Array(ROWS_AT_A_TIME * 2);
  let heap = Buffer.allocUnsafe(1 << 16);
  let rows = 0;
  const vector = (column: ColumnVector['column'], values: Int32Array, bytes: Uint8Array): ColumnVector => ({
    column,
    values,
    heap: bytes,
    validity: new Uint8Array(0),
    nulls: 0,
    count: rows,
  });
  return {
    get rows() {
      return rows;
    },
    append(path, row) {
      const at = offsets[rows]!;
      if (at + path.length > heap.length) heap = Buffer.concat([heap], Math.max(heap.length * 2, at + path.length));
      path.copy(heap, at);
      offsets[rows + 1] = at + path.length;
      places[rows * 2] = row;
      places[rows * 2 + 1] = Math.floor(row / 0x1_0000_0000);
      rows += 1;
    },
    finish: () => ({
      rows,
      columns: [vector(pathColumn.column, offsets, heap), vector(placeColumn.column, places, new Uint8Array(0))],
    }),
  };
}

/** Calls back for every row that the delete file names. Runs of one path are told with the same string. */
export async function readPositionDeletes(
  storage: Storage,
  file: DataFile,
  tell: (path: string, row: number) => void,
): Promise<void> {
  const reader = await openVectorReader(storage, file.path);
  let path = Buffer.alloc(0);
  let text = '';
  for (const group of reader.groups.keys()) {
    const { rows, columns } = await reader.readGroup(group, positionColumns);
    const [paths, places] = columns as [ColumnVector, ColumnVector];
    const heap = Buffer.from(paths.heap.buffer, paths.heap.byteOffset, paths.heap.byteLength);
    for (let row = 0; row < rows; row++) {
      const [start, end] = [paths.values[row]!, paths.values[row + 1]!];
      if (end - start !== path.length || heap.compare(path, 0, path.length, start, end) !== 0) {
        path = Buffer.from(heap.subarray(start, end));
        text = path.toString();
      }
      tell(text, Number(readLong(places.values as Int32Array, row * 2)));
    }
  }
}
