export { createClearComponent, createMaintainComponent, createSyncComponent } from './component.ts';
export { removeOldRunFolders } from './run-folders.ts';
export type { JobState, ProbePorts, SyncPorts } from './ports.ts';
