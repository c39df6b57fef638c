export { dropParquetTable } from './drop.ts';
export { readPartitionRule, safeSegment } from './partition.ts';
export type { PartitionRule } from './partition.ts';
export { openParquetTable, parquetStoppingPoints } from './table.ts';
export type { ParquetTable, ParquetTableOptions } from './table.ts';
export { beginParquetUnit } from './unit.ts';
export type { ParquetUnit, UnitOptions, UnitPlace } from './unit.ts';
