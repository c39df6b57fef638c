export { createLocalStorage, localPath } from './local.ts';
export { probeLocalFolder } from './probe.ts';
export type * from './types.ts';
export { removeFiles } from './remove.ts';
