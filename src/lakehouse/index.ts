export type { CatalogEntry, CatalogPort, TableName } from './catalog/port.ts';
export * from './parquet/index.ts';
export * from './storage/index.ts';
