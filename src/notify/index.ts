export { createNotify } from './notify.ts';
export type { NotifyOptions, OpenNotify } from './notify.ts';
export { isSignedWebhook, SIGNATURE_HEADER, signWebhook } from './signature.ts';
export type * from './types.ts';
export { createWebhookDeliverer } from './webhook.ts';
export type { WebhookOptions, WebhookPayload } from './webhook.ts';
