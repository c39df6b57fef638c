export {
  createClearComponent,
  createMaintainComponent,
  createReadComponent,
  createSyncComponent,
  createVerifyComponent,
  removeOldRunFolders,
} from './attempt/index.ts';
export { checkFolder } from './attempt/folders.ts';
export type { JobState, ProbePorts, SyncPorts } from './attempt/index.ts';
export { createProber } from './probe/index.ts';
export { describeStats, runConnectorCommand } from './command.ts';
export type { CommandIo } from './command.ts';
export { createSync } from './room.ts';
export type { Sync, SyncRooms } from './room.ts';
export type { RefusedRows } from './attempt/refused-rows.ts';
export { checkProject } from './definitions/checks.ts';
export { showForm } from './definitions/form.ts';
export type { ComponentAsk, ComponentStart } from './definitions/component-starts.ts';
export { createRunObservers } from './definitions/observer.ts';
export { jobIdOf, jobKey } from './definitions/run-plans.ts';
export { maintainedJobOf } from './definitions/table-runs.ts';
export type { TableRuns } from './definitions/table-runs.ts';
export { loadState, saveState } from './definitions/state.ts';
export type { Connections } from './definitions/connections.ts';
export type { JobGauge } from './definitions/gauges.ts';
export type { ProjectSettings } from './definitions/settings.ts';
export type { JobRuns } from './definitions/job-runs.ts';
export type { Jobs } from './definitions/jobs.ts';
export type { ConfigAsk } from './definitions/resolve.ts';
export type { Prober, TestResult, Trials } from './definitions/trials.ts';
export type {
  Actor,
  ConnectionItem,
  ConnectionKind,
  DefinitionRooms,
  FormText,
  JobEnd,
  JobEndInput,
  JobInput,
  JobQuery,
  JobSchedule,
  JobSummary,
  JobView,
  JsonForm,
  LastRun,
  Page,
  Paging,
  Scope,
} from './definitions/types.ts';
export type * from './types.ts';
