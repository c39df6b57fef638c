export { createOrchestrate } from './room.ts';
export type { Orchestrate, OrchestrateRooms } from './room.ts';
export type * from './component-runs/types.ts';
export type * from './definitions/index.ts';
export type * from './jobs/types.ts';
export type * from './types.ts';
