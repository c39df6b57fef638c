export { decimalWidth } from './schema.ts';
export { openParquetFile } from './read.ts';
export type { ParquetFile, StoredColumn } from './read.ts';
export { readRowTexts } from './row-texts.ts';
export type * from './types.ts';
export { findStored, openVectorReader } from './vectors.ts';
export type { VectorReader, WantedColumn } from './vectors.ts';
export { createParquetWriter } from './writer.ts';
export * from './table/index.ts';
