export { clientAddress, isFromLoopback, isSecure } from './address.ts';
export { createGuard, requireRole, SESSION_COOKIE } from './guard.ts';
export type { Guard } from './guard.ts';
export { corsHooks } from './origin.ts';
export { createServer } from './server.ts';
export type { Server } from './server.ts';
export type { ServerOptions } from './options.ts';
export { describeFace } from './openapi.ts';
export type * from './types.ts';
