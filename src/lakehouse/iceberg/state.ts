import type { Column, ColumnBatch } from '../../columns/index.ts';
import type { ParquetCodec } from '../parquet/index.ts';
import type { CheckpointKeys, CommitCheckpoint } from './checkpoint.ts';
import type { CommitPorts, Committer } from './committer.ts';
import type { DeleteMode } from './delete-mode.ts';
import type { KeyCache } from './equality-scan.ts';
import type { ExactInteger } from './exact.ts';
import type { LiveReader } from './live-files.ts';
import type { IcebergSchema, PartitionSpec, TableMetadata } from './model.ts';
import type { FileNames } from './names.ts';
import type { TableShape } from './open.ts';
import type { PositionIndex } from './row-search.ts';
import type { RowLocation, WriteLayout, WrittenBatch } from './unit-files.ts';
import type { RemovalMark } from './upsert.ts';

export interface IcebergTableOptions extends CommitPorts, Omit<TableShape, 'columns'> {
  /** Where a new table lies; one that exists stays where it is. */
  readonly location: string;
  readonly columns: readonly Column[];
  /** `<project>/<job>/<stream>`. */
  readonly checkpointKey: string;
  readonly run: string;
  readonly codec: ParquetCodec;
  readonly targetFileBytes: number;
  /** Upserts remove rows with this mark instead of keeping them. */
  readonly removes?: RemovalMark;
  /** How upserts remove older rows; `equality` when absent. */
  readonly deleteMode?: DeleteMode;
  /** Throws when the files of a table that exists lie where this server may not write. */
  readonly allowLocation?: (location: string) => void;
}

export interface IcebergCommit {
  readonly version: string;
  readonly rows: number;
  /** Records less position deletes. Equality deletes cannot be counted without reading the table. */
  readonly tableRows: number;
}

export type CommitEffect = 'append' | 'upsert' | 'stage';

/** Files of one unit of work: invisible until `commit`. One unit takes one call at a time; several units may be open. */
export interface IcebergUnit {
  write(batch: ColumnBatch): Promise<WrittenBatch>;
  readonly bytes: number;
  readonly rows: number;
  commit(effect: CommitEffect, checkpoint: CommitCheckpoint): Promise<IcebergCommit>;
  abort(): Promise<void>;
}

/** How a writer elsewhere takes part in this opening of the table; JSON. */
export interface IcebergTicket {
  readonly location: string;
  readonly session: string;
  readonly schema: IcebergSchema;
  readonly spec: PartitionSpec;
}

/** A sealed unit: the manifest that lists its files, none when it has no rows; JSON. */
export interface SealedFiles {
  readonly manifest: string | null;
}

/** A format 2 table, open for one stream of one job. */
export interface IcebergTable {
  readonly checkpoint: CommitCheckpoint | undefined;
  readonly rows: number;
  readonly metadata: TableMetadata;
  readonly metadataLocation: string;
  beginUnit(): IcebergUnit;
  /** Replaces the content by what is staged, in one snapshot. */
  publishStaged(checkpoint: CommitCheckpoint): Promise<IcebergCommit>;
  discardStaged(): Promise<void>;
  /**
   * What `joinIcebergTable` needs in another process. Once asked for, files of writers that died may be left behind, so
   * the next opening looks for them.
   */
  ticket(): IcebergTicket;
  /** The unit that a joined writer sealed; refuses what was not written with this table's ticket. */
  adoptUnit(sealed: SealedFiles): Promise<IcebergUnit>;
  readRows(places: readonly RowLocation[]): Promise<((string | null)[] | undefined)[]>;
  close(): Promise<void>;
}

/** What the operations of one open table share. */
export interface OpenState {
  readonly options: IcebergTableOptions;
  readonly names: FileNames;
  readonly keys: CheckpointKeys;
  readonly committer: Committer;
  readonly layout: WriteLayout;
  readonly live: LiveReader;
  readonly positions: PositionIndex;
  /** Identifiers of small files. */
  readonly keyCache: KeyCache;
  readonly ownSnapshots: Set<ExactInteger>;
  /** Snapshot that was current at opening. */
  readonly baseline: ExactInteger | undefined;
  /** The checkpoint property as this session last read or wrote it. */
  checkpointText: string | undefined;
  attemptText: string | undefined;
  checkpoint: CommitCheckpoint | undefined;
  rows: number;
  /** False once something may have been left behind; then the marker stays for the next attempt. */
  clean: boolean;
  openUnits: number;
}
