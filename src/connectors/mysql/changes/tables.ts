import type { Column } from '../../../columns/index.ts';
import type { BatchLimits } from '../wire/decoder.ts';
import type { ChangeStream } from '../../kit/index.ts';
import { readRelations, type Query, type Relation, type RelationColumn } from '../catalog.ts';
import { canBe, readingOfLog, type LogColumn } from './columns.ts';
import { filterColumns, prepareFilter, type FilterTest } from './filter.ts';
import { createMarks, type Marks } from './marks.ts';
import type { Shapes } from './shapes.ts';
import { createRowDecoder, type RowDecoder } from './row-decoder.ts';
import type { MappedColumn, TableMap } from './table-map.ts';

/** A stream's table in the shape that the log has it now. */
export interface ChangeTable {
  /** Index of the stream. */
  readonly index: number;
  readonly stream: ChangeStream;
  /** Columns of a row image. */
  readonly width: number;
  readonly decoder: RowDecoder;
  readonly marks: Marks;
  readonly filter: readonly FilterTest[];
  /** Places of the key in the image that was read before the present one. */
  readonly previousKeys: Int32Array;
}

export interface OpenTable {
  readonly index: number;
  readonly stream: ChangeStream;
  readonly map: TableMap;
  readonly query: Query;
  readonly shapes: Shapes;
  readonly limits: BatchLimits;
}

/** Makes ready to read the rows of a table; a text says why they cannot be read, so that the table must be loaded anew. */
export async function openTable(work: OpenTable): Promise<ChangeTable | string> {
  const { stream, map, query } = work;
  const { selection } = stream;
  const [relation] = await readRelations(query, selection.namespace, selection.name);
  if (!relation) return 'it does not exist any more';
  work.shapes.remember(relation);
  const sources = work.shapes
    .of(selection.namespace, selection.name)
    .map((shape) => matchColumns(map.columns, shape))
    .find((matched) => matched !== undefined);
  if (!sources) {
    return 'its columns were altered since, and the log does not name them (set global binlog_row_metadata = FULL to have it name them)';
  }
  const targets = targetColumns(stream, relation);
  const keyless = selection.primaryKey.length === 0;
  const columns: LogColumn[] = [];
  for (const [at, mapped] of map.columns.entries()) {
    const source = sources[at];
    const { type, detail } = mapped;
    const isKey = keyless || (source !== undefined && selection.primaryKey.includes(source.name));
    const target = source ? targets.findIndex(({ name }) => name === source.name) : -1;
    if (!source || target < 0) {
      columns.push({ type, detail, isKey, target: undefined });
      continue;
    }
    const reading = readingOfLog(mapped, source, targets[target] as Column);
    if (!reading)
      return `its column "${source.name}" (${source.sourceType}) does not fit the type it was discovered with`;
    columns.push({ type, detail, isKey, target: { ...reading, at: target } });
  }
  const decoder = createRowDecoder(columns, targets, work.limits);
  return {
    index: work.index,
    stream,
    width: columns.length,
    decoder,
    marks: createMarks(),
    filter: prepareFilter(selection.filter, relation, { targets, query }),
    previousKeys: new Int32Array(decoder.keys.length),
  };
}

/** The selected columns, and behind them what the filter looks at besides. */
function targetColumns({ selection }: ChangeStream, relation: Relation): Column[] {
  const selected = selection.columns.map(({ name, column }): Column => ({ ...column, name, nullable: true }));
  const hidden = filterColumns(selection.filter).filter((name) => !selected.some((column) => column.name === name));
  const types = new Map(relation.columns.map(({ name, reading }) => [name, reading.type]));
  return [
    ...selected,
    ...hidden.map((name): Column => ({ name, type: types.get(name) ?? { kind: 'string' }, nullable: true })),
  ];
}

/**
 * Which column of the table each column of the log is; undefined for one that is gone. By name where the log has names;
 * otherwise by place, as long as the columns of the log are the first ones of the table.
 */
function matchColumns(mapped: readonly MappedColumn[], relation: Relation): (RelationColumn | undefined)[] | undefined {
  const { columns } = relation;
  const byName = mapped.every(({ name }) => name !== undefined);
  const matched = byName
    ? mapped.map(({ name }) => columns.find((column) => column.name === name))
    : mapped.map((_, at) => columns[at]);
  const unlike = mapped.findIndex((column, at) => {
    const match = matched[at];
    return match ? !canBe(column, match) : !byName;
  });
  return unlike < 0 ? matched : undefined;
}
