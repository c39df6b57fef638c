import type { Column } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { openVectorReader } from '../parquet/index.ts';
import type { DeadByFile, DeadRows } from './dead-rows.ts';
import { deadRowsOf } from './dead-rows.ts';
import type { ScanPorts } from './equality-scan.ts';
import { scanEqualityDeletes } from './equality-scan.ts';
import type { LiveFile, LiveFiles } from './live-files.ts';
import { applies } from './live-files.ts';
import { currentSchema, findSpec } from './metadata.ts';
import type { DataFile, TableMetadata } from './model.ts';
import { positionDeletes } from './model.ts';
import { bindSpec, partitionFolder } from './partition.ts';
import { readPositionDeletes } from './position-deletes.ts';
import type { RowBuffer } from './row-buffer.ts';
import { createRowBuffer } from './row-buffer.ts';
import { columnType } from './schema.ts';
import type { UnitFiles, WriteLayout } from './unit-files.ts';
import { createPlainFiles } from './unit-files.ts';

/** The rows that the table's deletes remove from these data files, by path. */
export async function findDeadRows(ports: ScanPorts, metadata: TableMetadata, live: LiveFiles): Promise<DeadByFile> {
  const dead: DeadByFile = new Map();
  const byPath = new Map(live.data.map((file) => [file.entry.file.path, file]));
  for (const one of live.deletes) {
    if (one.entry.file.content !== positionDeletes || !live.data.some((file) => applies(one, file))) continue;
    ports.signal?.throwIfAborted();
    await readPositionDeletes(ports.storage, one.entry.file, (path, row) => {
      const file = byPath.get(path);
      if (file && applies(one, file)) deadRowsOf(dead, path).add(row);
    });
  }
  await scanEqualityDeletes(ports, metadata, { ...live, dead });
  return dead;
}

/** How whole rows of the table are written again, under a spec that it has or had. Refuses types we do not write. */
export function layoutOfTable(
  metadata: TableMetadata,
  parts: Pick<WriteLayout, 'storage' | 'world' | 'codec' | 'names' | 'targetBytes' | 'announce'>,
  specId: number,
): WriteLayout {
  const spec = findSpec(metadata, specId);
  return {
    ...parts,
    columns: tableColumns(metadata),
    spec,
    partitionFields: bindSpec(spec, metadata.schemas),
    tracksOrder: false,
  };
}

function tableColumns(metadata: TableMetadata): { column: Column; fieldId: number }[] {
  return currentSchema(metadata).fields.map((field) => {
    const type = columnType(field.type);
    if (!type) {
      const reason = `Column "${field.name}" is of a type that Penstock does not write, so its files stay as they are.`;
      throw new Failure('configuration_invalid', reason);
    }
    return { column: { name: field.name, type, nullable: !field.required }, fieldId: field.id };
  });
}

const ROWS_PER_GROUP = 122_880;
const GROUP_BYTES = 16 << 20;
/** Ours are a fiftieth of this; other writers may leave groups that no memory holds. */
const LARGEST_GROUP_BYTES = 1 << 30;
/** A row group of at least this many rows, all alive, is passed on as it is. */
const WHOLE_GROUP_ROWS = ROWS_PER_GROUP / 4;

/**
 * Writes the rows of the files that are alive into new files of the same partition, in order. Answers no files when no
 * row is alive. Memory: one row group read and one being filled.
 */
export async function rewriteLiveRows(
  layout: WriteLayout,
  sources: readonly DataFile[],
  work: { readonly dead: DeadByFile; readonly signal?: AbortSignal },
): Promise<readonly DataFile[]> {
  const { partition } = sources[0]!;
  const values = layout.partitionFields.map((field) => partition.get(field.fieldId) ?? null);
  const files = createPlainFiles(layout, { folder: partitionFolder(layout.partitionFields, values), partition });
  try {
    const buffer = createRowBuffer(layout.columns.map(({ column }) => column));
    for (const source of sources) {
      await copyRows({ layout, files, buffer, signal: work.signal }, source, work.dead.get(source.path));
    }
    await flush(files, buffer);
    return await files.finish();
  } catch (error) {
    await files.abort();
    throw error;
  }
}

interface Copy {
  readonly layout: WriteLayout;
  readonly files: UnitFiles;
  readonly buffer: RowBuffer;
  readonly signal: AbortSignal | undefined;
}

async function copyRows(copy: Copy, source: DataFile, dead: DeadRows | undefined): Promise<void> {
  const { layout, files, buffer } = copy;
  const reader = await openVectorReader(layout.storage, source.path);
  let first = 0;
  for (const [at, group] of reader.groups.entries()) {
    copy.signal?.throwIfAborted();
    if (group.rawBytes > LARGEST_GROUP_BYTES) {
      const reason = `The data file "${source.path}" holds row groups of more than 1 GiB, so it stays as it is.`;
      throw new Failure('configuration_invalid', reason);
    }
    const alive = liveRows(first, group.rows, dead);
    first += group.rows;
    if (alive.length === 0) continue;
    const batch = await reader.readGroup(at, layout.columns);
    if (alive.length === batch.rows && batch.rows >= WHOLE_GROUP_ROWS) {
      await flush(files, buffer);
      await files.write(batch);
      continue;
    }
    buffer.append(batch, alive);
    if (buffer.rows >= ROWS_PER_GROUP || buffer.bytes >= GROUP_BYTES) await flush(files, buffer);
  }
}

function liveRows(first: number, rows: number, dead: DeadRows | undefined): Int32Array {
  const alive = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row++) if (!dead?.has(first + row)) alive[count++] = row;
  return alive.subarray(0, count);
}

async function flush(files: UnitFiles, buffer: RowBuffer): Promise<void> {
  if (buffer.rows === 0) return;
  await files.write(buffer.batch());
  buffer.clear();
}

/** The data files that the deletes of the table may touch, by path. */
export function touchedBy(deletes: readonly LiveFile[], data: readonly LiveFile[]): readonly LiveFile[] {
  return data.filter((file) => deletes.some((one) => applies(one, file)));
}
