import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogLine, MaintenancePolicy, SyncMode } from '../../src/connectors/kit/index.ts';
import type { Failure } from '../../src/errors.ts';
import type { TableName } from '../../src/lakehouse/index.ts';
import { runInChild } from '../../src/sync/attempt/host.ts';
import type { AttemptHost } from '../../src/sync/attempt/host.ts';
import { answerFromCatalog } from '../../src/sync/attempt/io.ts';
import type { UpkeepResult } from '../../src/sync/attempt/upkeep.ts';
import type { StreamVerdict, VerifyResult } from '../../src/sync/attempt/verify.ts';
import type { OpenConnection, Question, SyncResult, SyncWork, Work } from '../../src/sync/attempt/work.ts';
import { buildCatalog, parseState, tableOf, withChange, writeState } from '../../src/sync/catalog/index.ts';
import type { AdvancedSettings, Catalog } from '../../src/sync/types.ts';
import { discoverStreams, performHere, quietHost, rules } from './support/attempts.ts';
import {
  allFiles,
  commitAsOther,
  parquetFiles,
  readIceberg,
  readMetadata,
  readParquetFolder,
  type IcebergMetadata,
  type ReadLocation,
  type Row,
} from './support/lake-tables.ts';
import { createMemoryCatalog } from './support/memory-catalog.ts';

export type Destination = 'parquet' | 'iceberg';

export interface AttemptOptions {
  readonly stopAt?: string;
  readonly run?: string;
  readonly advanced?: AdvancedSettings;
  readonly signal?: AbortSignal;
  /** Called while the attempt runs, for each log line. */
  readonly onLog?: (line: LogLine) => void;
  /** Called at each stopping point of an attempt that runs here, before it goes on. */
  readonly onPoint?: (name: string) => void;
  /** How wrong the clock of the attempt goes. */
  readonly clockShiftMs?: number;
  /** Called before each question of the attempt to its engine is answered; may throw instead of it. */
  readonly onQuestion?: (question: Question) => Promise<void> | void;
}

export interface Outcome {
  readonly result?: SyncResult;
  readonly failure?: Failure;
  readonly points: readonly string[];
  readonly lines: readonly LogLine[];
}

/** One job with its own folder, state and catalog: what survives the crash of an attempt. */
export interface LakeJob {
  readonly folder: string;
  /**
   * Runs one attempt; never throws for what the attempt throws. One that is to be killed has a child process of its own,
   * as all have in production; the others run here, which saves them the start.
   */
  attempt(options?: AttemptOptions): Promise<Outcome>;
  /** All rows of the stream's table, by a reader that shares no code with ours. */
  read(table?: string): Promise<Row[]>;
  /** Compares the tables with the source whole, as `penstock.verify` does. */
  verify(): Promise<readonly StreamVerdict[]>;
  /** Looks after the table, as `penstock.maintain` does. */
  maintain(
    policy: MaintenancePolicy,
    options?: Pick<AttemptOptions, 'stopAt' | 'clockShiftMs'>,
  ): Promise<TableWork<UpkeepResult>>;
  /** Drops the tables, as `penstock.clear` does. */
  clear(options?: Pick<AttemptOptions, 'stopAt'>): Promise<TableWork<{ dropped: number }>>;
  /** Parquet files that a reader would see below the table's folder. */
  visibleFiles(table?: string): Promise<string[]>;
  stagedFiles(): Promise<string[]>;
  /** Where the stream's table lies. */
  folderOf(table?: string): string;
  /** Commits to the Iceberg table as another writer does: the same content, with a property of its own. */
  writeAsOther(table?: string): Promise<void>;
  /** The Iceberg metadata that the catalog names, as its file has it; `read` gets files that are not on this machine. */
  metadata(table?: string, read?: ReadLocation): Promise<IcebergMetadata>;
  readonly state: string;
  /** Keeps folder, state and catalog as they are now; answers how to go back there, as often as wanted. */
  save(): Promise<() => Promise<void>>;
  remove(): Promise<void>;
}

/** What became of work on the tables themselves. */
export interface TableWork<Result> {
  readonly failure?: Failure;
  readonly points: readonly string[];
  readonly result?: Result;
}

export interface JobOptions {
  readonly destination: Destination;
  readonly mode: SyncMode;
  readonly cursor?: string;
  readonly streams?: readonly string[];
  readonly selection?: Record<string, unknown>;
  /** The source as a job reaches it; as a PostgreSQL server without a change log when absent. */
  readonly connection?: OpenConnection;
  /** Keys of the destination's writer besides its place. */
  readonly writer?: Record<string, unknown>;
  /** The folder of its tables; a fresh one when absent. */
  readonly lake?: string;
  /** The state that the job begins with; none when absent. */
  readonly state?: string;
}

export async function createJob(source: Pick<OpenConnection, 'config'>, options: JobOptions): Promise<LakeJob> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-sync-'));
  const connection = options.connection ?? { type: 'postgres', config: source.config };
  const discovered = (await discoverStreams(source, connection)).filter(
    ({ name }) => options.streams === undefined || options.streams.includes(name),
  );
  const catalog = choose(buildCatalog(discovered, { prefix: 'job', database: 'shop' }), options);
  const tables = createMemoryCatalog();
  const lake = options.lake ?? join(folder, 'lake');
  const config =
    options.destination === 'parquet'
      ? { type: 'PARQUET', writer: { local_path: lake, ...options.writer } }
      : { type: 'ICEBERG', writer: { catalog_type: 'builtin', iceberg_s3_path: lake, ...options.writer } };
  let state = options.state ?? '{}';
  let runs = 0;
  const nameOf = (stream: string): TableName => {
    const named = catalog.streams.map(tableOf).find(({ table }) => table === stream);
    if (!named) throw new Error(`the job has no table ${stream}`);
    return named;
  };
  const tableFolder = (stream: string): string => {
    const { database, table } = nameOf(stream);
    return join(lake, database, table);
  };

  async function attempt(ask: AttemptOptions = {}): Promise<Outcome> {
    const points: string[] = [];
    const lines: LogLine[] = [];
    const work: SyncWork = {
      kind: 'sync',
      folders: rules(folder),
      stopAt: ask.stopAt,
      tracePoints: true,
      project: 'p',
      jobId: 1,
      run: ask.run ?? `run-${++runs}`,
      catalog,
      advanced: { max_threads: 1, ...ask.advanced },
      source: connection,
      destination: { type: options.destination, config },
      state,
      runFolder: join(folder, 'run'),
    };
    const host: AttemptHost = {
      ...quietHost(),
      signal: ask.signal ?? new AbortController().signal,
      log: (line) => {
        lines.push(line);
        ask.onLog?.(line);
      },
      point: (name) => {
        points.push(name);
        ask.onPoint?.(name);
      },
      async answer(question) {
        await ask.onQuestion?.(question);
        if (question.ask === 'guard') return null;
        if (question.ask !== 'saveState') return answerFromCatalog(tables, question);
        state = writeState(withChange(parseState(state), parseState(question.change)));
        return null;
      },
    };
    try {
      const done = ask.stopAt === undefined ? performHere(work, host, ask.clockShiftMs) : runInChild(work, host);
      return { result: (await done) as SyncResult, points, lines };
    } catch (error) {
      return { failure: error as Failure, points, lines };
    }
  }

  const surroundings = { folders: rules(folder), destination: { type: options.destination, config } };
  const plainHost: AttemptHost = {
    ...quietHost(),
    answer: async (question) => answerFromCatalog(tables, question) ?? null,
  };

  const names = catalog.streams.map(tableOf);
  async function workOnTables<Result>(
    work: Work,
    { stopAt, clockShiftMs }: AttemptOptions = {},
  ): Promise<TableWork<Result>> {
    const points: string[] = [];
    const host = { ...plainHost, point: (name: string) => void points.push(name) };
    const traced: Work = { ...work, stopAt, tracePoints: true };
    try {
      const done = stopAt === undefined ? performHere(traced, host, clockShiftMs) : runInChild(traced, host);
      return { points, result: (await done) as Result };
    } catch (error) {
      return { points, failure: error as Failure };
    }
  }

  return {
    folder,
    attempt,
    async verify() {
      const work: Work = { kind: 'verify', ...surroundings, catalog, source: connection };
      return ((await performHere(work, plainHost)) as VerifyResult).streams;
    },
    maintain: (policy, ask) => workOnTables({ kind: 'maintain', ...surroundings, tables: names, policy }, ask),
    clear: (ask) => workOnTables({ kind: 'clear', ...surroundings, tables: names }, ask),
    folderOf: (table = 'orders') => tableFolder(table),
    metadata: (table = 'orders', read = readFile) => readMetadata(tables, nameOf(table), read),
    writeAsOther: (table = 'orders') => commitAsOther(tables, nameOf(table)),
    get state() {
      return state;
    },
    read: (table = 'orders') =>
      options.destination === 'parquet' ? readParquetFolder(tableFolder(table)) : readIceberg(tables, nameOf(table)),
    visibleFiles: (table = 'orders') => parquetFiles(tableFolder(table)),
    stagedFiles: async () => (await allFiles(lake)).filter((path) => path.includes('/_staging/')),
    async save() {
      const copy = `${folder}-saved`;
      await rm(copy, { recursive: true, force: true });
      await cp(folder, copy, { recursive: true });
      const entries = tables.copy();
      const kept = state;
      return async () => {
        await rm(folder, { recursive: true, force: true });
        await cp(copy, folder, { recursive: true });
        tables.replace(entries);
        state = kept;
      };
    },
    async remove() {
      await rm(folder, { recursive: true, force: true });
      await rm(`${folder}-saved`, { recursive: true, force: true });
    },
  };
}

function choose(catalog: Catalog, options: JobOptions): Catalog {
  const { mode, cursor = 'at' } = options;
  const selected = Object.entries(catalog.selected_streams).map(([namespace, entries]) => [
    namespace,
    entries.map((entry) => ({ ...entry, ...options.selection })),
  ]);
  return {
    selected_streams: Object.fromEntries(selected) as Catalog['selected_streams'],
    streams: catalog.streams.map(({ stream }) => ({
      stream: { ...stream, sync_mode: mode, cursor_field: mode === 'incremental' ? cursor : '' },
    })),
  };
}
