export { backup } from './export.ts';
export type { RowCounts } from './export.ts';
export { restore } from './import.ts';
export type { RestoreOptions } from './import.ts';
