import { facet } from './facet.ts';

/** A dataset of a run event. */
export interface Dataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets: object;
  readonly outputFacets?: object;
}

/** What a task leaves under `lineage` in its output. Who writes it is free: it is read with care. */
interface Told {
  readonly namespace: string;
  readonly name: string;
  readonly fields?: readonly { readonly name: string; readonly type: string }[];
  readonly from?: Readonly<Record<string, readonly { namespace: string; name: string; field: string }[]>>;
  readonly rows?: number;
}

/** Inputs and outputs that the tasks of a run told of, each dataset once. */
export function datasetsOf(producer: string, outputs: readonly unknown[]): { inputs: Dataset[]; outputs: Dataset[] } {
  const told = outputs.map((output) => (output as { lineage?: unknown } | null)?.lineage);
  const side = (name: 'inputs' | 'outputs'): readonly Told[] =>
    once(told.flatMap((lineage) => readSide(lineage, name)));
  return {
    inputs: side('inputs').map((dataset) => toDataset(producer, dataset)),
    outputs: side('outputs').map((dataset) => ({ ...toDataset(producer, dataset), ...statistics(producer, dataset) })),
  };
}

function readSide(lineage: unknown, name: 'inputs' | 'outputs'): readonly Told[] {
  const list = (lineage as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  if (!Array.isArray(list)) return [];
  return list.filter(
    (entry: Partial<Told> | null): entry is Told =>
      typeof entry?.namespace === 'string' && typeof entry.name === 'string',
  );
}

function once(datasets: readonly Told[]): readonly Told[] {
  return [...new Map(datasets.map((dataset) => [`${dataset.namespace}\0${dataset.name}`, dataset])).values()];
}

function toDataset(producer: string, { namespace, name, fields = [], from }: Told): Dataset {
  const schema = fields.length > 0 && { schema: facet(producer, '1-1-1/SchemaDatasetFacet', { fields }) };
  const lineage = from && {
    columnLineage: facet(producer, '1-2-0/ColumnLineageDatasetFacet', { fields: mapped(from) }),
  };
  return { namespace, name, facets: { ...schema, ...lineage } };
}

function mapped(from: NonNullable<Told['from']>): object {
  const transformations = [{ type: 'DIRECT', subtype: 'IDENTITY', description: 'copied', masking: false }];
  return Object.fromEntries(
    Object.entries(from).map(([field, origins]) => [
      field,
      { inputFields: origins.map((origin) => ({ ...origin, transformations })) },
    ]),
  );
}

function statistics(producer: string, { rows }: Told): { outputFacets?: object } {
  if (rows === undefined) return {};
  return {
    outputFacets: { outputStatistics: facet(producer, '1-0-2/OutputStatisticsOutputDatasetFacet', { rowCount: rows }) },
  };
}
