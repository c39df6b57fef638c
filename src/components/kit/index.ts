export { TERM_GRACE_MS, runProcess } from './process.ts';
export type { ProcessEnd, ProcessOrder } from './process.ts';
export * as programParameters from './program-parameters.ts';
export { checkProgramInput, readEnv, USUAL_SECONDS } from './program-parameters.ts';
export { inWorkFolder } from './work-folder.ts';
export type * from './ports.ts';
export type * from './types.ts';
