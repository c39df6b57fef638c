import type { Column, ColumnBatch, ColumnVector } from '../../columns/index.ts';
import type { RefusedRow, StreamSelection } from './stream.ts';

/**
 * A place in a change log, as text that only the connector reads. Reading from a position gives every transaction that
 * committed after it, whole and in commit order.
 */
export type LogPosition = string;

/** The moment that a load sees, in terms of the change log. */
export interface LogMark {
  /** Every transaction up to here is in the load. */
  readonly position: LogPosition;
  /**
   * Names the transactions after `position` that the load sees all the same, so that reading can leave them out; null
   * when there are none, or when the source cannot tell (then they come twice, which upserts bear).
   */
  readonly seen: string | null;
}

/** What happened to a row. A changed key is two changes: `deleted` under the old key, then `inserted`. */
export const OPERATION = { inserted: 1, updated: 2, deleted: 3 } as const;

/** Changes of one stream in the order of the log. Buffers may be reused once the sink has answered. */
export interface ChangeBatch {
  /** Index into `ReadChanges.streams`. */
  readonly stream: number;
  /** One row per change, the columns of the selection in order. A deleted row holds its key, and what the log kept. */
  readonly batch: ColumnBatch;
  /** One of `OPERATION` per row. */
  readonly operations: Uint8Array;
  /** Time of the commit at the source, one per row; type `timestamp`. */
  readonly committedAt: ColumnVector;
  /** The vectors of `ChangeLog.columns`, one value per row. */
  readonly places: readonly ColumnVector[];
}

export interface ChangeStream {
  readonly selection: StreamSelection;
  /** Transactions up to here are known already and are left out for this stream. */
  readonly after: LogPosition;
  /** `LogMark.seen` of the load that `after` comes from; those transactions are left out, too. */
  readonly seen: string | null;
}

export interface ReadChanges {
  readonly streams: readonly ChangeStream[];
  /** Not after any stream's `after`. */
  readonly from: LogPosition;
  /** Reading ends once everything up to here was handed over; absent = it goes on until `signal` aborts. */
  readonly upTo?: LogPosition;
  readonly signal: AbortSignal;
  readonly sink: (changes: ChangeBatch) => Promise<void>;
  /**
   * Cheap; asked after each transaction, and at least every 100 ms while nothing arrives. When true, or at the end, the
   * reader hands over all it holds and then calls `boundary`.
   */
  readonly wantsBoundary: () => boolean;
  /** Every transaction up to `position`, and none after it, was handed over. The reader waits for the answer. */
  readonly boundary: (position: LogPosition) => Promise<void>;
  /** As `ReadOptions.refuse`. */
  readonly refuse: (stream: number, row: RefusedRow) => void;
  readonly batchRows: number;
  readonly batchBytes: number;
}

/**
 * How a read ended; `boundary` was called with the last position.
 * `reached`: everything up to `upTo` was handed over.
 * `columns changed`: the next transaction brings columns that the selection of `streams` lacks; discover anew and go on.
 * `truncated`: the next transaction empties `streams`; they must be loaded anew.
 * `replaced`: from the next transaction on another table bears the name, made anew or swapped in; discover and load anew.
 * A read tells of the same change once per session, so that going on always gets further.
 */
export interface ReadEnd {
  readonly reason: 'reached' | 'columns changed' | 'truncated' | 'replaced';
  /** Indexes into `ReadChanges.streams`. */
  readonly streams: readonly number[];
}

/** The one log that the changes of a source's streams come from. Belongs to a session and ends with it. */
export interface ChangeLog {
  /** Columns that the log adds to each change, e.g. `_cdc_lsn`; nullable, null for loaded rows. */
  readonly columns: readonly Column[];
  /**
   * Throws a `Failure` that names what is missing (slot, publication, log format, right, replica identity) and how to
   * repair it, unless the changes of these streams can be read.
   */
  check(streams: readonly StreamSelection[], options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Names the table behind the stream's name at this moment: one that was made anew or swapped in has another. Absent where
   * the log itself tells of every such table.
   */
  identify?(stream: StreamSelection, options: { readonly signal: AbortSignal }): Promise<string>;
  /** The moment of this session's load snapshot; takes the snapshot when there is none yet. */
  mark(options: { readonly signal: AbortSignal }): Promise<LogMark>;
  /** Where the log ends now: what is safely written at the source, never more. */
  end(options: { readonly signal: AbortSignal }): Promise<LogPosition>;
  /** The earliest position that can still be read from. A stream that is behind it has lost changes. */
  start(options: { readonly signal: AbortSignal }): Promise<LogPosition>;
  /** Below, at or above 0, as `a` lies before, at or after `b`. */
  compare(a: LogPosition, b: LogPosition): number;
  read(work: ReadChanges): Promise<ReadEnd>;
  /** Lets the source forget everything up to `position`; also while a read goes on. Never goes back. */
  acknowledge(position: LogPosition, options: { readonly signal: AbortSignal }): Promise<void>;
  /** `global.state` of the state file (OLake contract, section 5.5), and back; undefined when it is of another shape. */
  toState(position: LogPosition): unknown;
  fromState(state: unknown): LogPosition | undefined;
}
