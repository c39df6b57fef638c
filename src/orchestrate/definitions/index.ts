export { createDefinitions } from './definitions.ts';
export type * from './types.ts';
