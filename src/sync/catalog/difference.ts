import { isDeepStrictEqual } from 'node:util';
import type { TableName } from '../../lakehouse/index.ts';
import type { Catalog, CatalogStream, SelectedStream } from '../types.ts';
import { byNamespace, streamId } from './names.ts';
import { tableOf } from './resolve.ts';

interface Picked {
  readonly namespace: string;
  readonly selection: SelectedStream;
  readonly entry: CatalogStream;
}

/**
 * The streams whose tables must be cleared before `next` may run: selected ones that differ from `stored` in what
 * shapes the table, with their *old* destination names, and newly selected ones (contract 5.6).
 */
export function differCatalogs(stored: Catalog, next: Catalog): Catalog {
  const before = pick(stored);
  const selected: (readonly [string, SelectedStream])[] = [];
  const streams: CatalogStream[] = [];
  for (const [id, now] of pick(next)) {
    const old = before.get(id);
    if (old && isDeepStrictEqual(shapeOf(old), shapeOf(now))) continue;
    const { namespace, selection, entry } = old ?? now;
    selected.push([namespace, selection]);
    streams.push(entry);
  }
  return { selected_streams: byNamespace(selected), streams };
}

/** Ids of the streams that take part in a sync of the catalog. */
export function selectedIds(catalog: Catalog): string[] {
  return [...pick(catalog).keys()];
}

/** Where the selected streams are written to. */
export function selectedTables(catalog: Catalog): { readonly stream: string; readonly table: TableName }[] {
  return [...pick(catalog)].map(([stream, { entry }]) => ({ stream, table: tableOf(entry) }));
}

function pick(catalog: Catalog): Map<string, Picked> {
  const entries = new Map(catalog.streams.map((entry) => [streamId(entry.stream), entry]));
  const picked = new Map<string, Picked>();
  for (const [namespace, selections] of Object.entries(catalog.selected_streams)) {
    for (const selection of selections) {
      const id = streamId({ namespace, name: selection.stream_name });
      const entry = entries.get(id);
      if (entry && selection.disabled !== true) picked.set(id, { namespace, selection, entry });
    }
  }
  return picked;
}

function shapeOf({ selection, entry }: Picked): unknown {
  const { stream } = entry;
  const filter = selection.filter_config;
  return {
    normalization: selection.normalization ?? true,
    partition: selection.partition_regex ?? '',
    filter: selection.filter ?? '',
    conditions: filter && filter.conditions.length > 0 ? filter : null,
    append: selection.append_mode ?? false,
    sourceNames: selection.use_source_column_names ?? false,
    mode: stream.sync_mode,
    database: stream.destination_database,
    table: stream.destination_table,
    cursor: stream.sync_mode === 'incremental' ? (stream.cursor_field ?? '') : '',
  };
}
