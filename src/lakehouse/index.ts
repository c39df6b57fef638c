export type { CatalogEntry, CatalogPort, TableName } from './catalog/port.ts';
export type * from './parquet/types.ts';
export type * from './storage/types.ts';
