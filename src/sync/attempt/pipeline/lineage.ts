import type { ColumnType } from '../../../columns/index.ts';
import type { DatasetName, DestinationConnector, SourceConnector } from '../../../connectors/kit/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import type { LineageDataset, RunLineage, SyncProgress } from '../../types.ts';
import type { SyncWork } from '../work.ts';

/** Beyond so many columns, the columns of the streams that follow are left out: the row of a task must stay small. */
const MOST_COLUMNS = 5000;
const DEFAULT_WAREHOUSE = 'penstock:warehouse';

interface Sides {
  readonly work: Pick<SyncWork, 'project' | 'source' | 'destination'>;
  readonly source: SourceConnector;
  readonly destination: DestinationConnector;
}

/** The streams of a run as datasets, with the columns of the source that became the columns of each table. */
export function describeLineage(sides: Sides, streams: readonly ResolvedStream[], progress: SyncProgress): RunLineage {
  let columns = 0;
  const inputs: LineageDataset[] = [];
  const outputs: LineageDataset[] = [];
  for (const stream of streams) {
    columns += stream.lakeColumns.length;
    const hasColumns = columns <= MOST_COLUMNS;
    const input = inputOf(sides, stream, hasColumns);
    inputs.push(input);
    const rows = progress.streams[stream.id]?.rows;
    outputs.push({ ...outputOf(sides, stream, hasColumns ? input : undefined), ...(rows !== undefined && { rows }) });
  }
  return { inputs, outputs };
}

function inputOf({ work, source }: Sides, stream: ResolvedStream, hasColumns: boolean): LineageDataset {
  const { namespace, name, columns } = stream.selection;
  const dataset = source.datasetOf?.(work.source.config, { namespace, name });
  return {
    ...(dataset ?? { namespace: source.type, name: stream.id }),
    fields: hasColumns ? columns.map(({ name: field, sourceType }) => ({ name: field, type: sourceType })) : [],
  };
}

function outputOf({ work, destination }: Sides, stream: ResolvedStream, input?: LineageDataset): LineageDataset {
  const { database, table } = stream.table;
  const dataset = destination.datasetOf?.(work.destination.config, stream.table) ?? {
    namespace: `${DEFAULT_WAREHOUSE}/${work.project}`,
    name: `${database}.${table}`,
  };
  if (input === undefined) return { ...dataset, fields: [] };
  const fields = stream.tableColumns.map(({ name, type }) => ({ name, type: typeWord(type) }));
  return { ...dataset, fields, from: originsOf(stream, input) };
}

function originsOf(stream: ResolvedStream, { namespace, name }: DatasetName): NonNullable<LineageDataset['from']> {
  const written = new Set(stream.tableColumns.map((column) => column.name));
  const origin = (index: number) => ({ namespace, name, field: stream.selection.columns[index]!.name });
  const all = stream.lakeColumns.map((_, index) => origin(index));
  const kept = stream.lakeColumns.flatMap((column, index) =>
    written.has(column.name) ? [[column.name, [origin(index)]] as const] : [],
  );
  return Object.fromEntries(stream.normalization ? kept : [['data', all] as const, ...kept]);
}

function typeWord(type: ColumnType): string {
  return type.kind === 'decimal' ? `decimal(${type.precision},${type.scale})` : type.kind;
}
