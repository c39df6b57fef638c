import type { ColumnBatch } from '../../columns/index.ts';
import type { DataFileWriter, FileColumn, FilePorts } from './data-file.ts';
import { createDataFileWriter } from './data-file.ts';
import type { DataFile, ManifestFile, PartitionSpec, PartitionValue } from './model.ts';
import { dataFile } from './model.ts';
import type { FileNames } from './names.ts';
import type { BoundPartitionField } from './partition.ts';

/** How the files of a table are written, the same for every unit. */
export interface WriteLayout extends FilePorts {
  readonly names: FileNames;
  readonly columns: readonly FileColumn[];
  readonly spec: PartitionSpec;
  readonly partitionFields: readonly BoundPartitionField[];
  /** A data file is closed when it has become larger. */
  readonly targetBytes: number;
  /** True when rows may have to be found again by their order: upserts into a partitioned table. */
  readonly tracksOrder: boolean;
  /** Called before the first file of the session is created. */
  readonly announce: () => Promise<void>;
}

export interface RowLocation {
  readonly file: string;
  readonly row: number;
}

/** Where a batch went: rows in order when `placeOf` is absent, else spread over several files. */
export interface WrittenBatch extends RowLocation {
  readonly placeOf?: (row: number) => RowLocation;
}

/** The rows of a unit in the order in which they were written, as far as it matters. */
export interface WrittenSlice {
  readonly rows: number;
  readonly locate: (row: number) => RowLocation;
}

/** Data files of one unit, growing. */
export interface UnitFiles {
  readonly bytes: number;
  readonly rows: number;
  write(batch: ColumnBatch): Promise<WrittenBatch>;
  /** Closes every file; they are durable afterwards. */
  finish(): Promise<readonly DataFile[]>;
  /** Batches in order of writing; undefined when files and rows in order say the same. */
  readonly slices: readonly WrittenSlice[] | undefined;
  /** There when the files came with the manifest that lists them. */
  readonly manifest?: ManifestFile;
  abort(): Promise<void>;
}

/** Where files lie and what partition they are of. */
export interface FilePlace {
  /** Below `data/`, empty or with a slash at its end. */
  readonly folder: string;
  readonly partition: ReadonlyMap<number, PartitionValue>;
}

const unpartitionedPlace: FilePlace = { folder: '', partition: new Map() };

/** Files of one partition, or of an unpartitioned table: batches follow each other, each a row group. */
export function createPlainFiles(layout: WriteLayout, place: FilePlace = unpartitionedPlace): UnitFiles {
  let writer: DataFileWriter | undefined;
  let closedBytes = 0;
  let rows = 0;
  const closed: DataFile[] = [];

  async function roll(): Promise<void> {
    const full = writer;
    if (!full) return;
    writer = undefined;
    try {
      const file = await full.close();
      closed.push(file);
      closedBytes += file.bytes;
    } catch (error) {
      await full.abort();
      throw error;
    }
  }

  return {
    slices: undefined,
    get bytes() {
      return closedBytes + (writer?.bytes ?? 0);
    },
    get rows() {
      return rows;
    },
    async write(batch) {
      writer ??= await openDataFile(layout, place.folder, place.partition);
      const { path } = writer;
      const { firstRow } = await writer.write(batch);
      rows += batch.rows;
      if (writer.bytes >= layout.targetBytes) await roll();
      return { file: path, row: firstRow };
    },
    async finish() {
      await roll();
      return closed;
    },
    async abort() {
      await writer?.abort();
      writer = undefined;
      for (const file of closed) await layout.storage.remove(file.path).catch(() => undefined);
    },
  };
}

/** Starts a data file below `data/<folder>`. */
export async function openDataFile(
  layout: WriteLayout,
  folder: string,
  partition: ReadonlyMap<number, PartitionValue>,
): Promise<DataFileWriter> {
  await layout.announce();
  const path = layout.names.dataFile(folder);
  return createDataFileWriter(layout, { path, columns: layout.columns, partition, content: dataFile });
}
