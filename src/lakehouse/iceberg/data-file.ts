import type { Column, ColumnBatch } from '../../columns/index.ts';
import type { World } from '../../world.ts';
import type { ParquetCodec, ParquetColumnSummary, ParquetFileSummary } from '../parquet/index.ts';
import { createParquetWriter } from '../parquet/index.ts';
import type { Storage } from '../storage/types.ts';
import type { DataFile, PartitionValue } from './model.ts';
import { dataFile, equalityDeletes, positionDeletes } from './model.ts';
import { icebergType } from './schema.ts';
import { truncateLower, truncateUpper } from './single-value.ts';

export interface FileColumn {
  readonly column: Column;
  readonly fieldId: number;
}

export interface FilePorts {
  readonly storage: Storage;
  readonly world: World;
  readonly codec: ParquetCodec;
}

export interface NewFile {
  readonly path: string;
  readonly columns: readonly FileColumn[];
  readonly partition: ReadonlyMap<number, PartitionValue>;
  readonly content: number;
  readonly equalityIds?: readonly number[];
}

/** One Parquet file of the table being written. */
export interface DataFileWriter {
  readonly path: string;
  readonly bytes: number;
  write(batch: ColumnBatch): Promise<{ readonly firstRow: number }>;
  /** Durable; answers what manifests say of the file. */
  close(): Promise<DataFile>;
  abort(): Promise<void>;
}

export async function createDataFileWriter(ports: FilePorts, file: NewFile): Promise<DataFileWriter> {
  const output = await ports.storage.createFile(file.path);
  const writer = await createParquetWriter({
    columns: file.columns,
    codec: ports.codec,
    output,
    keyValues: { 'iceberg.schema': schemaText(file.columns) },
  });
  if (file.content === dataFile) ports.world.reach('iceberg.data-file-started');
  return {
    path: file.path,
    get bytes() {
      return writer.bytes;
    },
    write: (batch) => writer.write(batch),
    async close() {
      const summary = await writer.close();
      ports.world.reach(file.content === dataFile ? 'iceberg.data-file-written' : 'iceberg.delete-file-written');
      return describe(file, summary);
    },
    abort: () => writer.abort(),
  };
}

/** The file's own schema, as other writers leave it in the footer: readers match columns by the ids in it. */
function schemaText(columns: readonly FileColumn[]): string {
  const fields = columns.map(({ column, fieldId }) => ({
    id: fieldId,
    name: column.name,
    required: !column.nullable,
    type: icebergType(column.type),
  }));
  return JSON.stringify({ type: 'struct', 'schema-id': 0, fields });
}

function describe(file: NewFile, summary: ParquetFileSummary): DataFile {
  const bounds = collectBounds(file, summary.columns);
  const collect = (of: (column: ParquetColumnSummary) => number): Map<number, number> =>
    new Map(summary.columns.map((column) => [column.fieldId, of(column)]));
  const floating = new Set(
    file.columns.filter(({ column }) => /float|double/.test(column.type.kind)).map((one) => one.fieldId),
  );
  const nans = summary.columns.filter((column) => floating.has(column.fieldId));
  return {
    content: file.content,
    path: file.path,
    format: 'PARQUET',
    partition: file.partition,
    records: summary.rows,
    bytes: summary.bytes,
    columnSizes: collect((column) => column.compressedBytes),
    valueCounts: collect((column) => column.values),
    nullCounts: collect((column) => column.nulls),
    nanCounts: new Map(nans.map((column) => [column.fieldId, column.nans])),
    ...bounds,
    splitOffsets: summary.splitOffsets,
    equalityIds: file.content === equalityDeletes ? (file.equalityIds ?? []) : null,
    // Position deletes state no order; the others are of the unsorted order 0.
    sortOrderId: file.content === positionDeletes ? null : 0,
  };
}

function collectBounds(
  file: NewFile,
  summaries: readonly ParquetColumnSummary[],
): Pick<DataFile, 'lowerBounds' | 'upperBounds'> {
  const texts = new Set(file.columns.filter(({ column }) => column.type.kind === 'string').map((one) => one.fieldId));
  const lowerBounds = new Map<number, Uint8Array>();
  const upperBounds = new Map<number, Uint8Array>();
  // Readers find the data file that position deletes belong to by whole paths.
  const cuts = file.content !== positionDeletes;
  for (const { fieldId, lower, upper } of summaries) {
    const cut = cuts && texts.has(fieldId);
    if (lower) lowerBounds.set(fieldId, cut ? truncateLower(lower) : lower);
    const highest = upper && cut ? truncateUpper(upper) : upper;
    if (highest) upperBounds.set(fieldId, highest);
  }
  return { lowerBounds, upperBounds };
}
