/** Shapes of the sync room. Catalog and state are those of the OLake contract, sections 5.4 and 5.5. */

import type { DatasetName } from '../connectors/kit/index.ts';

export interface ConnectionSettings {
  /** Canonical connector type. */
  readonly type: string;
  readonly version: string;
  /** The config as JSON text, sealed by access; opened only inside the attempt. */
  readonly sealedConfig: string;
  /** What `sealedConfig` is bound to: `secrets.open(sealedConfig, place)`. */
  readonly place: string;
}

/** What a sync or clear run works on: taken when the run is queued, never changed. */
export interface SyncSnapshot {
  readonly project: string;
  readonly jobId: number;
  readonly jobName: string;
  readonly source: ConnectionSettings;
  readonly destination: ConnectionSettings;
  readonly catalog: Catalog;
  readonly advanced: AdvancedSettings;
  /** For `clear`: only these stream ids; absent = all selected. */
  readonly clearStreams?: readonly string[];
}

export interface AdvancedSettings {
  readonly max_discover_threads?: number;
  readonly max_threads?: number;
  readonly memory_mb?: number;
  readonly timeout_minutes?: number;
  readonly retry_count?: number;
  readonly error_policy?: 'fail' | 'quarantine';
  readonly max_quarantine?: number;
  /** Streams that are read from a change log are kept up to date until the run is cancelled. */
  readonly continuous?: boolean;
  /** How often changes that are read from a log become visible, at the latest. */
  readonly commit_interval_seconds?: number;
  /** Upkeep of the job's tables, where the destination has any; false = none. */
  readonly maintenance?: MaintenanceSettings | false;
  readonly [key: string]: unknown;
}

export interface MaintenanceSettings {
  /** As a job's; once a day when absent. */
  readonly frequency?: string;
  readonly target_file_mb?: number;
  /** So many small files must be there for them to be joined. */
  readonly min_files?: number;
  readonly expire_snapshots_days?: number;
  readonly keep_snapshots?: number;
  readonly remove_orphans_days?: number;
}

export interface Catalog {
  readonly selected_streams: Readonly<Record<string, readonly SelectedStream[]>>;
  readonly streams: readonly CatalogStream[];
}

export interface SelectedStream {
  readonly stream_name: string;
  readonly partition_regex?: string;
  readonly normalization?: boolean;
  readonly append_mode?: boolean;
  readonly chunk_column?: string;
  readonly use_source_column_names?: boolean;
  readonly filter?: string;
  readonly filter_config?: {
    readonly logical_operator: string;
    readonly conditions: readonly { readonly column: string; readonly operator: string; readonly value: unknown }[];
  };
  readonly selected_columns?: { readonly columns: readonly string[]; readonly sync_new_columns?: boolean };
  readonly disabled?: boolean;
  /** evolve (default) | freeze | quarantine: what happens when the source's columns change. */
  readonly schema_policy?: string;
  /** mark | apply, and equality | position | copy_on_write: instead of what the destination says, where it has them. */
  readonly deletes?: string;
  readonly delete_mode?: string;
  readonly [key: string]: unknown;
}

export interface CatalogStream {
  readonly stream: {
    readonly name: string;
    readonly namespace: string;
    readonly type_schema: {
      readonly properties: Readonly<
        Record<
          string,
          {
            readonly type: readonly string[];
            readonly destination_column_name?: string;
            readonly olake_column?: boolean;
          }
        >
      >;
    };
    readonly supported_sync_modes: readonly string[];
    readonly source_defined_primary_key: readonly string[];
    readonly available_cursor_fields: readonly string[];
    readonly sync_mode: string;
    readonly cursor_field?: string;
    readonly destination_database: string;
    readonly destination_table: string;
    readonly default_stream_properties?: { readonly normalization: boolean; readonly append_mode: boolean };
    readonly additional_properties?: unknown;
    readonly [key: string]: unknown;
  };
}

export interface StateFile {
  readonly type?: 'STREAM' | 'GLOBAL' | 'MIXED';
  readonly version?: number;
  readonly global?: { readonly state: unknown; readonly streams: readonly string[] };
  readonly streams?: readonly StreamState[];
}

export interface StreamState {
  readonly stream: string;
  readonly namespace: string;
  readonly sync_mode: string;
  readonly state: Readonly<Record<string, unknown>>;
}

/** Kept as the run's `progress`; the OLake face shows it as `stats` (contract 5.7). */
export interface SyncProgress {
  readonly records: number;
  readonly bytesRead: number;
  readonly writerThreads: number;
  readonly secondsElapsed: number;
  readonly memoryBytes: number;
  readonly cpuPercent: number;
  readonly streams: Readonly<Record<string, StreamProgress>>;
  /** Source against table, per stream, once a stream is done. */
  readonly reconciliation: Readonly<Record<string, Reconciliation>>;
}

export interface StreamProgress {
  readonly rows: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly quarantined: number;
  readonly chunks_total: number;
  readonly chunks_done: number;
  readonly estimatedRows: number;
}

export interface Reconciliation {
  readonly sourceRows: number | null;
  readonly tableRows: number;
  readonly sampledRows: number;
  readonly mismatchedRows: number;
  readonly verdict: 'equal' | 'different' | 'not comparable';
  readonly note?: string;
}

/** What a run read and wrote, kept in the output of its task under `lineage`; whoever tells of lineage reads it there. */
export interface RunLineage {
  readonly inputs: readonly LineageDataset[];
  readonly outputs: readonly LineageDataset[];
}

export interface LineageDataset extends DatasetName {
  readonly fields: readonly { readonly name: string; readonly type: string }[];
  /** Of an output: the fields of inputs that each of its fields holds. */
  readonly from?: Readonly<Record<string, readonly (DatasetName & { readonly field: string })[]>>;
  readonly rows?: number;
}
