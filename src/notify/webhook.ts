import { lookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { request as requestHttp } from 'node:http';
import type { RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import type { Deliver } from '../engine/index.ts';
import { Failure } from '../errors.ts';
import { isAllowedAddress } from './address.ts';

export interface WebhookOptions {
  /** Whether receivers on this machine are allowed: true only for a server that listens on loopback. */
  readonly allowsLocal: boolean;
  readonly timeoutMs?: number;
}

/** What an outbox message of topic `webhook` carries. */
export interface WebhookPayload {
  readonly url: string;
  /** Sent as JSON. */
  readonly body: unknown;
}

const TIMEOUT_MS = 10_000;

/**
 * Delivers by POST of JSON. Anything but a 2xx answer in time is a failure, which the outbox retries; redirects are not
 * followed. The address is checked when the name is resolved, and the connection goes to the address that was checked.
 */
export function createWebhookDeliverer(options: WebhookOptions): Deliver {
  return async (message) => {
    const { url, body } = readPayload(message.payload);
    const target = readTarget(url, options.allowsLocal);
    const headers = { 'x-penstock-delivery': message.key.replace(/[^\x20-\x7e]/g, '?') };
    const status = await post(target, { body: JSON.stringify(body ?? null), headers, options });
    if (status < 200 || status > 299) {
      throw new Failure('unreachable', `the webhook at ${target.host} answered ${status}`);
    }
  };
}

function readPayload(payload: unknown): WebhookPayload {
  const { url, body } = (payload ?? {}) as Partial<WebhookPayload>;
  if (typeof url !== 'string') throw new Failure('configuration_invalid', 'the message names no webhook URL');
  return { url, body };
}

function readTarget(url: string, allowsLocal: boolean): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target === undefined || !['http:', 'https:'].includes(target.protocol)) {
    throw new Failure('configuration_invalid', 'a webhook URL must begin with http:// or https://');
  }
  // A literal address is never resolved, so no lookup would check it.
  const literal = target.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !isAllowedAddress(literal, allowsLocal)) throw refuse(target.hostname);
  return target;
}

interface Posting {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly options: WebhookOptions;
}

/** The status of the answer; its body is thrown away. */
function post(target: URL, posting: Posting): Promise<number> {
  const { allowsLocal, timeoutMs = TIMEOUT_MS } = posting.options;
  const request = target.protocol === 'https:' ? requestHttps : requestHttp;
  const settings: RequestOptions = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(posting.body),
      'user-agent': 'penstock',
      ...posting.headers,
    },
    lookup: checkedLookup(allowsLocal),
    // A connection of its own: none that was opened under other rules.
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(target, settings, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    outgoing.on('error', (error) => {
      reject(error instanceof Failure ? error : toFailure(error, target, timeoutMs));
    });
    outgoing.end(posting.body);
  });
}

/** Resolves a name and gives the connection only addresses that are allowed; none left is a refusal. */
function checkedLookup(allowsLocal: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, '');
      const [first] = addresses;
      const isRefused = addresses.some(({ address }) => !isAllowedAddress(address, allowsLocal));
      if (first === undefined || isRefused) return callback(refuse(hostname), '');
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

function refuse(host: string): Failure {
  return new Failure('configuration_invalid', `messages must not be sent to ${host}: its address is not allowed`);
}

function toFailure(error: Error, target: URL, timeoutMs: number): Failure {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return new Failure('timed_out', `the webhook at ${target.host} did not answer within ${timeoutMs / 1000} s`);
  }
  return new Failure('unreachable', `the webhook at ${target.host} could not be reached: ${error.message}`, {
    cause: error,
  });
}
