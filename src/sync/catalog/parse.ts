import { Failure } from '../../errors.ts';
import type { Catalog, CatalogStream, SelectedStream } from '../types.ts';
import { selectAll } from './build.ts';
import { parseExactly } from './exact.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * A catalog out of what a client or an old file sent: an object, an array of streams, or the JSON text of either.
 * Retired spellings (`split_column`, `append_only`) are read; unknown keys stay. `bad_request` names what is wrong.
 */
export function parseCatalog(value: unknown): Catalog {
  const parsed = typeof value === 'string' ? parseText(value) : value;
  if (Array.isArray(parsed)) return fromStreams(parsed.map((entry, index) => readStream(entry, `streams[${index}]`)));
  if (!isObject(parsed)) throw refused('streams_config', 'give an object or an array');
  const streams = listOf(parsed['streams'], 'streams').map((entry, index) => readStream(entry, `streams[${index}]`));
  const selected = parsed['selected_streams'];
  if (selected === undefined) return fromStreams(streams);
  if (selected !== null && !isObject(selected)) throw refused('selected_streams', 'give an object by namespace');
  return { selected_streams: readSelections(selected ?? {}), streams };
}

function fromStreams(streams: readonly CatalogStream[]): Catalog {
  return { selected_streams: selectAll(streams), streams };
}

function readSelections(selected: Json): Record<string, SelectedStream[]> {
  const lists = Object.entries(selected).map(([namespace, entries]) => {
    const place = `selected_streams.${namespace}`;
    return [namespace, listOf(entries, place).map((entry, index) => readSelection(entry, `${place}[${index}]`))];
  });
  return Object.fromEntries(lists) as Record<string, SelectedStream[]>;
}

function readSelection(entry: unknown, place: string): SelectedStream {
  if (!isObject(entry)) throw refused(place, 'give an object');
  const { split_column: splitColumn, append_only: appendOnly, ...rest } = entry;
  if (typeof rest['stream_name'] !== 'string' || rest['stream_name'] === '') {
    throw refused(`${place}.stream_name`, 'give the name of the stream');
  }
  return {
    ...rest,
    ...(splitColumn !== undefined && rest['chunk_column'] === undefined ? { chunk_column: splitColumn as string } : {}),
    ...(appendOnly !== undefined && rest['append_mode'] === undefined ? { append_mode: appendOnly === true } : {}),
    stream_name: rest['stream_name'],
  };
}

function readStream(entry: unknown, place: string): CatalogStream {
  const stream = isObject(entry) && isObject(entry['stream']) ? entry['stream'] : entry;
  if (!isObject(stream)) throw refused(place, 'give an object');
  const name = stream['name'];
  if (typeof name !== 'string' || name === '') throw refused(`${place}.stream.name`, 'give the name of the stream');
  const schema = stream['type_schema'];
  const properties = isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {};
  return {
    stream: {
      ...stream,
      name,
      namespace: textOf(stream['namespace']),
      type_schema: { properties: properties as CatalogStream['stream']['type_schema']['properties'] },
      supported_sync_modes: texts(stream['supported_sync_modes']),
      source_defined_primary_key: texts(stream['source_defined_primary_key']),
      available_cursor_fields: texts(stream['available_cursor_fields']),
      sync_mode: textOf(stream['sync_mode']),
      cursor_field: textOf(stream['cursor_field']),
      destination_database: textOf(stream['destination_database']),
      destination_table: textOf(stream['destination_table']),
    },
  };
}

function parseText(text: string): unknown {
  try {
    return parseExactly(text);
  } catch {
    throw refused('streams_config', 'give JSON');
  }
}

function listOf(value: unknown, place: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw refused(place, 'give an array');
  return value;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(field: string, reason: string): Failure {
  return new Failure('bad_request', `${field}: ${reason}`, { details: [{ field, reason }] });
}
