import type { DatasetName } from './dataset.ts';
import type { Column, ColumnBatch } from '../../columns/index.ts';
import type { CatalogPort, DeleteMode, Storage, TableName, UpkeepPolicy, UpkeepResult } from '../../lakehouse/index.ts';
import type { World } from '../../world.ts';
import type { ConnectorContext } from './source.ts';
import type { ConnectorSpec } from './protocol.ts';

/**
 * How far a stream has come, as it is kept inside the table's own commit (OLake contract, section 9). JSON; `seq` grows
 * by one with each commit of this stream. The destination stores it and gives it back; it reads only `seq`.
 */
export interface Checkpoint {
  readonly v: 1;
  readonly job: string;
  readonly stream: string;
  readonly run: string;
  readonly seq: number;
  readonly mode: string;
  readonly [key: string]: unknown;
}

/** Commits a table only while this attempt owns its work: throws a `lease_lost` failure otherwise. */
export type CommitGuard = () => Promise<void>;

export interface OpenTable {
  readonly name: TableName;
  readonly columns: readonly Column[];
  /** `<project>/<job>/<namespace.stream>`: whose checkpoint of this table is ours. */
  readonly checkpointKey: string;
  readonly run: string;
  /** Column that identifies a row for upserts; undefined for append-only tables. */
  readonly identifier?: string;
  readonly partition?: string;
  /** What this stream asks for instead of the destination's own settings; destinations without them look away. */
  readonly removal?: RemovalChoice;
}

/** What becomes of rows that the source deleted, and how upserts remove older rows. */
export interface RemovalChoice {
  readonly deletes?: 'mark' | 'apply';
  readonly deleteMode?: DeleteMode;
}

/**
 * A stream's table. Opening recovers what a crash left (finishes committed renames, drops unlisted files that belong to
 * this job), creates the table or evolves its columns (add, widen) when needed.
 */
export interface DestinationTable {
  /** The checkpoint of the newest commit, or undefined when this stream never committed here. */
  readonly checkpoint: Checkpoint | undefined;
  readonly rows: number;
  beginUnit(): CommitUnit;
  /**
   * Replaces the table's content by everything staged for this stream, in one commit. Readers see the old content
   * before and the new content after; never a mixture, never nothing.
   */
  publishStaged(checkpoint: Checkpoint): Promise<Durable>;
  /** Forgets what was staged; the files go. */
  discardStaged(): Promise<void>;
  /**
   * Reads rows back at the given places, independent of the writer's memory, for reconciliation. Undefined for a place
   * whose file the table does not need any more, because its rows were written anew.
   */
  readRows(places: readonly RowPlace[]): Promise<readonly (readonly (string | null)[] | undefined)[]>;
  /** What `joinTable` needs elsewhere; JSON, valid while this table is open. */
  readonly ticket: unknown;
  /** A unit that was sealed by a writer with this table's ticket, to be committed or aborted here. */
  adoptUnit(sealed: SealedUnit): Promise<CommitUnit>;
  drop(): Promise<void>;
  close(): Promise<void>;
}

/** Writes files for a table that another process holds open and commits. */
export interface TableWriter {
  beginUnit(): WriterUnit;
  close(): Promise<void>;
}

export interface WriterUnit {
  write(batch: ColumnBatch): Promise<BatchPlace>;
  readonly bytes: number;
  readonly rows: number;
  /** *Durable* but invisible; the unit takes no more. Whoever adopts it owns the files. */
  seal(): Promise<SealedUnit>;
  abort(): Promise<void>;
}

/** The files of a unit. `files` is JSON that only the destination reads. */
export interface SealedUnit {
  readonly rows: number;
  readonly bytes: number;
  readonly files: unknown;
}

/** What the upkeep of a table may do, and what it did: the lakehouse's own words for both. */
export type MaintenancePolicy = UpkeepPolicy;
export type MaintenanceResult = UpkeepResult;

/** Files written, not yet visible, then committed once with the checkpoint. */
export interface CommitUnit {
  /** *Accepted*: the buffers may be reused; nothing is durable yet. Answers where the batch went. */
  write(batch: ColumnBatch): Promise<BatchPlace>;
  /** Bytes prepared so far; decides when a unit is full. */
  readonly bytes: number;
  readonly rows: number;
  /**
   * *Durable*: after it answers, files and checkpoint survive any crash, together.
   * append: rows become visible. upsert: older rows with the same identifier vanish in the same commit.
   * stage: durable and listed with the checkpoint, invisible until `publishStaged`.
   */
  commit(effect: 'append' | 'upsert' | 'stage', checkpoint: Checkpoint): Promise<Durable>;
  /** Drops what was prepared. Safe after a failed commit. */
  abort(): Promise<void>;
}

export interface Durable {
  /** Snapshot id, manifest sequence: names the commit. */
  readonly version: string;
  /** Rows that this commit made visible or staged. */
  readonly rows: number;
  /** Rows of the table after the commit, as the table's own metadata counts them. */
  readonly tableRows: number;
}

export interface BatchPlace {
  readonly file: string;
  /** Index of the first row of the batch inside the file. */
  readonly firstRow: number;
  /**
   * There when the batch was cut into partitions, so that its rows do not follow each other in one file: the place of
   * each row. Ask before the next `write`, and do not keep it.
   */
  readonly placeOf?: (row: number) => RowPlace;
}

export interface RowPlace {
  readonly file: string;
  readonly row: number;
}

export interface DestinationSession {
  /** Columns of the table as it is; undefined when there is none. Columns of types that are never written are left out. */
  describeTable(name: TableName): Promise<readonly Column[] | undefined>;
  openTable(table: OpenTable): Promise<DestinationTable>;
  /** Joins a table that another process holds open; neither creates, recovers nor commits anything. */
  joinTable(table: OpenTable, ticket: unknown): Promise<TableWriter>;
  /**
   * True where an upsert adds a version of a row and leaves the older ones: `scanTable` brings all of them, and which one
   * is the last only the rows tell.
   */
  readonly keepsVersions?: boolean;
  /**
   * Reads the rows that the table shows now, in batches of these columns, each row (with `keepsVersions`: each version)
   * once. False when it does not exist. Absent where a table cannot be read back.
   */
  scanTable?(
    name: TableName,
    scan: {
      readonly columns: readonly string[];
      readonly sink: (batch: ColumnBatch) => Promise<void>;
      readonly signal: AbortSignal;
    },
  ): Promise<boolean>;
  /** Upkeep of a table that may be in use; undefined when it does not exist. Absent where tables need none. */
  maintain?(
    name: TableName,
    work: { readonly policy: MaintenancePolicy; readonly signal: AbortSignal },
  ): Promise<MaintenanceResult | undefined>;
  /** Drops the table if it exists; true when it did. */
  dropTable(name: TableName): Promise<boolean>;
  close(): Promise<void>;
}

/** What the process around a destination gives it. */
export interface DestinationContext extends ConnectorContext {
  readonly guard: CommitGuard;
  /** Default folder for tables when the config names none. */
  readonly warehouse: string;
  /** The built-in catalog, where there is one. */
  readonly catalog?: CatalogPort;
  /** Refuses local folders that this server may not use. */
  readonly allowPath: (path: string) => void;
}

/** A folder or a part of a bucket below which a destination's tables lie. */
export interface TablePlace {
  readonly root: string;
  readonly storage: Storage;
}

/** What a destination folder exports. */
export interface DestinationConnector {
  readonly kind: 'destination';
  readonly type: string;
  readonly synonyms: readonly string[];
  readonly title: string;
  readonly version: string;
  /** True when its tables need upkeep: its sessions have `maintain`. */
  readonly maintains?: boolean;
  /** Catalog words that the spec knows; empty when the destination has no catalogs. */
  readonly catalogs: readonly string[];
  /** Those of them that have a form already but do not work yet. */
  readonly laterCatalogs?: readonly string[];
  spec(catalog?: string): ConnectorSpec;
  /**
   * Where tables lie that the built-in catalog may serve to other engines, too; undefined for the server's default.
   * Opens nothing; throws for a config that is not valid.
   */
  placeOf?(config: unknown, world: World): TablePlace | undefined;
  /** What lineage calls a table; undefined for one in the server's default warehouse. */
  datasetOf?(config: unknown, table: TableName): DatasetName | undefined;
  /** Writes, reads back and removes a probe; nothing remains. */
  check(config: unknown, context: DestinationContext): Promise<void>;
  open(config: unknown, context: DestinationContext): Promise<DestinationSession>;
}
