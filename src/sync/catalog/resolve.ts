import type { Column } from '../../columns/index.ts';
import type {
  Cursor,
  DiscoveredStream,
  RemovalChoice,
  SourceColumn,
  StreamSelection,
  SyncMode,
} from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import type { DeleteMode, TableName } from '../../lakehouse/index.ts';
import type { CatalogStream, SelectedStream } from '../types.ts';
import { isAdded, sourceColumnNames } from './build.ts';
import { readFilter } from './filter.ts';
import { ADDED_COLUMNS, COMMIT_TIME_COLUMN, streamId, uniqueNames, writtenDatabase } from './names.ts';

/** What happens to the table when columns of the source change. */
export type SchemaPolicy = 'evolve' | 'freeze' | 'quarantine';

/** A selected stream, ready to be read and written. */
export interface ResolvedStream {
  readonly id: string;
  readonly mode: SyncMode;
  readonly cursor?: Cursor;
  readonly selection: StreamSelection;
  readonly table: TableName;
  /** What `selection.columns` become in the table, in the same order. */
  readonly lakeColumns: readonly Column[];
  /** Columns of the table: those of the source (or `data`), then the added ones. */
  readonly tableColumns: readonly Column[];
  readonly normalization: boolean;
  readonly appendMode: boolean;
  readonly schemaPolicy: SchemaPolicy;
  /** What the stream says of removed rows; the destination's settings hold for the rest. */
  readonly removal?: RemovalChoice;
  /** Read from a change log: the columns that it adds, the time of the commit first. Empty otherwise. */
  readonly logColumns: readonly Column[];
  /** The partition pattern in names of the table. */
  readonly partition?: string;
  /** The same as the user wrote it, in names of the source. */
  readonly pattern?: string;
}

interface Chosen {
  readonly selection: SelectedStream;
  readonly entry: CatalogStream;
  /** Columns of the source's change log; absent when the source reads none. */
  readonly log?: readonly Column[];
}

/**
 * Brings a selected stream of the catalog together with the source's columns as they are now. Throws `object_missing`
 * or `bad_request` when the stream cannot be synced as it was selected; the sentence names the stream.
 */
export function resolveStream(chosen: Chosen, discovered: DiscoveredStream): ResolvedStream {
  const { selection, entry } = chosen;
  const id = streamId(entry.stream);
  const mode = readMode(id, entry, discovered);
  const logColumns = mode === 'cdc' || mode === 'strict_cdc' ? columnsOfLog(chosen.log ?? []) : [];
  const cursor = mode === 'incremental' ? readCursor(id, entry, discovered) : undefined;
  const filter = readFilter(selection);
  const primaryKey = discovered.primaryKey;
  const pattern = selection.partition_regex || undefined;
  const needed = [
    ...primaryKey,
    ...(cursor ? [cursor.column, ...(cursor.fallback === undefined ? [] : [cursor.fallback])] : []),
    ...partitionColumns(id, pattern, discovered),
  ];
  for (const condition of filter?.conditions ?? []) demandColumn(id, discovered, condition.column);
  const reserved = new Set([...ADDED_COLUMNS, ...logColumns.map((column) => column.name)]);
  const columns = chooseColumns(chosen, discovered, { needed: new Set(needed), reserved });
  if (columns.length === 0) throw new Failure('bad_request', `stream ${id} has no column to sync`);
  const names = nameColumns(chosen, columns, reserved);
  const lakeColumns = columns.map((column, index) => ({
    name: names[index]!,
    type: column.column.type,
    nullable: true,
  }));
  const normalization = selection.normalization ?? true;
  return {
    id,
    mode,
    cursor,
    selection: {
      namespace: discovered.namespace,
      name: discovered.name,
      columns,
      primaryKey,
      ...(filter ? { filter } : {}),
      ...(selection.chunk_column ? { chunkColumn: selection.chunk_column } : {}),
    },
    table: tableOf(entry),
    lakeColumns,
    tableColumns: tableColumns({ lakeColumns, columns, normalization, pattern, logColumns }),
    normalization,
    appendMode: selection.append_mode ?? false,
    schemaPolicy: readPolicy(id, selection),
    removal: readRemoval(id, selection),
    logColumns,
    partition: pattern === undefined ? undefined : inLakeNames(pattern, columns, lakeColumns),
    pattern,
  };
}

function columnsOfLog(columns: readonly Column[]): Column[] {
  const time: Column = { name: COMMIT_TIME_COLUMN, type: { kind: 'timestamp' }, nullable: true };
  return [time, ...columns];
}

function readPolicy(id: string, { schema_policy: policy = 'evolve' }: SelectedStream): SchemaPolicy {
  if (policy === 'evolve' || policy === 'freeze' || policy === 'quarantine') return policy;
  throw new Failure('bad_request', `stream ${id}: schema_policy must be evolve, freeze or quarantine`);
}

const DELETES = ['mark', 'apply'] as const;
const DELETE_MODES: readonly DeleteMode[] = ['equality', 'position', 'copy_on_write'];

function readRemoval(id: string, { deletes, delete_mode: mode }: SelectedStream): RemovalChoice {
  return {
    deletes: chooseWord(id, { field: 'deletes', value: deletes }, DELETES),
    deleteMode: chooseWord(id, { field: 'delete_mode', value: mode }, DELETE_MODES),
  };
}

/** Absent and empty say nothing. */
function chooseWord<Word extends string>(
  id: string,
  { field, value }: { field: string; value: unknown },
  words: readonly Word[],
): Word | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const known = words.find((word) => word === value);
  if (known) return known;
  throw new Failure('bad_request', `stream ${id}: ${field} must be one of ${words.join(', ')}`);
}

/** The table that a stream is written to. */
export function tableOf({ stream }: CatalogStream): TableName {
  return { database: writtenDatabase(stream.destination_database), table: stream.destination_table };
}

/** Columns that every table carries after those of the source. */
export function addedColumns(): Column[] {
  return [
    { name: '_olake_id', type: { kind: 'string' }, nullable: false },
    { name: '_olake_timestamp', type: { kind: 'timestamp' }, nullable: true },
    { name: '_op_type', type: { kind: 'string' }, nullable: true },
  ];
}

/** Added by a source itself (contract 7.5), hence a column of its own in any case. */
const ADDED_BY_SOURCES = ['_last_modified_time'];

/** Indexes of `columns` that stay columns of their own when rows are kept as one JSON column. */
export function keptBesideData(columns: readonly SourceColumn[], partition: string | undefined): number[] {
  const words = partitionWords(partition).union(new Set(ADDED_BY_SOURCES));
  return columns.flatMap((column, index) => (words.has(column.name) ? [index] : []));
}

function tableColumns(parts: {
  lakeColumns: readonly Column[];
  columns: readonly SourceColumn[];
  normalization: boolean;
  pattern: string | undefined;
  logColumns: readonly Column[];
}): Column[] {
  if (parts.normalization) return [...parts.lakeColumns, ...addedColumns(), ...parts.logColumns];
  const kept = keptBesideData(parts.columns, parts.pattern).map((index) => parts.lakeColumns[index]!);
  return [{ name: 'data', type: { kind: 'string' }, nullable: true }, ...kept, ...addedColumns(), ...parts.logColumns];
}

function readMode(id: string, entry: CatalogStream, discovered: DiscoveredStream): SyncMode {
  const mode = entry.stream.sync_mode as SyncMode;
  if (discovered.modes.includes(mode)) return mode;
  const offered = discovered.modes.join(', ');
  if (mode === 'cdc' || mode === 'strict_cdc') {
    const message = `stream ${id}: mode ${mode} needs a source that reads its change log; modes: ${offered}`;
    throw new Failure('bad_request', message, { advice: 'Set update_method of the source to CDC.' });
  }
  throw new Failure('bad_request', `stream ${id}: sync mode "${mode}" is not offered; modes: ${offered}`);
}

function readCursor(id: string, entry: CatalogStream, discovered: DiscoveredStream): Cursor {
  const [column = '', fallback] = (entry.stream.cursor_field ?? '').split(':');
  if (column === '') throw new Failure('bad_request', `stream ${id}: incremental sync needs a cursor_field`);
  for (const name of fallback === undefined || fallback === '' ? [column] : [column, fallback]) {
    if (!demandColumn(id, discovered, name).orderable) {
      throw new Failure('bad_request', `stream ${id}: column "${name}" has no order and cannot be a cursor`);
    }
  }
  return fallback ? { column, fallback } : { column };
}

function demandColumn(id: string, discovered: DiscoveredStream, name: string): SourceColumn {
  const column = discovered.columns.find((candidate) => candidate.name === name);
  if (!column) throw new Failure('object_missing', `stream ${id} has no column "${name}"`);
  return column;
}

function chooseColumns(
  { selection, entry }: Chosen,
  discovered: DiscoveredStream,
  { needed, reserved }: { readonly needed: ReadonlySet<string>; readonly reserved: ReadonlySet<string> },
): SourceColumn[] {
  const chosen = selection.selected_columns;
  const own = discovered.columns.filter((column) => !reserved.has(column.name));
  if (!chosen) return own;
  const known = new Set(sourceColumnNames(entry));
  const wanted = new Set(chosen.columns);
  const withNew = chosen.sync_new_columns !== false;
  return own.filter(
    (column) => wanted.has(column.name) || needed.has(column.name) || (withNew && !known.has(column.name)),
  );
}

/** Stored names first, so that a new column never takes the name of an old one. */
function nameColumns(
  { selection, entry }: Chosen,
  columns: readonly SourceColumn[],
  reserved: ReadonlySet<string>,
): string[] {
  if (selection.use_source_column_names === true) return columns.map((column) => column.name);
  const stored = columns.map(
    (column) => entry.stream.type_schema.properties[column.name]?.destination_column_name || undefined,
  );
  const taken = [...reserved, ...stored.filter((name) => name !== undefined)];
  const fresh = columns.filter((_, index) => stored[index] === undefined).map((column) => column.name);
  const names = uniqueNames(fresh, taken);
  return stored.map((name) => name ?? names.shift()!);
}

/** Longer than any of use; the patterns that read it take a time that grows faster than its length. */
const LONGEST_PARTITION = 1000;

function partitionColumns(id: string, pattern: string | undefined, discovered: DiscoveredStream): string[] {
  if (pattern !== undefined && (typeof pattern !== 'string' || pattern.length > LONGEST_PARTITION)) {
    const message = `stream ${id}: partition_regex must be a text of at most ${LONGEST_PARTITION} characters`;
    throw new Failure('bad_request', message);
  }
  const words = [...partitionWords(pattern)].filter((word) => word !== 'now()' && !isAdded(word));
  for (const word of words) demandColumn(id, discovered, word);
  return words;
}

const PARTITION_WORD = /\{\s*([^,}]+?)\s*(?=[,}])/g;

function partitionWords(pattern: string | undefined): Set<string> {
  return new Set([...(pattern ?? '').matchAll(PARTITION_WORD)].map((match) => match[1]!));
}

function inLakeNames(pattern: string, columns: readonly SourceColumn[], lake: readonly Column[]): string {
  const names = new Map(columns.map((column, index) => [column.name, lake[index]!.name]));
  return pattern.replace(PARTITION_WORD, (_, word: string) => `{${names.get(word) ?? word}`);
}
