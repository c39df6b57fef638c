import type { CursorBound, OpenTable, SealedUnit } from '../../../connectors/kit/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import type { Boundary } from '../pipeline/checkpoint.ts';
import type { Sample } from '../pipeline/sampling.ts';

/** What the reader of a chunk needs to know of its load; JSON without secrets, kept in the store while the load lasts. */
export interface SharedSpec {
  readonly stream: ResolvedStream;
  readonly table: OpenTable;
  /** Of the committer's open table. */
  readonly ticket: unknown;
  /** Of the committer's source session: every chunk is read as the source was then. */
  readonly moment: string;
  readonly upTo?: CursorBound;
}

/** When the loads of a run are shared. */
export interface SharingSettings {
  /** Chunks of a load are so large where that makes two or more, and smaller when it is shared. */
  readonly chunkBytes: number;
  /** A load that has gone on for so long is shared. */
  readonly afterMs: number;
}

/** What a reader hands over with a chunk. */
export interface HandOver {
  readonly sealed: SealedUnit;
  readonly quarantined: number;
  /** Rows that the source sent, as it counts. */
  readonly counted?: number | undefined;
  readonly bytesRead: number;
  /** Batches that the samples stand for. */
  readonly batches: number;
  readonly samples: readonly Sample[];
  /** Incremental: the rows at the load's bound. */
  readonly boundary?: Boundary;
}

/** How far the reader of a chunk is. */
export interface ChunkProgress {
  readonly rows: number;
  readonly bytesRead: number;
  readonly memoryBytes: number;
  readonly cpuPercent: number;
}

/** A chunk to read. */
export interface Claim {
  readonly load: string;
  readonly number: number;
  /** The chunk itself, and the spec where the asker does not have it. */
  readonly chunk: unknown;
  readonly spec?: SharedSpec;
}

export interface SealedChunk {
  readonly number: number;
  readonly handOver: HandOver;
}

/** A shared load as its committer sees it. */
export interface LoadView {
  /** Chunks that are not committed yet. */
  readonly remaining: number;
  /** Chunks that nobody reads, those of readers that died included. */
  readonly open: number;
  /** Some of the chunks that wait to be committed. */
  readonly sealed: readonly SealedChunk[];
  /** Chunks that readers hold or have handed over. */
  readonly elsewhere: readonly ElsewhereChunk[];
  /** Readers at work for any load of the run. */
  readonly readers: number;
}

export interface ElsewhereChunk {
  readonly number: number;
  readonly isBeingRead: boolean;
  readonly progress: ChunkProgress;
}

/** What the process of a task asks its parent of the loads that the run shares. Answers in brackets. */
export type ShareQuestion =
  /** Begins a load that at most `readers` tasks help to read. [its id] */
  | {
      readonly ask: 'share.begin';
      readonly spec: SharedSpec;
      readonly chunks: readonly unknown[];
      readonly readers: number;
    }
  /** [LoadView] */
  | { readonly ask: 'share.look'; readonly load: string }
  /** The committer asks for its own load, readers for any, best the one that they know. [Claim or null] */
  | { readonly ask: 'share.claim'; readonly load: string | null }
  /** [true, or false when the load is over or the chunk is another's] */
  | { readonly ask: 'share.seal'; readonly load: string; readonly number: number; readonly handOver: HandOver }
  /** The chunk is committed. [null] */
  | { readonly ask: 'share.done'; readonly load: string; readonly number: number }
  /** [null] */
  | { readonly ask: 'share.end'; readonly load: string };

export function isShareQuestion(question: { readonly ask: string }): question is ShareQuestion {
  return question.ask.startsWith('share.');
}
