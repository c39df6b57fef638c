export { decimalWidth } from './schema.ts';
export { openParquetFile, readRowTexts } from './read.ts';
export type { ParquetFile, StoredColumn } from './read.ts';
export type * from './types.ts';
export { createParquetWriter } from './writer.ts';
export * from './table/index.ts';
