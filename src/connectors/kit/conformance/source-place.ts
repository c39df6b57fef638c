import { createWorld } from '../../../world.ts';
import { canonicalText, readRows } from '../../../columns/index.ts';
import type { ReadOptions, SourceConnector, SourceSession, StreamSelection } from '../index.ts';

/** A real system with a table of the suite's shape, which the suite may change. */
export interface SourcePlace {
  readonly config: unknown;
  /** A new empty table `id` (64-bit integer, the key), `version` (integer, orderable, may be null), `note` (text). */
  createTable(name: string): Promise<void>;
  insert(name: string, rows: readonly PlaceRow[]): Promise<void>;
  setNote(name: string, id: number, note: string): Promise<void>;
  remove(name: string, id: number): Promise<void>;
  close(): Promise<void>;
}

export interface PlaceRow {
  readonly id: number;
  readonly version: number | null;
  readonly note: string | null;
}

export interface SourceConformanceOptions {
  readonly connector: SourceConnector;
  openPlace(): Promise<SourcePlace>;
  /** True when all readers of a session see one moment. */
  readonly hasSnapshot: boolean;
}

export const { signal: neverAborted } = new AbortController();

/** Opens a session of its own for `work`, and closes it whatever happens. */
export async function inSession<T>(
  options: { connector: SourceConnector; config: unknown },
  work: (session: SourceSession, select: (name: string) => Promise<StreamSelection>) => Promise<T>,
): Promise<T> {
  const context = { world: createWorld(), log: () => undefined, signal: neverAborted };
  const session = await options.connector.open(options.config, context);
  const select = async (name: string): Promise<StreamSelection> => {
    const streams = await session.discover({ signal: neverAborted, threads: 1 });
    const found = streams.find((stream) => stream.name === name);
    if (!found) throw new Error(`"${name}" was not discovered`);
    return { namespace: found.namespace, name, columns: found.columns, primaryKey: found.primaryKey };
  };
  try {
    return await work(session, select);
  } finally {
    await session.close();
  }
}

type Texts = readonly (string | null)[];

/** Reading options that keep every row as canonical texts. */
export function keepAll(
  changes: Partial<ReadOptions> = {},
): ReadOptions & { readonly rows: Texts[]; readonly batches: number[] } {
  const rows: Texts[] = [];
  const batches: number[] = [];
  return {
    signal: neverAborted,
    batchRows: 100,
    batchBytes: 1 << 20,
    refuse: ({ column, reason }) => {
      throw new Error(`refused ${column}: ${reason}`);
    },
    sink: async (batch) => {
      batches.push(batch.rows);
      const columns = batch.columns.map((vector) => readRows(vector, batch.rows));
      for (let row = 0; row < batch.rows; row++) {
        rows.push(
          batch.columns.map(({ column }, at) => {
            const value = columns[at]![row] ?? null;
            return value === null ? null : canonicalText(column.type, value);
          }),
        );
      }
    },
    ...changes,
    rows,
    batches,
  };
}

/** Reads all chunks of a fresh plan. */
export async function readWhole(
  session: SourceSession,
  stream: StreamSelection,
  targetBytes: number,
): Promise<{ rows: Texts[]; chunks: number }> {
  const kept = keepAll();
  const { chunks } = await session.planLoad(stream, { targetBytes, signal: neverAborted });
  for (const chunk of chunks) await session.readChunk(stream, { ...kept, chunk });
  return { rows: kept.rows, chunks: chunks.length };
}

/** Rows with ids `first` to `last`; the version is the id. */
export function manyRows(first: number, last: number): PlaceRow[] {
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    id: first + index,
    version: first + index,
    note: `note of row ${first + index} `.repeat(4),
  }));
}

/** The first column of each row, in order of size. */
export function idsOf(rows: readonly Texts[]): number[] {
  return rows.map(([id]) => Number(id)).toSorted((a, b) => a - b);
}
