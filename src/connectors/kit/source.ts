import type { ColumnBatch } from '../../columns/index.ts';
import type { World } from '../../world.ts';
import type { ChangeLog } from './changes.ts';
import type { DatasetName } from './dataset.ts';
import type { Digest } from './digest.ts';
import type { ConnectorSpec, LogLine } from './protocol.ts';
import type { SqlSession } from './sql.ts';
import type { DiscoveredStream, RefusedRow, StreamSelection } from './stream.ts';

/** Part of a first load or full refresh; opaque to everyone but the connector, JSON, and stable across attempts. */
export interface Chunk {
  readonly min: string | null;
  readonly max: string | null;
}

export interface LoadPlan {
  readonly chunks: readonly Chunk[];
  readonly estimatedRows: number;
  /** What the rows take at the source; absent when it cannot tell. */
  readonly estimatedBytes?: number;
  /** Names the physical state of the table; chunks of another generation must not be continued. */
  readonly generation: string;
  /**
   * True when every row of the selection lies in exactly one of the chunks, whatever rows there are, so that what the source
   * itself counts while it sends them (`ReadChunk.counted`) adds up to what `countRows` would answer.
   */
  readonly isCountedByChunks?: boolean;
  /** The moment that the plan sees, to ask later whether rows changed since; null when the source cannot tell. */
  readonly changeMark: string | null;
}

/** Orders a stream: the primary cursor column, and the one used where it is null. */
export interface Cursor {
  readonly column: string;
  readonly fallback?: string;
}

/** Cursor values as exact text, in the connector's canonical spelling; null = none seen. */
export interface CursorValues {
  readonly primary: string | null;
  readonly fallback: string | null;
}

/** Takes batches. Answers when the batch's buffers may be reused; that is the only back-pressure. */
export type BatchSink = (batch: ColumnBatch) => Promise<void>;

export interface ReadOptions {
  readonly signal: AbortSignal;
  readonly sink: BatchSink;
  /** A value that no lake type can hold: the row is left out and told here; throwing ends the read. */
  readonly refuse: (row: RefusedRow) => void;
  /** Upper bounds of one batch. */
  readonly batchRows: number;
  readonly batchBytes: number;
}

export interface SampledRow {
  /** Canonical text of every selected column in order; null for null. See `canonicalText` of the kit. */
  readonly values: readonly (string | null)[];
}

/** A session with one source. All work of one attempt goes through one session; `close` ends every connection. */
export interface SourceSession {
  discover(options: { signal: AbortSignal; threads: number }): Promise<readonly DiscoveredStream[]>;
  /** Fixes what one load reads. Readers of this session see one snapshot until `close` (or as near as the source can). */
  planLoad(stream: StreamSelection, options: { targetBytes: number; signal: AbortSignal }): Promise<LoadPlan>;
  /**
   * False when rows may have been written since the mark of an earlier plan; rows deleted since show in the count only.
   * Chunks read before and after are one consistent table while this holds and the count adds up.
   */
  isUnchangedSince(stream: StreamSelection, changeMark: string): Promise<boolean>;
  /** Reads the chunk, once each row, in batches of the selected columns. With `upTo`: rows with cursor null or <= upTo. */
  readChunk(stream: StreamSelection, work: ReadChunk): Promise<void>;
  /** Largest cursor values at this moment. */
  maxCursor(stream: StreamSelection, cursor: Cursor): Promise<CursorValues>;
  /** Rows with cursor >= `after` (ties included; the caller suppresses those it has) and <= `upTo`, ordered by cursor. */
  readAfter(stream: StreamSelection, work: ReadAfter): Promise<void>;
  /** Rows of the selection that the load's snapshot (or, without one, this moment) holds. */
  countRows(stream: StreamSelection, options: { upTo?: undefined; signal: AbortSignal }): Promise<number>;
  /** The same up to a bound. Null after `readAfter`, where counting would cost reading everything again. */
  countRows(stream: StreamSelection, options: { upTo: CursorBound; signal: AbortSignal }): Promise<number | null>;
  /**
   * For sources whose rows come in parts (files) of one cursor value each: names of the parts at this value. Told back to
   * `readAfter` as `without`, they stand for all rows at that value, however many.
   */
  partsAt?(
    stream: StreamSelection,
    at: { readonly cursor: Cursor; readonly value: string },
  ): Promise<readonly string[]>;
  /** True when `countRows` takes none of the session's readers, so that it can run while chunks are read. */
  readonly countsBesideReaders?: boolean;
  /** Rows with these primary key values (each a list of canonical texts in primaryKey order), in any order. */
  fetchByKey(stream: StreamSelection, keys: readonly (readonly string[])[]): Promise<readonly SampledRow[]>;
  /** Sums over all rows of the selection at this moment, by the source itself or by `digestByReading`; absent where neither goes. */
  digest?(
    stream: StreamSelection,
    options: { readonly buckets: number; readonly signal: AbortSignal },
  ): Promise<Digest>;
  /** Names the moment that the loads of this session see, for sessions elsewhere; null when they cannot share it. */
  shareMoment?(options: { signal: AbortSignal }): Promise<string | null>;
  /** There when the source has one, and its config asks to read it. */
  readonly changeLog?: ChangeLog;
  /** Ends every connection; again, nothing. */
  close(): Promise<void>;
}

export interface CursorBound {
  readonly cursor: Cursor;
  readonly values: CursorValues;
  /** For sources with `partsAt`: of the parts at this value, only these lie within the bound. */
  readonly parts?: readonly string[];
}

export interface ReadChunk extends ReadOptions {
  readonly chunk: Chunk;
  readonly upTo?: CursorBound;
  /** Told, before the read has ended, how many rows the source says that it sent, where it does: refused ones, too. */
  readonly counted?: (rows: number) => void;
}

export interface ReadAfter extends ReadOptions {
  readonly cursor: Cursor;
  readonly after: CursorValues;
  readonly upTo: CursorValues;
  /** Parts at `after` that are written already: their rows are left out. For sources with `partsAt`. */
  readonly without?: readonly string[];
  /** Called when the sink has taken all rows of a part. Up to there a reader may be told to continue. */
  readonly partDone?: (part: { readonly name: string; readonly value: string }) => Promise<void>;
}

/** What a source folder exports. One folder, no edit elsewhere: `sync` finds it by its folder. */
export interface SourceConnector {
  readonly kind: 'source';
  readonly type: string;
  /** Other spellings clients send for the type, lower case. */
  readonly synonyms: readonly string[];
  readonly title: string;
  readonly version: string;
  spec(): ConnectorSpec;
  /** Opens and closes a connection; a `Failure` says what is wrong. Each step is logged. */
  check(config: unknown, context: ConnectorContext): Promise<void>;
  /** `config` was validated against the spec by the caller. */
  open(config: unknown, context: ConnectorContext): Promise<SourceSession>;
  /** Connects for statements of users, which may write; absent where the source speaks no SQL. */
  openSql?(config: unknown, context: ConnectorContext): Promise<SqlSession>;
  /** The word that stands for "the source database" in destination names, e.g. the database's name. */
  databaseWord(config: unknown): string;
  /** What lineage calls a stream; absent: the connector's type and the stream's id. */
  datasetOf?(config: unknown, stream: { readonly namespace: string; readonly name: string }): DatasetName;
}

export interface ConnectorContext {
  readonly world: World;
  readonly log: (line: LogLine) => void;
  readonly signal: AbortSignal;
  /** Refuses folders, files and sockets of this machine that this server may not use; absent where all may be used. */
  readonly allowPath?: (path: string) => void;
  /** From `shareMoment` of another session that is still open: loads of this session see the same moment. */
  readonly moment?: string;
}
