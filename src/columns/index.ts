export { lanesOf, typeWord } from './types.ts';
export type { Column, ColumnBatch, ColumnType, ColumnVector } from './types.ts';
