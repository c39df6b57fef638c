import type { TableName } from '../../lakehouse/index.ts';

/** A dataset as catalogs of lineage name it: OpenLineage's `namespace` and `name`. */
export interface DatasetName {
  /** Of the system, e.g. `postgres://host:5432`; never holds a user or a password. */
  readonly namespace: string;
  readonly name: string;
}

/** The name of a table in a warehouse folder or bucket: the warehouse is the namespace. */
export function tableDataset(warehouse: string, { database, table }: TableName): DatasetName {
  const namespace = warehouse.includes('://') ? warehouse : `file:${warehouse}`;
  return { namespace: namespace.replace(/\/+$/, ''), name: `${database}.${table}` };
}
