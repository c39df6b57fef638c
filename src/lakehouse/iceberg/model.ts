import type { ExactInteger } from './exact.ts';

/** Shapes of a format 2 table as its metadata file spells them; unknown members of foreign writers are kept. */

export interface IcebergField {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  /** A word such as `long` or `decimal(10,2)`; an object for nested types, which only other engines write. */
  readonly type: unknown;
  readonly doc?: string;
}

export interface IcebergSchema {
  readonly type: 'struct';
  readonly 'schema-id': number;
  readonly 'identifier-field-ids'?: readonly number[];
  readonly fields: readonly IcebergField[];
}

export interface PartitionField {
  readonly 'source-id': number;
  readonly 'field-id': number;
  readonly name: string;
  readonly transform: string;
}

export interface PartitionSpec {
  readonly 'spec-id': number;
  readonly fields: readonly PartitionField[];
}

export interface Snapshot {
  readonly 'snapshot-id': ExactInteger;
  readonly 'parent-snapshot-id'?: ExactInteger;
  readonly 'sequence-number': number;
  readonly 'timestamp-ms': number;
  readonly 'manifest-list': string;
  readonly summary: Readonly<Record<string, string>> & { readonly operation: string };
  readonly 'schema-id'?: number;
}

export interface TableMetadata {
  readonly 'format-version': 2;
  readonly 'table-uuid': string;
  readonly location: string;
  readonly 'last-sequence-number': number;
  readonly 'last-updated-ms': number;
  readonly 'last-column-id': number;
  readonly 'current-schema-id': number;
  readonly schemas: readonly IcebergSchema[];
  readonly 'default-spec-id': number;
  readonly 'partition-specs': readonly PartitionSpec[];
  readonly 'last-partition-id': number;
  readonly properties: Readonly<Record<string, string>>;
  readonly 'current-snapshot-id'?: ExactInteger;
  readonly snapshots: readonly Snapshot[];
  readonly 'snapshot-log': readonly { readonly 'timestamp-ms': number; readonly 'snapshot-id': ExactInteger }[];
  readonly 'metadata-log': readonly { readonly 'timestamp-ms': number; readonly 'metadata-file': string }[];
  readonly 'sort-orders': readonly { readonly 'order-id': number; readonly fields: readonly unknown[] }[];
  readonly 'default-sort-order-id': number;
  readonly refs: Readonly<Record<string, { readonly 'snapshot-id': ExactInteger; readonly type: string }>>;
  readonly [key: string]: unknown;
}

/** What a manifest holds. */
export const dataContent = 0;
export const deleteContent = 1;

/** What a data file holds. */
export const dataFile = 0;
export const positionDeletes = 1;
export const equalityDeletes = 2;

/** A partition value as it is stored: integers of transforms, dates and times as their count, bytes for decimals. */
export type PartitionValue = boolean | ExactInteger | string | Uint8Array | null;

export interface DataFile {
  readonly content: number;
  readonly path: string;
  readonly format: string;
  /** By partition field id. */
  readonly partition: ReadonlyMap<number, PartitionValue>;
  readonly records: number;
  readonly bytes: number;
  readonly columnSizes: ReadonlyMap<number, number>;
  readonly valueCounts: ReadonlyMap<number, number>;
  readonly nullCounts: ReadonlyMap<number, number>;
  readonly nanCounts: ReadonlyMap<number, number>;
  readonly lowerBounds: ReadonlyMap<number, Uint8Array>;
  readonly upperBounds: ReadonlyMap<number, Uint8Array>;
  readonly splitOffsets: readonly number[] | null;
  readonly equalityIds: readonly number[] | null;
  readonly sortOrderId: number | null;
}

export const existingStatus = 0;
export const addedStatus = 1;
export const deletedStatus = 2;

export interface ManifestEntry {
  readonly status: number;
  /** Null = inherited from the manifest list. */
  readonly snapshotId: ExactInteger | null;
  readonly sequence: number | null;
  readonly fileSequence: number | null;
  readonly file: DataFile;
}

export interface PartitionSummary {
  readonly containsNull: boolean;
  readonly containsNan: boolean | null;
  readonly lower: Uint8Array | null;
  readonly upper: Uint8Array | null;
}

export interface ManifestFile {
  readonly path: string;
  readonly length: number;
  readonly specId: number;
  readonly content: number;
  readonly sequence: number;
  readonly minSequence: number;
  readonly snapshotId: ExactInteger;
  readonly addedFiles: number;
  readonly existingFiles: number;
  readonly deletedFiles: number;
  readonly addedRows: number;
  readonly existingRows: number;
  readonly deletedRows: number;
  readonly partitions: readonly PartitionSummary[] | null;
}
