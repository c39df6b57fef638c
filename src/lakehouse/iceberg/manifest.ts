import type { AvroRecord, AvroSchema } from './avro-file.ts';
import { readAvroFile, writeAvroFile } from './avro-file.ts';
import type { ExactInteger } from './exact.ts';
import { avroName, decimalBytes, manifestEntrySchema } from './manifest-schema.ts';
import type { DataFile, IcebergSchema, ManifestEntry, ManifestFile, PartitionSpec, PartitionValue } from './model.ts';
import { addedStatus, deletedStatus, existingStatus } from './model.ts';
import type { BoundPartitionField } from './partition.ts';
import { bindSpec } from './partition.ts';
import { summarizePartitions } from './partition-summary.ts';

export interface ManifestContent {
  /** `dataContent` or `deleteContent`. */
  readonly content: number;
  readonly schema: IcebergSchema;
  readonly spec: PartitionSpec;
  readonly entries: readonly ManifestEntry[];
}

/** A manifest's bytes. Entries without snapshot id and sequence number inherit them from the manifest list. */
export function encodeManifest(manifest: ManifestContent, sync: Uint8Array): Buffer {
  const fields = bindSpec(manifest.spec, [manifest.schema]);
  return writeAvroFile(
    {
      schema: manifestEntrySchema(fields),
      header: {
        schema: JSON.stringify(manifest.schema),
        'schema-id': String(manifest.schema['schema-id']),
        'partition-spec': JSON.stringify(manifest.spec.fields),
        'partition-spec-id': String(manifest.spec['spec-id']),
        'format-version': '2',
        content: manifest.content === 0 ? 'data' : 'deletes',
      },
      records: manifest.entries.map((entry) => entryRecord(entry, fields)),
    },
    sync,
  );
}

function entryRecord(entry: ManifestEntry, fields: readonly BoundPartitionField[]): AvroRecord {
  const { file } = entry;
  return {
    status: entry.status,
    snapshot_id: entry.snapshotId,
    sequence_number: entry.sequence,
    file_sequence_number: entry.fileSequence,
    data_file: {
      content: file.content,
      file_path: file.path,
      file_format: file.format,
      partition: Object.fromEntries(fields.map((field) => [avroName(field.name), partitionCell(field, file)])),
      record_count: file.records,
      file_size_in_bytes: file.bytes,
      column_sizes: pairs(file.columnSizes),
      value_counts: pairs(file.valueCounts),
      null_value_counts: pairs(file.nullCounts),
      nan_value_counts: pairs(file.nanCounts),
      lower_bounds: pairs(file.lowerBounds),
      upper_bounds: pairs(file.upperBounds),
      key_metadata: null,
      split_offsets: file.splitOffsets,
      equality_ids: file.equalityIds,
      sort_order_id: file.sortOrderId,
    },
  };
}

function partitionCell(field: BoundPartitionField, file: DataFile): unknown {
  const value = file.partition.get(field.fieldId) ?? null;
  if (!(value instanceof Uint8Array)) return value;
  const size = decimalBytes(Number(/\((\d+)/.exec(field.type)?.[1] ?? 38));
  const fixed = Buffer.alloc(size, value[0]! & 0x80 ? 0xff : 0);
  fixed.set(value, size - value.length);
  return fixed;
}

function pairs<T extends number | Uint8Array>(map: ReadonlyMap<number, T>): { key: number; value: unknown }[] | null {
  if (map.size === 0) return null;
  return [...map].map(([key, value]) => ({ key, value: typeof value === 'number' ? value : Buffer.from(value) }));
}

/** The manifest list's record of a manifest written with inherited numbers; the commit fills them in. */
export function describeManifest(
  manifest: ManifestContent,
  place: { readonly path: string; readonly length: number },
): ManifestFile {
  const tally = (status: number): { files: number; rows: number } => {
    const entries = manifest.entries.filter((entry) => entry.status === status);
    return { files: entries.length, rows: entries.reduce((sum, entry) => sum + entry.file.records, 0) };
  };
  const [added, existing, deleted] = [tally(addedStatus), tally(existingStatus), tally(deletedStatus)];
  const live = manifest.entries.filter((entry) => entry.status !== deletedStatus && entry.sequence !== null);
  const fields = bindSpec(manifest.spec, [manifest.schema]);
  return {
    ...place,
    specId: manifest.spec['spec-id'],
    content: manifest.content,
    sequence: 0,
    minSequence: live.reduce((least, entry) => Math.min(least, entry.sequence!), Number.MAX_SAFE_INTEGER),
    snapshotId: 0,
    addedFiles: added.files,
    existingFiles: existing.files,
    deletedFiles: deleted.files,
    addedRows: added.rows,
    existingRows: existing.rows,
    deletedRows: deleted.rows,
    partitions: summarizePartitions(fields, manifest.entries),
  };
}

/** Entries of a manifest of any writer, fields found by their ids; inherited numbers filled in from `from`. */
export function decodeManifest(bytes: Buffer, from: Pick<ManifestFile, 'sequence' | 'snapshotId'>): ManifestEntry[] {
  const file = readAvroFile(bytes);
  const entryNames = namesById(file.schema);
  const dataSchema = fieldSchema(file.schema, 2);
  const dataNames = namesById(dataSchema);
  const partitionNames = [...namesById(fieldSchema(dataSchema, 102))];
  return file.records.map((record) => {
    const get = (id: number): unknown => record[entryNames.get(id) ?? ''] ?? null;
    const status = get(0) as number;
    const inherited = status === addedStatus;
    const sequence = (get(3) as number | null) ?? (inherited ? from.sequence : 0);
    return {
      status,
      snapshotId: (get(1) as ExactInteger | null) ?? from.snapshotId,
      sequence,
      fileSequence: (get(4) as number | null) ?? (inherited ? from.sequence : sequence),
      file: readDataFile(get(2) as AvroRecord, dataNames, partitionNames),
    };
  });
}

function readDataFile(
  record: AvroRecord,
  names: ReadonlyMap<number, string>,
  partitionNames: readonly (readonly [number, string])[],
): DataFile {
  const get = (id: number): unknown => record[names.get(id) ?? ''] ?? null;
  const partition = (get(102) ?? {}) as Readonly<Record<string, PartitionValue>>;
  const numbers = (id: number): ReadonlyMap<number, number> => readPairs(get(id)) as ReadonlyMap<number, number>;
  const bytes = (id: number): ReadonlyMap<number, Uint8Array> => readPairs(get(id)) as ReadonlyMap<number, Uint8Array>;
  return {
    content: (get(134) as number | null) ?? 0,
    path: get(100) as string,
    format: get(101) as string,
    partition: new Map(partitionNames.map(([id, name]) => [id, partition[name] ?? null])),
    records: Number(get(103)),
    bytes: Number(get(104)),
    columnSizes: numbers(108),
    valueCounts: numbers(109),
    nullCounts: numbers(110),
    nanCounts: numbers(137),
    lowerBounds: bytes(125),
    upperBounds: bytes(128),
    splitOffsets: get(132) as readonly number[] | null,
    equalityIds: get(135) as readonly number[] | null,
    sortOrderId: get(140) as number | null,
  };
}

function readPairs(value: unknown): ReadonlyMap<number, unknown> {
  const list = (value ?? []) as readonly { readonly key: number; readonly value: unknown }[];
  return new Map(list.map((pair) => [pair.key, pair.value]));
}

interface SchemaField {
  readonly name: string;
  readonly type: AvroSchema;
  readonly 'field-id'?: number;
}

function fieldsOf(schema: AvroSchema | undefined): readonly SchemaField[] {
  return (schema as { readonly fields?: readonly SchemaField[] } | undefined)?.fields ?? [];
}

/** Names of a record schema's fields by Iceberg field id. */
export function namesById(schema: AvroSchema | undefined): ReadonlyMap<number, string> {
  const known = fieldsOf(schema).filter((field) => field['field-id'] !== undefined);
  return new Map(known.map((field) => [field['field-id']!, field.name]));
}

function fieldSchema(schema: AvroSchema | undefined, id: number): AvroSchema | undefined {
  return fieldsOf(schema).find((field) => field['field-id'] === id)?.type;
}
