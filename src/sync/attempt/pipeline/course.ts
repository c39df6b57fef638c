import type { Chunk, CommitUnit, CursorBound } from '../../../connectors/kit/index.ts';
import type { BoundaryTracker } from './boundary.ts';
import type { LoadProgress, SyncCheckpoint } from './checkpoint.ts';

export interface Load {
  readonly start: LoadProgress;
  /** Incremental: what bounds the load, and who remembers the rows at the bound. */
  readonly upTo?: CursorBound;
  readonly boundary?: BoundaryTracker;
  /** What goes into each checkpoint besides the load's progress. */
  details(): Partial<SyncCheckpoint>;
}

/** The chunks of a load on their way into the table. */
export interface Course {
  /** How far the load is: what the newest checkpoint says. */
  readonly now: LoadProgress;
  /** Reads a chunk into files of its own and commits them. */
  read(chunk: Chunk, signal: AbortSignal): Promise<void>;
  /** Commits the files of a chunk. */
  finish(chunk: Chunk, unit: CommitUnit, tally: Tally): Promise<void>;
}

/** What is known of the rows of a chunk besides those written. */
export interface Tally {
  /** How many are in quarantine. */
  readonly refused: number;
  /** How many the source sent, as it counts. */
  readonly counted?: number | undefined;
}
