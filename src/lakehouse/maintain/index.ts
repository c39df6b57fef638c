export { maintainIcebergTable } from './maintain.ts';
export { upkeepStoppingPoints } from './points.ts';
export type { UpkeepOptions, UpkeepPolicy, UpkeepResult } from './types.ts';
