export { createWebhookDeliverer } from './webhook.ts';
export type { WebhookOptions, WebhookPayload } from './webhook.ts';
