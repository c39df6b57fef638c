export { createSyncComponent } from './component.ts';
export { createReadComponent } from './share/component.ts';
export { removeLoadsOfRun } from './share/tables.ts';
export { createClearComponent, createMaintainComponent, createVerifyComponent } from './table-components.ts';
export { removeOldRunFolders } from './run-folders.ts';
export type { JobState, ProbePorts, SyncPorts } from './ports.ts';
