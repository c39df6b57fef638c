import type { DatasetName, SqlValue } from '../../connectors/kit/index.ts';
import type { FailureRecord } from '../../errors.ts';
import type { TableName } from '../../lakehouse/index.ts';

/** What the child process is to do. Crosses to it by IPC only: it holds secrets. */
export interface SqlWork {
  readonly statements: readonly string[];
  /** Name, value, and whether it is secret. */
  readonly variables: readonly (readonly [name: string, value: SqlValue, isSecret: boolean])[];
  readonly inTransaction: boolean;
  /** Somebody is told which tables it reads and writes. */
  readonly tellsLineage: boolean;
  readonly at: EmbeddedPlace | ConnectionPlace;
}

/** The database of the project on this machine. */
export interface EmbeddedPlace {
  readonly kind: 'embedded';
  readonly file: string;
  /** Of this run alone: spilled rows, files of lake tables. */
  readonly folder: string;
  readonly memoryMb: number;
  readonly threads: number;
  /** The process ends itself when the disk has less room: the server's own database may lie there, too. */
  readonly leastFreeBytes: number;
  /** The task, to find out whether an earlier attempt has committed. */
  readonly task: string;
  readonly isFirstAttempt: boolean;
  /** Known to nobody else: marks lake tables in plans. */
  readonly mark: string;
  /** What lineage calls this database. */
  readonly namespace: string;
}

/** A database that a connector reaches. */
export interface ConnectionPlace {
  readonly kind: 'connection';
  readonly type: string;
  readonly config: unknown;
}

export interface SqlResult {
  readonly statements: readonly { readonly index: number; readonly rowsAffected: number }[];
  /** Of the last statement that answers rows. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** There were more rows than are kept. */
  readonly truncated?: true;
  /** What it read and wrote, as far as that is known; where somebody is told of it. */
  readonly lineage?: SqlLineage;
}

export interface SqlLineage {
  readonly inputs: readonly SqlDataset[];
  readonly outputs: readonly SqlDataset[];
}

export interface SqlDataset extends DatasetName {
  readonly fields?: readonly { readonly name: string; readonly type: string }[];
}

/** Files of a lake table as the child reads them. */
export interface StagedTable {
  readonly name: TableName;
  readonly columns: readonly { readonly fieldId: number; readonly name: string; readonly type: string }[];
  readonly files: readonly string[];
  /** File with the deleted rows (`file,row` by lines), or null. */
  readonly deletes: string | null;
  readonly dataset: SqlDataset;
}

export type ToParent =
  | { readonly type: 'log'; readonly level: 'info' | 'warn'; readonly message: string }
  | { readonly type: 'tables'; readonly names: readonly TableName[] }
  | { readonly type: 'done'; readonly result: SqlResult }
  | { readonly type: 'failed'; readonly record: FailureRecord };

export type ToChild =
  | { readonly type: 'work'; readonly work: SqlWork }
  | { readonly type: 'tables'; readonly tables: readonly StagedTable[] }
  | { readonly type: 'refused'; readonly record: FailureRecord }
  | { readonly type: 'cancel' };
