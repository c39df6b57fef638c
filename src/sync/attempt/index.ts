export { createClearComponent, createSyncComponent } from './component.ts';
export type { JobState, ProbePorts, SyncPorts } from './ports.ts';
