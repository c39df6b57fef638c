import type { Column, ColumnBatch, RowExcerpt } from '../columns/index.ts';

/*
 * What a source is asked and answers, as far as files need it. These are the shapes of the connector kit, which this
 * room does not know: the connectors hand our session on as theirs, and the compiler compares the two.
 */

export interface FileColumn {
  readonly name: string;
  /** What the file says of the type: a Parquet type, or the word that the values were recognised as. */
  readonly sourceType: string;
  readonly column: Column;
  readonly orderable: boolean;
}

export interface FileStream {
  readonly namespace: string;
  readonly name: string;
  readonly columns: readonly FileColumn[];
  readonly primaryKey: readonly string[];
  readonly modes: readonly ('full_refresh' | 'incremental')[];
}

export interface Condition {
  readonly column: string;
  readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>=';
  readonly value: string | number | boolean | null;
}

export interface Conditions {
  readonly combine: 'and' | 'or';
  readonly conditions: readonly Condition[];
}

export interface Selected {
  readonly namespace: string;
  readonly name: string;
  readonly columns: readonly FileColumn[];
  readonly filter?: Conditions;
}

/** Files from `min` (inclusive) to `max` (exclusive) in the order of their locations; null = open. */
export interface FileChunk {
  readonly min: string | null;
  readonly max: string | null;
}

export interface Refusal {
  readonly column: string;
  readonly reason: string;
  /** File and line or row. */
  readonly key: string;
  /** The row's texts, long ones cut; to be called before `refuse` answers. Absent where there is no row. */
  readonly values?: () => RowExcerpt;
}

export interface Reading {
  readonly signal: AbortSignal;
  readonly sink: (batch: ColumnBatch) => Promise<void>;
  readonly refuse: (row: Refusal) => void;
  readonly batchRows: number;
  readonly batchBytes: number;
}

export interface TimeBound {
  readonly primary: string | null;
}

export interface Surroundings {
  readonly world: { now(): Date; elapsed(): number };
  readonly log: (line: { level: 'debug' | 'info' | 'warn'; message: string }) => void;
  readonly signal: AbortSignal;
  readonly allowPath?: (path: string) => void;
}

/** The column that every stream of files carries: when the file of the row was last changed. */
export const TIME_COLUMN = '_last_modified_time';
