export { createLineage } from './room.ts';
export type { Lineage, LineageOptions } from './room.ts';
