export { createLocalStorage, localPath } from './local.ts';
export type * from './types.ts';
