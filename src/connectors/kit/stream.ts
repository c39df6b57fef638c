import type { Column, RowExcerpt } from '../../columns/index.ts';

export type SyncMode = 'full_refresh' | 'incremental' | 'cdc' | 'strict_cdc';

/** One column as the source knows it, with the lake column that it becomes. */
export interface SourceColumn {
  readonly name: string;
  /** The source's own type, as the source prints it. */
  readonly sourceType: string;
  readonly column: Column;
  /** False for types without a usable order; such a column cannot be a cursor. */
  readonly orderable: boolean;
}

export interface DiscoveredStream {
  readonly namespace: string;
  readonly name: string;
  readonly columns: readonly SourceColumn[];
  readonly primaryKey: readonly string[];
  readonly modes: readonly SyncMode[];
}

export interface FilterCondition {
  readonly column: string;
  readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>=';
  readonly value: string | number | boolean | null;
}

export interface Filter {
  readonly combine: 'and' | 'or';
  readonly conditions: readonly FilterCondition[];
}

/** A stream as a sync reads it: the chosen columns in order, and the rows that pass the filter. */
export interface StreamSelection {
  readonly namespace: string;
  readonly name: string;
  readonly columns: readonly SourceColumn[];
  readonly primaryKey: readonly string[];
  readonly filter?: Filter;
  /** Key column to split by instead of the physical place. */
  readonly chunkColumn?: string;
}

export interface RefusedRow {
  readonly column: string;
  readonly reason: string;
  /** Key values as text, or the position of the row, to find it in the source. */
  readonly key: string;
  /**
   * The selected columns of the row, as far as they can be read, for whoever repairs it. Texts may be cut at
   * `EXCERPT_BYTES` of `columns`. To be called before `refuse` answers; absent where the row cannot be taken apart.
   */
  readonly values?: () => RowExcerpt;
}
