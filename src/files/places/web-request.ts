import { lookup as lookUp } from 'node:dns';
import { request as requestPlain } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as requestSecure } from 'node:https';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { Failure } from '../../errors.ts';

export interface WebAccess {
  readonly username: string;
  readonly password: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface WebRequest {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD';
  readonly access: WebAccess;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const MOST_REDIRECTS = 5;
/** Silence for so long ends a request. */
const SILENCE_MS = 60_000;

/** Where machines in clouds tell their credentials to whoever asks. No file lies there. */
const closed = new BlockList();
closed.addSubnet('169.254.0.0', 16, 'ipv4');
closed.addSubnet('fe80::', 10, 'ipv6');
closed.addAddress('fd00:ec2::254', 'ipv6');
closed.addAddress('100.100.100.200', 'ipv4');

/**
 * Asks a web server and follows at most five redirects; each is checked as the first address was. Name, password and
 * headers of the connection go to the first origin only. Answers with a status of 2xx or 3xx other than redirects;
 * throws a `Failure` otherwise, whose message holds neither query nor credentials.
 */
export async function askWeb(request: WebRequest): Promise<IncomingMessage> {
  let { url } = request;
  for (let hops = 0; ; hops++) {
    const answer = await askOnce(request, url);
    const { statusCode = 0, headers } = answer;
    if (![301, 302, 303, 307, 308].includes(statusCode)) return demandSuccess(answer, url);
    answer.destroy();
    if (hops === MOST_REDIRECTS) {
      throw new Failure(
        'configuration_invalid',
        `${shownUrl(request.url)} redirects more than ${MOST_REDIRECTS} times`,
      );
    }
    url = nextUrl(url, headers.location);
  }
}

/** The address as it may be shown and logged. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** Throws `configuration_invalid` for what is no address of a web server, or that of a metadata service. */
export function checkUrl(url: URL): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Failure('configuration_invalid', `${url.protocol}// is not read; use http:// or https://`);
  }
  const host = url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (host === 'metadata.google.internal' || isClosed(host)) throw closedFailure(host);
}

function isClosed(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && closed.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function closedFailure(host: string): Failure {
  return new Failure('configuration_invalid', `${host} is the address of a metadata service; no file is read there`);
}

function nextUrl(from: URL, location: string | undefined): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new Failure('configuration_invalid', `${shownUrl(from)} redirects to nowhere`);
  }
  const next = new URL(location, from);
  checkUrl(next);
  if (from.protocol === 'https:' && next.protocol === 'http:') {
    throw new Failure('configuration_invalid', `${shownUrl(from)} redirects to an address without TLS`);
  }
  return next;
}

/** A name is checked by the addresses that it leads to, at the moment of connecting. */
const openLookup: LookupFunction = (hostname, options, callback) => {
  lookUp(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '');
    if (addresses.some(({ address }) => isClosed(address))) return callback(closedFailure(hostname), '');
    const [first] = addresses;
    if (options.all) callback(null, addresses);
    else callback(null, first?.address ?? '', first?.family);
  });
};

function askOnce(asked: WebRequest, url: URL): Promise<IncomingMessage> {
  const { method, access, signal } = asked;
  const ours = url.origin === asked.url.origin;
  const options: RequestOptions = {
    method,
    signal,
    lookup: openLookup,
    headers: {
      'user-agent': 'penstock',
      accept: '*/*',
      'accept-encoding': 'identity',
      ...(ours ? lowerNames(access.headers) : {}),
      ...asked.headers,
    },
    ...(ours && access.username !== '' ? { auth: `${access.username}:${access.password}` } : { auth: '' }),
  };
  const target = withoutCredentials(url);
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === 'https:' ? requestSecure(target, options, resolve) : requestPlain(target, options, resolve);
    request.setTimeout(SILENCE_MS, () => request.destroy(timedOut(url)));
    request.on('error', (error) => reject(explainWeb(error, url)));
    request.end();
  });
}

function lowerNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function withoutCredentials(url: URL): URL {
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  return plain;
}

function timedOut(url: URL): Failure {
  return new Failure('timed_out', `${shownUrl(url)} was silent for ${SILENCE_MS / 1000} s`);
}

function demandSuccess(answer: IncomingMessage, url: URL): IncomingMessage {
  const { statusCode = 0 } = answer;
  if (statusCode >= 200 && statusCode < 300) return answer;
  answer.destroy();
  const where = `${shownUrl(url)} answered with status ${statusCode}`;
  if (statusCode === 401) throw new Failure('credentials_refused', `${where}: it wants another name and password`);
  if (statusCode === 403) throw new Failure('permission_missing', `${where}: it does not let us read`);
  if (statusCode === 404 || statusCode === 410) throw new Failure('object_missing', `${where}: there is no such file`);
  if (statusCode === 412) throw new Failure('connection_lost', `${where}: the file changed after it was listed`);
  if (statusCode >= 500 || statusCode === 408 || statusCode === 425 || statusCode === 429) {
    throw new Failure('unreachable', where);
  }
  throw new Failure('configuration_invalid', where);
}

/** What the network said, as a failure. */
export function explainWeb(error: unknown, url: URL): Failure {
  if (error instanceof Failure) return error;
  const { code = '', cause, message } = error as NodeJS.ErrnoException & { cause?: unknown };
  if (cause instanceof Failure) return cause;
  const where = shownUrl(url);
  if (code === 'ABORT_ERR') return new Failure('cancelled', 'reading was cancelled');
  if (code === 'ENOTFOUND') return new Failure('unreachable', `the host name "${url.hostname}" is not known`);
  if (code === 'ECONNREFUSED') return new Failure('unreachable', `connection refused by ${url.host}`);
  if (/^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS|HOSTNAME_)/.test(code)) {
    return new Failure('configuration_invalid', `the certificate of ${url.host} was not accepted: ${code}`);
  }
  if (/^(EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(code)) {
    return new Failure('unreachable', `${url.host} cannot be reached: ${code}`);
  }
  return new Failure('connection_lost', `the connection to ${where} was lost: ${code || message}`, { cause: error });
}
