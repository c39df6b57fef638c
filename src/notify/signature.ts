import { createHmac, timingSafeEqual } from 'node:crypto';

/** Header of the signature of a webhook. */
export const SIGNATURE_HEADER = 'x-penstock-signature';

/** A signature older than this proves nothing to a receiver: somebody may send the message again. */
const OLDEST_SECONDS = 300;

/**
 * The value of the signature header: `t=<unix seconds>,v1=<hex>`, where v1 is the HMAC-SHA256 of `<t>.<body>` under the
 * secret of the receiver, its text as UTF-8 (docs/webhooks.md).
 */
export function signWebhook(secret: string, body: string, time: Date): string {
  const seconds = Math.floor(time.getTime() / 1000);
  return `t=${seconds},v1=${macOf(secret, seconds, body)}`;
}

/**
 * What a receiver does: whether a header signs this body under this secret, not longer than five minutes ago (or ahead,
 * for clocks that differ).
 */
export function isSignedWebhook(header: string, body: string, { secret, now }: { secret: string; now: Date }): boolean {
  const [, time, mac] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  if (time === undefined || mac === undefined) return false;
  if (Math.abs(now.getTime() / 1000 - Number(time)) > OLDEST_SECONDS) return false;
  return timingSafeEqual(Buffer.from(mac, 'hex'), Buffer.from(macOf(secret, Number(time), body), 'hex'));
}

function macOf(secret: string, seconds: number, body: string): string {
  return createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
}
