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
  /** Commits the files of a chunk, of whose rows `refused` are in quarantine. */
  finish(chunk: Chunk, unit: CommitUnit, refused: number): Promise<void>;
}
