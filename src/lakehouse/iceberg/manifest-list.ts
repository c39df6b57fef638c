import type { AvroRecord } from './avro-file.ts';
import { readAvroFile, writeAvroFile } from './avro-file.ts';
import type { ExactInteger } from './exact.ts';
import { namesById } from './manifest.ts';
import { manifestListSchema } from './manifest-schema.ts';
import type { ManifestFile, PartitionSummary } from './model.ts';

/** The numbers of the snapshot that a list belongs to. */
export interface ListOwner {
  readonly snapshotId: ExactInteger;
  readonly parentId: ExactInteger | undefined;
  readonly sequence: number;
}

/** A manifest new in this snapshot gets its numbers: what its entries do not say themselves they inherit from here. */
export function assignNumbers(manifest: ManifestFile, owner: ListOwner): ManifestFile {
  const { snapshotId, sequence } = owner;
  return { ...manifest, snapshotId, sequence, minSequence: Math.min(manifest.minSequence, sequence) };
}

export function encodeManifestList(manifests: readonly ManifestFile[], owner: ListOwner, sync: Uint8Array): Buffer {
  return writeAvroFile(
    {
      schema: manifestListSchema,
      header: {
        'snapshot-id': String(owner.snapshotId),
        'parent-snapshot-id': String(owner.parentId ?? 'null'),
        'sequence-number': String(owner.sequence),
        'format-version': '2',
      },
      records: manifests.map(listRecord),
    },
    sync,
  );
}

function listRecord(manifest: ManifestFile): AvroRecord {
  return {
    manifest_path: manifest.path,
    manifest_length: manifest.length,
    partition_spec_id: manifest.specId,
    content: manifest.content,
    sequence_number: manifest.sequence,
    min_sequence_number: manifest.minSequence,
    added_snapshot_id: manifest.snapshotId,
    added_files_count: manifest.addedFiles,
    existing_files_count: manifest.existingFiles,
    deleted_files_count: manifest.deletedFiles,
    added_rows_count: manifest.addedRows,
    existing_rows_count: manifest.existingRows,
    deleted_rows_count: manifest.deletedRows,
    partitions: manifest.partitions?.map(summaryRecord) ?? null,
    key_metadata: null,
  };
}

function summaryRecord(summary: PartitionSummary): AvroRecord {
  return {
    contains_null: summary.containsNull,
    contains_nan: summary.containsNan,
    lower_bound: summary.lower && Buffer.from(summary.lower),
    upper_bound: summary.upper && Buffer.from(summary.upper),
  };
}

/** The manifests of a snapshot, of any writer; fields are found by their ids. */
export function decodeManifestList(bytes: Buffer): ManifestFile[] {
  const file = readAvroFile(bytes);
  const names = namesById(file.schema);
  return file.records.map((record) => {
    const get = (id: number): unknown => record[names.get(id) ?? ''] ?? null;
    const count = (id: number): number => Number(get(id) ?? 0);
    return {
      path: get(500) as string,
      length: count(501),
      specId: count(502),
      content: count(517),
      sequence: count(515),
      minSequence: count(516),
      snapshotId: get(503) as ExactInteger,
      addedFiles: count(504),
      existingFiles: count(505),
      deletedFiles: count(506),
      addedRows: count(512),
      existingRows: count(513),
      deletedRows: count(514),
      partitions: (get(507) as readonly AvroRecord[] | null)?.map(readSummary) ?? null,
    };
  });
}

/** Summary fields keep the specification's names in every writer that is known. */
function readSummary(record: AvroRecord): PartitionSummary {
  return {
    containsNull: record['contains_null'] as boolean,
    containsNan: (record['contains_nan'] ?? null) as boolean | null,
    lower: (record['lower_bound'] ?? null) as Uint8Array | null,
    upper: (record['upper_bound'] ?? null) as Uint8Array | null,
  };
}
