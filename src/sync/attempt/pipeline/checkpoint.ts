import { createHash } from 'node:crypto';
import type { Checkpoint, Chunk, Cursor, CursorValues, LogMark, LogPosition } from '../../../connectors/kit/index.ts';
import { typeWord } from '../../../columns/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { stateValue } from '../../catalog/index.ts';
import type { StreamState } from '../../types.ts';

/** What this room keeps in a table's commit besides what the kit asks for. */
export interface SyncCheckpoint extends Checkpoint {
  /** Rows of the load so far, or of the whole table content that the load brought. */
  readonly load?: LoadProgress;
  readonly cursor?: Cursor & { readonly values: CursorValues };
  readonly boundary?: Boundary;
  /** Read from a change log, once the load is complete: everything up to here is in the table. */
  readonly log?: LogPlace;
  /** What the identities of the table's rows are made of; absent in commits of earlier versions. */
  readonly identity?: string;
  /** Rows that the run of this checkpoint has committed, where no unfinished load counts them. */
  readonly written?: { readonly inserted: number; readonly updated: number; readonly deleted?: number };
}

/** How far a stream has come in the change log. */
export interface LogPlace {
  readonly position: LogPosition;
  /** `LogMark.seen` of the load; dropped once the position has passed everything that the load can have seen. */
  readonly seen: string | null;
  /**
   * `ChangeLog.identify` of the table whose rows these are; absent in commits of earlier versions, and where the log itself
   * tells of another table.
   */
  readonly table?: string;
}

/** A load that is not complete; absent once it is. */
export interface LoadProgress {
  readonly generation: string;
  /** Of the plan that the load began with. */
  readonly changeMark: string | null;
  /** Columns, key and filter that the load was begun with. */
  readonly shape: string;
  readonly effect: 'append' | 'upsert' | 'stage';
  readonly todo: readonly Chunk[];
  readonly total: number;
  /** What the source takes for all of it, as planned; absent when it could not tell. */
  readonly bytes?: number;
  readonly rows: number;
  readonly quarantined: number;
  /** Rows of the chunks read, as the source counted them; absent when it did not count all, or that says nothing. */
  readonly counted?: number;
  /** RFC 3339; an old unfinished load is not continued. */
  readonly begunAt: string;
  readonly upTo?: CursorValues;
  /** The moment in the change log that its first chunk saw. */
  readonly mark?: LogMark;
}

/** Rows already written that hold the last cursor value, as hashes of identity and cursor value. */
export interface Boundary {
  readonly primary: readonly string[];
  readonly fallback: readonly string[];
  /** Too many to remember: every row at the last value counts as written. */
  readonly overflow?: boolean;
  /** Instead of rows: the whole parts (files) already written that hold the last value. */
  readonly parts?: readonly string[];
}

/** Two loads may continue each other only when this is the same. */
export function shapeOf(stream: ResolvedStream): string {
  const { selection } = stream;
  const columns = selection.columns.map((column, index) => [
    column.name,
    typeWord(column.column.type),
    stream.lakeColumns[index]!.name,
  ]);
  const parts = [
    columns,
    selection.primaryKey,
    selection.filter,
    stream.cursor,
    stream.normalization,
    stream.partition,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}

/**
 * The stream's entry of the state file (contract 5.5). Not `isKnown`: what the state file says of the place in a common log
 * was not written for this commit.
 */
export function describeState(stream: ResolvedStream, checkpoint: SyncCheckpoint, isKnown = true): StreamState {
  const { seq, run, mode } = checkpoint;
  const state: Record<string, unknown> = { penstock: { seq, ...(isKnown && { run }), mode } };
  if (stream.mode !== 'full_refresh') state['chunks'] = checkpoint.load?.todo ?? [];
  if (stream.mode === 'incremental') {
    const { cursor } = checkpoint;
    if (cursor) {
      state[cursor.column] = stateValue(cursor.values.primary, kindOf(stream, cursor.column));
      if (cursor.fallback !== undefined) {
        state[cursor.fallback] = stateValue(cursor.values.fallback, kindOf(stream, cursor.fallback));
      }
    }
    const { primary = [], fallback = [], parts = [] } = checkpoint.boundary ?? {};
    state['boundary'] = [...parts, ...primary, ...fallback];
  }
  return { stream: stream.selection.name, namespace: stream.selection.namespace, sync_mode: '', state };
}

/** The number of the last commit that the state file knows; undefined for entries that are not ours. */
export function knownSeq(entry: StreamState | undefined): number | undefined {
  const { seq } = ownPart(entry);
  return typeof seq === 'number' ? seq : undefined;
}

/**
 * True when the state file was written after just this commit. The number alone would not do: another table, to which the
 * job wrote meanwhile, counts its commits as well.
 */
export function knowsCommit(entry: StreamState | undefined, { seq, run }: SyncCheckpoint): boolean {
  const own = ownPart(entry);
  return own.seq === seq && own.run === run;
}

/** True when somebody else than a sync wrote the entry, or moved its cursor; told only where rows are read by a cursor. */
export function isEdited(stream: ResolvedStream, entry: StreamState | undefined, last: SyncCheckpoint): boolean {
  if (entry === undefined || stream.mode !== 'incremental' || last.mode !== 'incremental') return false;
  if (knownSeq(entry) === undefined) return true;
  const kept = describeState(stream, last).state;
  const columns = [last.cursor?.column, last.cursor?.fallback].filter((name) => name !== undefined);
  const differs = (name: string): boolean => JSON.stringify(entry.state[name]) !== JSON.stringify(kept[name]);
  return knowsCommit(entry, last) && columns.some(differs);
}

function ownPart(entry: StreamState | undefined): { readonly seq?: unknown; readonly run?: unknown } {
  const own = entry?.state['penstock'];
  return typeof own === 'object' && own !== null ? own : {};
}

/**
 * Stands for what identities of the stream's rows are made of: the names of its key, or of all columns without one. Where
 * it changes, a row comes under another identity than its older versions in the table.
 */
export function identityOf({ selection }: ResolvedStream): string {
  const { primaryKey, columns } = selection;
  const names = primaryKey.length > 0 ? primaryKey : columns.map((column) => column.name);
  const text = JSON.stringify([primaryKey.length > 0, ...names.toSorted()]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** True when upserts of the stream would not find the rows that the table holds. */
export function isIdentityChanged(stream: ResolvedStream, last: SyncCheckpoint): boolean {
  return !stream.appendMode && last.identity !== undefined && last.identity !== identityOf(stream);
}

function kindOf(stream: ResolvedStream, name: string): string {
  return stream.selection.columns.find((column) => column.name === name)?.column.type.kind ?? 'string';
}
