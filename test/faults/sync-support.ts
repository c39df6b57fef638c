import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { icebergRead } from 'icebird';
import { withLocalFiles } from '../support/local-files.ts';
import { loadConnectors } from '../../src/connectors/index.ts';
import type { DiscoveredStream, LogLine, MaintenancePolicy, SyncMode } from '../../src/connectors/kit/index.ts';
import { fromRecord, toFailure } from '../../src/errors.ts';
import type { Failure } from '../../src/errors.ts';
import type { CatalogEntry, CatalogPort, TableName } from '../../src/lakehouse/index.ts';
import { runInChild } from '../../src/sync/attempt/host.ts';
import type { AttemptHost } from '../../src/sync/attempt/host.ts';
import { answerFromCatalog } from '../../src/sync/attempt/io.ts';
import { perform } from '../../src/sync/attempt/perform.ts';
import type { UpkeepResult } from '../../src/sync/attempt/upkeep.ts';
import type { StreamVerdict, VerifyResult } from '../../src/sync/attempt/verify.ts';
import type { OpenConnection, Question, SyncResult, SyncWork, Work } from '../../src/sync/attempt/work.ts';
import { buildCatalog, parseState, tableOf, withChange, writeState } from '../../src/sync/catalog/index.ts';
import type { AdvancedSettings, Catalog } from '../../src/sync/types.ts';
import { createWorld } from '../../src/world.ts';
import type { TestSource } from '../support/source.ts';

/** Shared by all tests of this user: children keep there what they have compiled. */
const DATA = join(tmpdir(), `penstock-dev-sync-${userInfo().uid}`);

export type Destination = 'parquet' | 'iceberg';
export type Row = Readonly<Record<string, unknown>>;

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
  maintain(policy: MaintenancePolicy, options?: Pick<AttemptOptions, 'stopAt' | 'clockShiftMs'>): Promise<Upkeep>;
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

type ReadLocation = (location: string) => Promise<Uint8Array>;

/** What the tests look at in the metadata of an Iceberg table. */
export interface IcebergMetadata {
  readonly path: string;
  readonly location: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly 'last-updated-ms': number;
  readonly 'current-snapshot-id'?: number | null;
  readonly snapshots?: readonly { readonly 'timestamp-ms': number; readonly 'manifest-list': string }[];
  readonly 'snapshot-log'?: readonly { readonly 'timestamp-ms': number }[];
  readonly 'metadata-log'?: readonly { readonly 'timestamp-ms': number; readonly 'metadata-file': string }[];
}

export interface Upkeep {
  readonly failure?: Failure;
  readonly points: readonly string[];
  readonly result?: UpkeepResult;
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

export async function discoverStreams(
  source: Pick<OpenConnection, 'config'>,
  connection: OpenConnection = { type: 'postgres', config: source.config },
): Promise<readonly DiscoveredStream[]> {
  const work: Work = {
    kind: 'discover',
    folders: rules(tmpdir()),
    source: connection,
    threads: 1,
  };
  return (await performHere(work, quietHost())) as readonly DiscoveredStream[];
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

  return {
    folder,
    attempt,
    async verify() {
      const work: Work = { kind: 'verify', ...surroundings, catalog, source: connection };
      return ((await performHere(work, plainHost)) as VerifyResult).streams;
    },
    async maintain(policy, { stopAt, clockShiftMs } = {}) {
      const points: string[] = [];
      const names = catalog.streams.map(tableOf);
      const work: Work = { kind: 'maintain', ...surroundings, stopAt, tracePoints: true, tables: names, policy };
      const host = { ...plainHost, point: (name: string) => void points.push(name) };
      try {
        const done = stopAt === undefined ? performHere(work, host, clockShiftMs) : runInChild(work, host);
        return { points, result: (await done) as UpkeepResult };
      } catch (error) {
        return { points, failure: error as Failure };
      }
    },
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

/** What source and table are compared by, one text per row, sorted. */
export async function sourceRows(source: TestSource, table = 'orders'): Promise<string[]> {
  const rows = await source.run(
    `select id::text as id, name, amount::text as amount,
       to_char(at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at from ${table}`,
  );
  return rows.map((row) => [row['id'], row['name'], row['amount'], row['at']].join('|')).toSorted();
}

export function lakeRows(rows: readonly Row[]): string[] {
  return rows
    .map((row) => [String(row['id']), row['name'], Number(row['amount']).toFixed(2), toIso(row['at'])].join('|'))
    .toSorted();
}

/** Of rows of append-only tables, the newest per identity. */
export function newestRows(rows: readonly Row[]): Row[] {
  const newest = new Map<string, Row>();
  const time = (row: Row): string => toIso(row['_olake_timestamp']);
  for (const row of rows) {
    const id = String(row['_olake_id']);
    const other = newest.get(id);
    if (!other || time(row) > time(other)) newest.set(id, row);
  }
  return [...newest.values()];
}

/** A table of three partitions (so of three chunks) whose cursor `at` has many ties. */
export async function createOrders(source: TestSource, rows: number): Promise<void> {
  await source.run(
    `create table orders (id bigint primary key, name text, amount numeric(10,2), at timestamptz not null)
       partition by hash (id);
     create table orders_0 partition of orders for values with (modulus 3, remainder 0);
     create table orders_1 partition of orders for values with (modulus 3, remainder 1);
     create table orders_2 partition of orders for values with (modulus 3, remainder 2);
     insert into orders select i, 'name ' || i, i / 7.0, '2026-01-01Z'::timestamptz + (i / 10) * interval '1 second'
       from generate_series(1, ${rows}) as i`,
  );
}

function toIso(value: unknown): string {
  return value instanceof Date ? value.toISOString() : new Date(Number(value) / 1000).toISOString();
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

function rules(folder: string): Work['folders'] {
  return { warehouse: join(folder, 'warehouse'), dataDir: DATA, closed: [], roots: null };
}

function quietHost(): AttemptHost {
  return { signal: new AbortController().signal, log: () => {}, progress: () => {}, answer: async () => null };
}

/** Does the work in this process, with a clock that is wrong by so much; throws what would cross the process border. */
async function performHere(work: Work, host: AttemptHost, clockShiftMs = 0): Promise<unknown> {
  const world = createWorld({ onPoint: host.point });
  try {
    return await perform(work, {
      connectors: await loadConnectors(),
      world: { ...world, now: () => new Date(Date.now() + clockShiftMs) },
      signal: host.signal,
      log: (line) => host.log(line),
      progress: (value) => host.progress(value),
      ask: (question) => host.answer(question),
    });
  } catch (error) {
    if (host.signal.aborted) throw toFailure(host.signal.reason);
    throw fromRecord(toFailure(error).toRecord());
  }
}

interface MemoryCatalog extends CatalogPort {
  copy(): ReadonlyMap<string, CatalogEntry>;
  replace(entries: ReadonlyMap<string, CatalogEntry>): void;
}

function createMemoryCatalog(): MemoryCatalog {
  let entries = new Map<string, CatalogEntry>();
  const key = (name: TableName): string => `${name.database}.${name.table}`;
  return {
    copy: () => new Map(entries),
    replace(kept) {
      entries = new Map(kept);
    },
    load: async (name) => entries.get(key(name)),
    async swap(name, { expected, next }) {
      const now = entries.get(key(name))?.metadataLocation ?? null;
      if (now !== expected) return false;
      entries.set(key(name), { metadataLocation: next, previousMetadataLocation: expected });
      return true;
    },
    drop: async (name) => entries.delete(key(name)),
    list: async () =>
      [...entries.keys()].map((text) => ({ database: text.split('.')[0]!, table: text.split('.')[1]! })),
  };
}

async function allFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function parquetFiles(folder: string): Promise<string[]> {
  return (await allFiles(folder)).filter(
    (path) =>
      path.endsWith('.parquet') &&
      !path
        .slice(folder.length)
        .split('/')
        .some((part) => /^[._]/.test(part)),
  );
}

export async function readParquetFolder(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const path of await parquetFiles(folder)) {
    const bytes = await readFile(path);
    const file = new Uint8Array(bytes).buffer;
    for (const row of await parquetReadObjects({ file, compressors })) rows.push(row);
  }
  return rows;
}

export async function readIceberg(tables: CatalogPort, name: TableName): Promise<Row[]> {
  if ((await tables.load(name)) === undefined) return [];
  const metadata = await readMetadata(tables, name);
  // Created, and nothing committed yet.
  if (!(Number(metadata['current-snapshot-id'] ?? -1) > 0)) return [];
  return withLocalFiles(() => icebergRead({ tableUrl: metadata.location, metadata: metadata as never }));
}

async function readMetadata(
  tables: CatalogPort,
  name: TableName,
  read: ReadLocation = readFile,
): Promise<IcebergMetadata> {
  const path = (await tables.load(name))!.metadataLocation.replace(/^file:\/\//, '');
  return { ...(JSON.parse(Buffer.from(await read(path)).toString()) as IcebergMetadata), path };
}

async function commitAsOther(tables: CatalogPort, name: TableName): Promise<void> {
  const expected = (await tables.load(name))!.metadataLocation;
  const { path, ...metadata } = await readMetadata(tables, name);
  const next = join(dirname(path), `${randomUUID()}.metadata.json`);
  const properties = { ...metadata.properties, 'other.writer': next };
  const log = [
    ...(metadata['metadata-log'] ?? []),
    { 'timestamp-ms': metadata['last-updated-ms'], 'metadata-file': expected },
  ];
  await writeFile(next, JSON.stringify({ ...metadata, properties, 'metadata-log': log }));
  if (!(await tables.swap(name, { expected, next }))) throw new Error('somebody else was first');
}
