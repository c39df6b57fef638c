export { createColumnBuilder } from './build.ts';
export type { ColumnBuilder } from './build.ts';
export { canonicalText, decimalText, timestampText } from './canonical.ts';
export { isPresent, readLong, readRows, readValue, readWide } from './read.ts';
export type { ColumnValue } from './read.ts';
export { selectRows } from './select.ts';
export { lanesOf, typeWord } from './types.ts';
export type { Column, ColumnBatch, ColumnType, ColumnVector } from './types.ts';
