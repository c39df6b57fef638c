import { canonicalText, readRows, type ColumnBatch, type ColumnVector } from '../../../columns/index.ts';
import { OPERATION, type ChangeBatch, type ChangeLog, type ChangeStream, type ReadChanges } from '../changes.ts';
import type { SourceConnector, SourceSession, StreamSelection } from '../index.ts';
import type { inSession, SourcePlace } from './source-place.ts';

/** A place whose configuration asks for changes; its log already holds the changes of every table that is created. */
export interface ChangePlace extends SourcePlace {
  /** A connection of its own inside a transaction. The suite sends SQL that every database understands. */
  begin(): Promise<PlaceTransaction>;
}

export interface PlaceTransaction {
  run(sql: string): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export interface ChangeLogConformanceOptions {
  readonly connector: SourceConnector;
  openPlace(): Promise<ChangePlace>;
  /** True when the hand-over from load to log is exact: no change comes that the load holds already. */
  readonly isExact: boolean;
}

/** Runs work in a session of its own; see `inSession`. */
export type InChangeSession = <T>(work: Parameters<typeof inSession<T>>[1]) => Promise<T>;

type Texts = readonly (string | null)[];

export interface KeptChange {
  readonly stream: number;
  readonly operation: 'inserted' | 'updated' | 'deleted';
  /** Canonical texts of the selected columns. */
  readonly row: Texts;
  readonly committedAt: string | null;
  readonly places: Texts;
}

export interface KeptBoundary {
  readonly position: string;
  /** Changes handed over before it. */
  readonly changes: number;
}

export interface KeptChanges extends ReadChanges {
  readonly changes: KeptChange[];
  readonly boundaries: KeptBoundary[];
  readonly batches: number[];
}

const WORDS = new Map<number, KeptChange['operation']>([
  [OPERATION.inserted, 'inserted'],
  [OPERATION.updated, 'updated'],
  [OPERATION.deleted, 'deleted'],
]);

/** Work for `ChangeLog.read` that keeps everything as texts; boundaries after each transaction. */
export function keepChanges(
  work: Pick<ReadChanges, 'streams' | 'from'> & Partial<ReadChanges>,
): KeptChanges & { readonly changes: KeptChange[] } {
  const changes: KeptChange[] = [];
  const boundaries: KeptBoundary[] = [];
  const batches: number[] = [];
  return {
    signal: new AbortController().signal,
    wantsBoundary: () => true,
    boundary: async (position) => void boundaries.push({ position, changes: changes.length }),
    refuse: (stream, { column, reason }) => {
      throw new Error(`refused ${column} of stream ${stream}: ${reason}`);
    },
    sink: async (batch) => {
      batches.push(batch.batch.rows);
      changes.push(...changesOf(batch));
    },
    batchRows: 1000,
    batchBytes: 1 << 20,
    ...work,
    changes,
    boundaries,
    batches,
  };
}

/** The changes of a batch as texts. */
export function changesOf({ stream, batch, operations, committedAt, places }: ChangeBatch): KeptChange[] {
  const rows = textsOf(batch.rows, batch.columns);
  const times = textsOf(batch.rows, [committedAt]);
  const logged = textsOf(batch.rows, places);
  return rows.map((row, at) => ({
    stream,
    operation: WORDS.get(operations[at] ?? 0) ?? fail(`operation ${operations[at]} at row ${at}`),
    row,
    committedAt: times[at]?.[0] ?? null,
    places: logged[at] ?? [],
  }));
}

function textsOf(rows: ColumnBatch['rows'], vectors: readonly ColumnVector[]): (string | null)[][] {
  const columns = vectors.map((vector) =>
    readRows(vector, rows).map((value) => (value === null ? null : canonicalText(vector.column.type, value))),
  );
  return Array.from({ length: rows }, (_, row) => columns.map((values) => values[row] ?? null));
}

function fail(message: string): never {
  throw new Error(message);
}

/** A table of the suite as it is read by log: the selection, known up to here. */
export function streamAfter(selection: StreamSelection, after: string, seen: string | null = null): ChangeStream {
  return { selection, after, seen };
}

export function logOf(session: SourceSession): ChangeLog {
  return session.changeLog ?? fail('the session has no change log although its config asks for one');
}

/** Runs the statements in one transaction. */
export async function inTransaction(place: ChangePlace, statements: readonly string[]): Promise<void> {
  const transaction = await place.begin();
  try {
    for (const sql of statements) await transaction.run(sql);
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
  await transaction.commit();
}

/**
 * Applies changes to rows by their first column. `strict`: an inserted row must be new, an updated or deleted one there;
 * throws otherwise.
 */
export function applyChanges(rows: readonly Texts[], changes: readonly KeptChange[], strict: boolean): Texts[] {
  const table = new Map(rows.map((row) => [row[0] ?? '', row]));
  for (const { operation, row } of changes) {
    const [key = null] = row;
    if (key === null) fail(`a row without its key was ${operation}`);
    else if (strict && table.has(key) === (operation === 'inserted')) {
      fail(`row ${key} was ${operation}, but it is ${table.has(key) ? 'there already' : 'not there'}`);
    } else if (operation === 'deleted') table.delete(key);
    else table.set(key, row);
  }
  return [...table.values()];
}
