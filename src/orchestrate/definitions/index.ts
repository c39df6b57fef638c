export { createDefinitions } from './definitions.ts';
export { WEBHOOK_SECRET } from './webhook-secrets.ts';
export type * from './types.ts';
