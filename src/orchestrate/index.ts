export { exceptionIdOf } from './component-runs/adapter.ts';
export { statusOf } from './component-runs/describe.ts';
export { groupPhases } from './jobs/phases.ts';
export { createOrchestrate } from './room.ts';
export type { Orchestrate, OrchestrateRooms } from './room.ts';
export type * from './component-runs/types.ts';
export type * from './definitions/index.ts';
export type * from './jobs/types.ts';
export type * from './types.ts';
