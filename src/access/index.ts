export { createAccess } from './access.ts';
export type { OpenAccess } from './access.ts';
export type * from './types.ts';
export type * from './tokens/types.ts';
export { checkBinds, checkDirects, checkManagesTokens, checkRight, mayCall } from './tokens/rights.ts';
export type { Right } from './tokens/rights.ts';
