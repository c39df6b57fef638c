import type { Catalog, CatalogStream, SelectedStream } from '../types.ts';
import { sourceColumnNames } from './build.ts';
import { byNamespace, streamId } from './names.ts';

/**
 * The catalog of a new discovery for a job that has one already: selections of streams that are still there survive,
 * vanished streams go, new ones are listed but not selected. What the user chose (mode, cursor, key, destination
 * names) keeps its stored value; the columns are those of the source now.
 */
export function mergeCatalog(fresh: Catalog, stored: Catalog): Catalog {
  const known = new Map(stored.streams.map((entry) => [streamId(entry.stream), entry]));
  const streams = fresh.streams.map((entry) => mergeStream(entry, known.get(streamId(entry.stream))));
  const present = new Map(streams.map((entry) => [streamId(entry.stream), entry]));
  const selected: (readonly [string, SelectedStream])[] = [];
  for (const [namespace, entries] of Object.entries(stored.selected_streams)) {
    for (const entry of entries) {
      const id = streamId({ namespace, name: entry.stream_name });
      const now = present.get(id);
      if (now) selected.push([namespace, mergeSelection(entry, now, known.get(id))]);
    }
  }
  return { selected_streams: byNamespace(selected), streams };
}

function mergeStream(fresh: CatalogStream, stored: CatalogStream | undefined): CatalogStream {
  if (!stored) return fresh;
  const old = stored.stream;
  const properties = { ...fresh.stream.type_schema.properties };
  for (const [name, property] of Object.entries(properties)) {
    const kept = old.type_schema.properties[name]?.destination_column_name;
    if (kept !== undefined) properties[name] = { ...property, destination_column_name: kept };
  }
  return {
    stream: {
      ...fresh.stream,
      type_schema: { properties },
      source_defined_primary_key: old.source_defined_primary_key,
      sync_mode: old.sync_mode || fresh.stream.sync_mode,
      cursor_field: old.cursor_field ?? fresh.stream.cursor_field,
      destination_database: old.destination_database || fresh.stream.destination_database,
      destination_table: old.destination_table || fresh.stream.destination_table,
    },
  };
}

function mergeSelection(
  selection: SelectedStream,
  fresh: CatalogStream,
  stored: CatalogStream | undefined,
): SelectedStream {
  const chosen = selection.selected_columns;
  if (!chosen) return selection;
  const now = sourceColumnNames(fresh);
  const before = new Set(stored ? sourceColumnNames(stored) : chosen.columns);
  const wanted = new Set(chosen.columns);
  const withNew = chosen.sync_new_columns !== false;
  const columns = now.filter((name) => wanted.has(name) || (withNew && !before.has(name)));
  return { ...selection, selected_columns: { ...chosen, columns } };
}
