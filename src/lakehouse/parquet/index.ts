export { decimalWidth } from './schema.ts';
export type * from './types.ts';
export { createParquetWriter } from './writer.ts';
