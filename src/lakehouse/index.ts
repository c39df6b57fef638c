export * from './catalog/index.ts';
export * from './iceberg/index.ts';
export * from './maintain/index.ts';
export * from './parquet/index.ts';
export * from './storage/index.ts';
