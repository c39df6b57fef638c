import type { DiscoveredStream, SourceColumn } from '../../connectors/kit/index.ts';
import type { Catalog, CatalogStream, SelectedStream } from '../types.ts';
import { ADDED_COLUMNS, byNamespace, destinationDatabase, reformat, uniqueNames } from './names.ts';
import { catalogWord } from './words.ts';

export interface CatalogNaming {
  /** Usually the job's name; '' for none. */
  readonly prefix: string;
  /** The source's word for its database. */
  readonly database: string;
}

export interface StreamDefaults {
  readonly normalization: boolean;
  readonly appendMode: boolean;
}

type Properties = CatalogStream['stream']['type_schema']['properties'];

/** What each kind of source starts with; anything else is relational. */
export function defaultsOf(sourceType: string): StreamDefaults {
  return {
    normalization: !['mongodb', 'kafka', 's3', 'file'].includes(sourceType),
    appendMode: sourceType === 'kafka',
  };
}

/** The catalog of a fresh discovery: every stream listed and selected, with the defaults of contract 5.4. */
export function buildCatalog(
  discovered: readonly DiscoveredStream[],
  naming: CatalogNaming,
  defaults: StreamDefaults = { normalization: true, appendMode: false },
): Catalog {
  const streams = discovered.map((stream) => describeStream(stream, naming, defaults));
  return { selected_streams: selectAll(streams), streams };
}

/** Every stream, selected with its own defaults. */
export function selectAll(streams: readonly CatalogStream[]): Catalog['selected_streams'] {
  return byNamespace(streams.map((entry) => [entry.stream.namespace, selectStream(entry)] as const));
}

/** A selection of the stream with its own defaults and all of its columns. */
export function selectStream(entry: CatalogStream): SelectedStream {
  const defaults = entry.stream.default_stream_properties;
  return {
    stream_name: entry.stream.name,
    partition_regex: '',
    normalization: defaults?.normalization ?? true,
    append_mode: defaults?.append_mode ?? false,
    chunk_column: '',
    use_source_column_names: false,
    filter: '',
    selected_columns: { columns: sourceColumnNames(entry), sync_new_columns: true },
    disabled: false,
  };
}

/** Names of the columns that come from the source, in catalog order. */
export function sourceColumnNames(entry: CatalogStream): string[] {
  return Object.entries(entry.stream.type_schema.properties)
    .filter(([, property]) => property.olake_column !== true)
    .map(([name]) => name);
}

function describeStream(stream: DiscoveredStream, naming: CatalogNaming, defaults: StreamDefaults): CatalogStream {
  const candidates = stream.columns
    .filter((column) => column.orderable)
    .map((column) => column.name)
    .toSorted();
  const cursor = candidates[0];
  const mode = pickMode(stream, cursor);
  return {
    stream: {
      name: stream.name,
      namespace: stream.namespace,
      type_schema: { properties: describeColumns(stream.columns) },
      supported_sync_modes: stream.modes,
      source_defined_primary_key: stream.primaryKey,
      available_cursor_fields: candidates,
      sync_mode: mode,
      cursor_field: mode === 'incremental' ? cursor : '',
      destination_database: destinationDatabase({ ...naming, namespace: stream.namespace }),
      destination_table: reformat(stream.name),
      default_stream_properties: { normalization: defaults.normalization, append_mode: defaults.appendMode },
      additional_properties: {},
    },
  };
}

function pickMode(stream: DiscoveredStream, cursor: string | undefined): string {
  if (stream.modes.includes('cdc')) return 'cdc';
  if (stream.modes.includes('incremental') && cursor !== undefined) return 'incremental';
  return stream.modes.includes('strict_cdc') ? 'strict_cdc' : 'full_refresh';
}

function describeColumns(columns: readonly SourceColumn[]): Properties {
  const own = columns.filter((column) => !isAdded(column.name));
  const names = uniqueNames(
    own.map((column) => column.name),
    ADDED_COLUMNS,
  );
  // A null prototype: a column may be called `__proto__`.
  const properties: Record<string, Properties[string]> = Object.create(null) as Record<string, Properties[string]>;
  own.forEach((column, index) => {
    const words = [catalogWord(column.column.type), ...(column.column.nullable ? ['null'] : [])];
    properties[column.name] = { type: words, destination_column_name: names[index], olake_column: false };
  });
  for (const name of ADDED_COLUMNS) {
    const word = name === '_olake_timestamp' ? 'timestamp_micro' : 'string';
    properties[name] = { type: [word], destination_column_name: name, olake_column: true };
  }
  return properties;
}

/** A source column of this name would collide with an added one, which wins. */
export function isAdded(name: string): boolean {
  return (ADDED_COLUMNS as readonly string[]).includes(name);
}
