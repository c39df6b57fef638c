export { createAccess } from './access.ts';
export type { OpenAccess } from './access.ts';
export type * from './types.ts';
export type * from './tokens/types.ts';
