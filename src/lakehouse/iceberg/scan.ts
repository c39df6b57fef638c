import { selectRows } from '../../columns/index.ts';
import type { ColumnBatch } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { openVectorReader } from '../parquet/index.ts';
import type { WantedColumn } from '../parquet/index.ts';
import type { ScanPorts } from './equality-scan.ts';
import { createLiveReader } from './live-files.ts';
import { currentSchema } from './metadata.ts';
import type { IcebergField, TableMetadata } from './model.ts';
import { findDeadRows } from './rewrite.ts';
import { columnType } from './schema.ts';

/**
 * Hands over the rows that the current snapshot shows, in batches of the named columns; deleted rows are left out.
 * Memory: one row group, the keys of equality deletes (bounded), one bit per row.
 */
export async function scanLiveRows(
  ports: ScanPorts,
  metadata: TableMetadata,
  scan: { readonly columns: readonly string[]; readonly sink: (batch: ColumnBatch) => Promise<void> },
): Promise<void> {
  const wanted = scan.columns.map((name) => wantedColumn(metadata, name));
  const live = await createLiveReader(ports.storage).read(metadata);
  const dead = await findDeadRows(ports, metadata, live);
  for (const { entry } of live.data) {
    const { path } = entry.file;
    const reader = await openVectorReader(ports.storage, path);
    const gone = dead.get(path);
    let first = 0;
    for (const at of reader.groups.keys()) {
      ports.signal?.throwIfAborted();
      const batch = await reader.readGroup(at, wanted);
      const start = first;
      first += batch.rows;
      const isAlive = (row: number): boolean => gone?.has(start + row) !== true;
      await scan.sink(gone ? keepAlive(batch, isAlive) : batch);
    }
  }
}

/** A data file that the current snapshot shows, and which of its rows are deleted. */
export interface ScannedFile {
  readonly path: string;
  readonly bytes: number;
  readonly deletedRows: number;
  /** Numbers of the deleted rows, rising. */
  deleted(): Iterable<number>;
}

/** What a reader of its own needs to show the rows of the current snapshot. */
export interface ScanPlan {
  readonly fields: readonly IcebergField[];
  readonly files: readonly ScannedFile[];
}

/** The files of the current snapshot with their deletes worked out. Memory: as `scanLiveRows`, without the row group. */
export async function planScan(ports: ScanPorts, metadata: TableMetadata): Promise<ScanPlan> {
  const live = await createLiveReader(ports.storage).read(metadata);
  const dead = await findDeadRows(ports, metadata, live);
  const files = live.data.map(({ entry }): ScannedFile => {
    const { path, bytes } = entry.file;
    const rows = dead.get(path);
    return { path, bytes, deletedRows: rows?.count ?? 0, deleted: () => rows?.rows() ?? [] };
  });
  return { fields: currentSchema(metadata).fields, files };
}

function keepAlive(batch: ColumnBatch, isAlive: (row: number) => boolean): ColumnBatch {
  const rows: number[] = [];
  for (let row = 0; row < batch.rows; row++) if (isAlive(row)) rows.push(row);
  if (rows.length === batch.rows) return batch;
  return { rows: rows.length, columns: batch.columns.map((vector) => selectRows(vector, batch.rows, rows)) };
}

function wantedColumn(metadata: TableMetadata, name: string): WantedColumn {
  const field = currentSchema(metadata).fields.find((one) => one.name === name);
  const type = columnType(field?.type);
  if (!field || !type) throw new Failure('object_missing', `The table has no column "${name}" that can be read.`);
  return { column: { name, type, nullable: true }, fieldId: field.id };
}
