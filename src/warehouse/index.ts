export { formatExactJson, readRequirements, readUpdates } from '../lakehouse/index.ts';
export { catalogIn } from './catalog.ts';
export { createWarehouse } from './room.ts';
export type * from './types.ts';
