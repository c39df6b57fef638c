export { createOrchestrate } from './room.ts';
export type { Orchestrate, OrchestrateRooms } from './room.ts';
export type * from './definitions/index.ts';
export type * from './types.ts';
