export { isSignedWebhook, SIGNATURE_HEADER, signWebhook } from './signature.ts';
export { createWebhookDeliverer } from './webhook.ts';
export type { WebhookOptions, WebhookPayload } from './webhook.ts';
