import type { Deliver } from '../engine/index.ts';
import { Failure } from '../errors.ts';
import type { Outbound } from '../outbound/index.ts';
import { SIGNATURE_HEADER, signWebhook } from './signature.ts';

export interface WebhookOptions {
  /** Says who may be a receiver, and connects to it. */
  readonly outbound: Outbound;
  /** Opens the secrets of payloads; needed only where payloads have them. */
  readonly openSecret?: (sealed: string) => string;
  /** For signatures. */
  readonly now: () => Date;
  readonly timeoutMs?: number;
}

/** What an outbox message carries that is delivered as a webhook. */
export interface WebhookPayload {
  readonly url: string;
  /** Sent as JSON. */
  readonly body: unknown;
  /** The secret of the receiver, sealed: the body is signed with it. */
  readonly sealedSecret?: string;
}

const TIMEOUT_MS = 10_000;

/**
 * Delivers by POST of JSON, signed where the payload has a secret. Anything but a 2xx answer in time is a failure, which
 * the outbox retries; redirects are not followed. The signature is made anew for each attempt, the delivery key stays.
 */
export function createWebhookDeliverer(options: WebhookOptions): Deliver {
  const { outbound, timeoutMs = TIMEOUT_MS } = options;
  return async (message) => {
    const payload = readPayload(message.payload);
    const body = JSON.stringify(payload.body ?? null);
    const { status, url } = await outbound.request({
      url: payload.url,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-penstock-delivery': message.key.replace(/[^\x20-\x7e]/g, '?'),
        ...signatureOf(payload, body, options),
      },
      body,
      timeoutMs,
      keepsRedirects: true,
      ignoresBody: true,
    });
    if (status >= 200 && status <= 299) return;
    throw new Failure('unreachable', `the webhook at ${new URL(url).host} answered ${status}`);
  };
}

function readPayload(payload: unknown): WebhookPayload {
  const { url, body, sealedSecret } = (payload ?? {}) as Partial<WebhookPayload>;
  if (typeof url !== 'string') throw new Failure('configuration_invalid', 'the message names no webhook URL');
  return { url, body, ...(sealedSecret !== undefined && { sealedSecret }) };
}

/** Never unsigned where a signature was promised. */
function signatureOf(
  { sealedSecret }: WebhookPayload,
  body: string,
  { openSecret, now }: WebhookOptions,
): Readonly<Record<string, string>> {
  if (sealedSecret === undefined) return {};
  if (openSecret === undefined) throw new Failure('internal', 'secrets of webhooks cannot be opened here');
  return { [SIGNATURE_HEADER]: signWebhook(openSecret(sealedSecret), body, now()) };
}
