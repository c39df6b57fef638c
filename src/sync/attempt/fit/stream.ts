import type { Column, ColumnType } from '../../../columns/index.ts';
import { typeWord } from '../../../columns/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';

/** False when nothing of a table that exists can change the stream: then nobody needs to look at it. */
export function dependsOnTable({ normalization, schemaPolicy, mode }: ResolvedStream): boolean {
  // A full refresh replaces every row, so that the table may change as far as the destination allows.
  return normalization && !(schemaPolicy === 'evolve' && mode === 'full_refresh');
}

/**
 * Makes the stream fit a table that exists, by the stream's policy for changes of its columns.
 * `evolve`: new columns are added and types widen; values of a type that the table cannot take up are converted.
 * `freeze`: the table's columns stay; new ones are left out.
 * `quarantine`: as freeze, but a row that holds a value for which the table has no column is refused.
 */
export function fitStream(
  stream: ResolvedStream,
  table: readonly Column[] | undefined,
  warn: (message: string) => void,
): ResolvedStream {
  const evolves = stream.schemaPolicy === 'evolve';
  if (!table || !dependsOnTable(stream)) return stream;
  const known = new Map(table.map((column) => [column.name, column]));
  const places = stream.lakeColumns.map((_, at) => at);
  const isNew = (at: number): boolean => !evolves && !known.has(stream.lakeColumns[at]!.name) && !isNeeded(stream, at);
  const fresh = places.filter(isNew);
  const kept = places.filter((at) => !isNew(at));
  const lakeColumns = kept.map((at) => fitColumn(stream.lakeColumns[at]!, known, evolves));
  const selected = stream.schemaPolicy === 'quarantine' ? [...kept, ...fresh] : kept;
  if (fresh.length > 0) {
    const names = fresh.map((at) => stream.lakeColumns[at]!.name).join(', ');
    warn(`${stream.id}: the source has columns that its table does not take up by its schema_policy: ${names}`);
  }
  const columns = selected.map((at) => stream.selection.columns[at]!);
  return {
    ...stream,
    selection: { ...stream.selection, columns },
    lakeColumns,
    tableColumns: [...lakeColumns, ...stream.tableColumns.slice(stream.lakeColumns.length)],
  };
}

function isNeeded({ selection, cursor }: ResolvedStream, at: number): boolean {
  const { name } = selection.columns[at]!;
  return selection.primaryKey.includes(name) || cursor?.column === name || cursor?.fallback === name;
}

/** With the table's type, where values must become of that type before they are written. */
function fitColumn(column: Column, known: ReadonlyMap<string, Column>, evolves: boolean): Column {
  const there = known.get(column.name)?.type;
  if (!there || typeWord(there) === typeWord(column.type) || promotes(column.type, there)) return column;
  return evolves && promotes(there, column.type) ? column : { ...column, type: there };
}

/** True when files that hold `from` can be read as `to`, and the table's type can become `to`. */
function promotes(from: ColumnType, to: ColumnType): boolean {
  if (from.kind === 'decimal' && to.kind === 'decimal') return from.scale === to.scale && from.precision < to.precision;
  return (from.kind === 'int' && to.kind === 'long') || (from.kind === 'float' && to.kind === 'double');
}
