export { readHeaders } from './headers.ts';
export { parseBody } from './json.ts';
export { createOutbound, createReceiverOutbound } from './outbound.ts';
export { listOwnOrigins } from './own-origins.ts';
export type * from './types.ts';
