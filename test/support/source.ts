import { Client } from 'pg';
import { canonicalText, readRows, type ColumnBatch } from '../../src/columns/index.ts';
import type {
  Chunk,
  ConnectorContext,
  CursorBound,
  LogLine,
  ReadOptions,
  RefusedRow,
  SourceConnector,
  SourceSession,
  StreamSelection,
} from '../../src/connectors/kit/index.ts';
import { createWorld } from '../../src/world.ts';
import { startTestPostgres, type TestPostgresOptions } from './postgres.ts';

export interface TestSource {
  /** Configuration of a postgres source that reaches this server. */
  readonly config: Readonly<Record<string, unknown>> & { readonly host: string; readonly port: number };
  readonly url: string;
  /** Runs SQL as the owner, on one connection that stays open. */
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** A real server of its own, reachable over TCP, to be used as a source. */
export async function startTestSource(options: TestPostgresOptions = {}): Promise<TestSource> {
  const server = await startTestPostgres({ ...options, listen: { port: 0 } });
  const url = new URL(server.url);
  const owner = new Client({ connectionString: server.url });
  // A test may stop the server under this connection.
  owner.on('error', () => undefined);
  await owner.connect();
  return {
    url: server.url,
    config: {
      host: url.hostname,
      port: Number(url.port),
      database: url.pathname.slice(1) || 'postgres',
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    },
    run: async (sql) => {
      const result: unknown = await owner.query(sql);
      return (Array.isArray(result) ? result.at(-1) : result).rows as Record<string, unknown>[];
    },
    stop: async () => {
      await owner.end().catch(() => undefined);
      await server.stop();
    },
  };
}

export interface OpenedSource {
  readonly session: SourceSession;
  readonly lines: LogLine[];
  stream(name: string, namespace?: string): Promise<StreamSelection>;
}

/** A session of any source connector, with its log. */
export async function openSource(
  connector: SourceConnector,
  config: unknown,
  changes: Partial<ConnectorContext> = {},
): Promise<OpenedSource> {
  const lines: LogLine[] = [];
  const { signal } = new AbortController();
  const context = { world: createWorld(), log: (line: LogLine) => void lines.push(line), signal, ...changes };
  const session = await connector.open(config, context);
  return {
    session,
    lines,
    async stream(name, namespace) {
      const streams = await session.discover({ signal, threads: 2 });
      const found = streams.find(
        (one) => one.name === name && (namespace === undefined || one.namespace === namespace),
      );
      if (!found) throw new Error(`no stream ${name} among ${streams.map((one) => one.name).join(', ')}`);
      return { namespace: found.namespace, name, columns: found.columns, primaryKey: found.primaryKey };
    },
  };
}

export type TextRow = readonly (string | null)[];

/** Rows of a batch in canonical text. */
export function textRows(batch: ColumnBatch): TextRow[] {
  const columns = batch.columns.map((vector) =>
    readRows(vector, batch.rows).map((value) => (value === null ? null : canonicalText(vector.column.type, value))),
  );
  return Array.from({ length: batch.rows }, (_, row) => columns.map((values) => values[row] ?? null));
}

export interface Collected {
  readonly rows: TextRow[];
  readonly batches: number[];
  readonly refused: RefusedRow[];
  readonly chunks: readonly Chunk[];
}

/** Reading options that collect everything; batches are small so that several occur. */
export function collect(options: Partial<ReadOptions> = {}): ReadOptions & Omit<Collected, 'chunks'> {
  const rows: TextRow[] = [];
  const batches: number[] = [];
  const refused: RefusedRow[] = [];
  return {
    signal: new AbortController().signal,
    batchRows: 1000,
    batchBytes: 8 * 1024 * 1024,
    sink: (batch) => {
      batches.push(batch.rows);
      for (const row of textRows(batch)) rows.push(row);
      return Promise.resolve();
    },
    refuse: (row) => void refused.push(row),
    ...options,
    rows,
    batches,
    refused,
  };
}

/** Plans a load and reads all its chunks, one after the other. */
export async function readAll(
  session: SourceSession,
  stream: StreamSelection,
  options: Partial<ReadOptions> & { targetBytes?: number; upTo?: CursorBound } = {},
): Promise<Collected> {
  const { targetBytes = 2 ** 31, upTo, ...read } = options;
  const collected = collect(read);
  const { chunks } = await session.planLoad(stream, { targetBytes, signal: collected.signal });
  for (const chunk of chunks) await session.readChunk(stream, { ...collected, chunk, upTo });
  return { ...collected, chunks };
}
