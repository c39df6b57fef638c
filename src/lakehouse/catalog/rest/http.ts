import { lookup } from 'node:dns/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import { formatExactJson, parseExactJson } from '../../iceberg/exact.ts';
import { refuseMetadataAddress } from '../../storage/s3-settings.ts';

/** Adds what proves who asks. With `renew`, credentials that were refused are got anew first. */
export type Authorize = (request: OutgoingRequest, renew?: boolean) => Promise<Readonly<Record<string, string>>>;

export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface RestHttpOptions {
  readonly world: World;
  readonly authorize: Authorize;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of one try. Default 60 s. */
  readonly timeoutMs?: number;
}

/** An answer of the catalog, whatever its status. */
export interface RestAnswer {
  readonly status: number;
  readonly body: unknown;
  /** What the catalog says of an error, shortened. */
  readonly message: string;
}

export interface RestCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  readonly url: URL;
  readonly body?: unknown;
  /** It may be sent again when nobody knows whether it arrived. */
  readonly repeats: boolean;
}

/** Sends a call; throws `unreachable` when there is no answer. */
export type RestHttp = (call: RestCall) => Promise<RestAnswer>;

const TIMEOUT_MS = 60_000;
const MOST_TRIES = 4;
const LARGEST_ANSWER_BYTES = 256 * 1024 * 1024;

const isPassing = (status: number): boolean => status === 429 || status === 502 || status === 503 || status === 504;
const isRefused = (status: number): boolean => status === 401 || status === 419;

/**
 * Calls of a REST catalog: credentials, time limit, answers of bounded size. What may be repeated is, on broken
 * connections and passing errors; refused credentials are renewed once.
 */
export function createRestHttp(options: RestHttpOptions): RestHttp {
  const { world } = options;
  return async (call) => {
    let renewed = false;
    for (let tries = 1; ; tries++) {
      const last = !call.repeats || tries >= MOST_TRIES;
      const answer = await sendOnce(options, call, renewed).catch((error: unknown) => {
        if (last || (error instanceof Failure && error.kind !== 'unreachable')) throw error;
      });
      if (answer && isRefused(answer.status) && !renewed) {
        renewed = true;
        continue;
      }
      if (answer && (last || !isPassing(answer.status))) return answer;
      await pause(100 * 2 ** tries + (world.random(1)[0]! % 100));
    }
  };
}

async function sendOnce(options: RestHttpOptions, call: RestCall, renew: boolean): Promise<RestAnswer> {
  const body = call.body === undefined ? undefined : formatExactJson(call.body);
  const request: OutgoingRequest = {
    method: call.method,
    url: call.url,
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body !== undefined && { body }),
  };
  const authorization = await options.authorize(request, renew);
  const answer = await send({ ...request, headers: { ...request.headers, ...authorization } }, options.timeoutMs);
  return readAnswer(answer);
}

/** Throws `configuration_invalid` for addresses at which machines in clouds serve their own credentials, and names of them. */
async function refuseMetadataService(url: URL): Promise<void> {
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  // A name that cannot be looked up is told by the request itself.
  const found = await lookup(host, { all: true }).catch(() => []);
  try {
    for (const address of [host, ...found.map((one) => one.address)]) refuseMetadataAddress(address);
    if (host !== 'metadata.google.internal') return;
  } catch {
    // Said below, in the words of a catalog.
  }
  throw new Failure('configuration_invalid', `${host} is the address of a metadata service, not of a catalog.`);
}

/** One request; throws `unreachable` without an answer in time. A redirect is refused: it would carry credentials away. */
export async function send(
  request: OutgoingRequest,
  timeoutMs = TIMEOUT_MS,
): Promise<{ readonly status: number; readonly text: string }> {
  const { url, method, headers, body } = request;
  await refuseMetadataService(url);
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && { body }),
    });
    return { status: response.status, text: await readText(response) };
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('unreachable', `The catalog at ${url.origin} does not answer.`, { cause: error });
  }
}

async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > LARGEST_ANSWER_BYTES) throw new Failure('too_large', 'An answer of the catalog is too large.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function readAnswer({ status, text }: { readonly status: number; readonly text: string }): RestAnswer {
  let body: unknown;
  try {
    body = text === '' ? undefined : parseExactJson(text);
  } catch {
    body = undefined;
  }
  const { error } = (body ?? {}) as { readonly error?: { readonly message?: unknown } };
  const message = typeof error?.message === 'string' ? error.message : '';
  return { status, body, message: message.replaceAll(/\s+/g, ' ').slice(0, 300) };
}

/** An answer that nobody asked for, by what a person can do about it. */
export function answerFailure({ status, message }: RestAnswer, what: string): Failure {
  const kind =
    status === 401 || status === 419
      ? 'credentials_refused'
      : status === 403
        ? 'permission_missing'
        : status === 404
          ? 'object_missing'
          : status >= 500 || status === 429
            ? 'unreachable'
            : 'configuration_invalid';
  const said = message === '' ? '' : ` and says: ${message}`;
  return new Failure(kind, `The catalog answers ${status} to ${what}${said}.`);
}
