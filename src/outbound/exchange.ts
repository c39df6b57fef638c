import { request as requestHttp } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { Failure } from '../errors.ts';
import { readBody } from './body.ts';
import type { Target } from './target.ts';
import type { Limits, OutboundAnswer } from './types.ts';

/** One request to one place whose addresses were checked. */
export interface Asking {
  readonly target: Target;
  readonly addresses: readonly string[];
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly ignoresBody: boolean;
  /** Aborts with a `Failure`. */
  readonly signal: AbortSignal;
  /** The host may have got something of the request from here on. */
  reached(): void;
}

export interface ExchangeOptions {
  readonly limits: Limits;
  readonly authorities: readonly string[] | undefined;
}

const LARGEST_HEAD_BYTES = 64 * 1024;
const NEXT_ADDRESS_MS = 1000;
const KEEP_ALIVE_MS = 30_000;

/** Sends it over a connection of its own, to one of the checked addresses and no other. Failures as `Outbound.request`. */
export async function exchange(asking: Asking, options: ExchangeOptions): Promise<OutboundAnswer> {
  const { target, signal } = asking;
  signal.throwIfAborted();
  const watch = watchFor(asking, options.limits);
  const outgoing = open(asking, options);
  const abort = (): void => watch.stop(signal.reason as Failure);
  signal.addEventListener('abort', abort);
  try {
    const response = await headOf(outgoing, watch, asking);
    watch.stop = (failure) => void response.destroy(failure);
    const unended = (): Failure => new Failure('connection_lost', `${target.place} did not end its answer`);
    watch.setLimit(options.limits.bodyMs, unended);
    const body = asking.ignoresBody ? Buffer.alloc(0) : await readBody(response, options.limits.answerBytes);
    return { status: response.statusCode ?? 0, headers: flatten(response), body, url: target.url.href };
  } catch (thrown) {
    throw signal.aborted ? signal.reason : toFailure(thrown, target, watch.hasReached);
  } finally {
    watch.clear();
    signal.removeEventListener('abort', abort);
    outgoing.destroy();
  }
}

/** The limit of the step that an exchange is at, and whether the host was reached. */
interface Watch {
  readonly hasReached: boolean;
  /** Breaks off what goes on now. */
  stop: (failure: Failure) => void;
  setLimit(ms: number, failure: () => Failure): void;
  reached(): void;
  clear(): void;
}

function watchFor({ target, reached }: Asking, { connectMs }: Limits): Watch {
  let timer: NodeJS.Timeout | undefined;
  let hasReached = false;
  const watch: Watch = {
    get hasReached() {
      return hasReached;
    },
    stop: () => {},
    setLimit(ms, failure) {
      clearTimeout(timer);
      timer = setTimeout(() => watch.stop(failure()), ms);
    },
    reached() {
      clearTimeout(timer);
      hasReached = true;
      reached();
    },
    clear: () => clearTimeout(timer),
  };
  const seconds = connectMs / 1000;
  watch.setLimit(connectMs, () => new Failure('unreachable', `${target.place} could not be connected in ${seconds} s`));
  return watch;
}

/** What goes on to the connection is not in the types of a request. */
type Settings = RequestOptions & {
  readonly autoSelectFamilyAttemptTimeout: number;
  readonly rejectUnauthorized: true;
  readonly ca?: string[];
};

function open({ target, addresses, method, headers, body }: Asking, { authorities }: ExchangeOptions): ClientRequest {
  const settings: Settings = {
    method,
    headers: {
      'accept-encoding': 'gzip, deflate, br',
      'user-agent': 'Penstock',
      ...headers,
      ...lengthOf(method, body),
    },
    lookup: answerWith(addresses),
    autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
    // A connection of its own: none that was opened under other rules, and no proxy of the environment.
    agent: false,
    maxHeaderSize: LARGEST_HEAD_BYTES,
    rejectUnauthorized: true,
    ...(authorities && { ca: [...authorities] }),
  };
  return (target.url.protocol === 'https:' ? requestHttps : requestHttp)(target.url, settings);
}

function lengthOf(method: string, body: string | undefined): Readonly<Record<string, number>> {
  if (body !== undefined) return { 'content-length': Buffer.byteLength(body) };
  return ['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(method) ? {} : { 'content-length': 0 };
}

/** No second lookup: what a resolver would say by now has not been checked. */
function answerWith(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, options, callback) => {
    if (options.all) callback(null, found);
    else callback(null, found[0]!.address, found[0]!.family);
  };
}

function headOf(outgoing: ClientRequest, watch: Watch, { target, body }: Asking): Promise<IncomingMessage> {
  const connected = target.url.protocol === 'https:' ? 'secureConnect' : 'connect';
  return new Promise((resolve, reject) => {
    watch.stop = (failure) => void outgoing.destroy(failure);
    outgoing.on('socket', (socket) => {
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      socket.once(connected, () => watch.reached());
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    // E.g. an upgrade that nobody asked for: the connection ends without answer and without error.
    outgoing.on('close', () => reject(new Error('the connection was closed')));
    outgoing.end(body);
  });
}

function flatten(response: IncomingMessage): Readonly<Record<string, string>> {
  const entries = Object.entries(response.headersDistinct);
  return Object.fromEntries(entries.map(([name, values]) => [name, (values ?? []).join(', ')]));
}

function toFailure(thrown: unknown, { place, host }: Target, hasReached: boolean): Failure {
  if (thrown instanceof Failure) return thrown;
  const { code = '', message } = thrown as { code?: string; message: string };
  if (code === 'HPE_HEADER_OVERFLOW')
    return new Failure('too_large', `the head of the answer of ${place} is too large`);
  if (hasReached) {
    return new Failure('connection_lost', `the connection to ${place} broke off: ${message}`, { cause: thrown });
  }
  if (/CERT|SIGNATURE|CRL|ISSUER|HOSTNAME_MISMATCH/.test(code)) {
    const reason = `the certificate of ${place} does not prove that it is ${host}: ${code}`;
    return new Failure('configuration_invalid', reason, { cause: thrown });
  }
  return new Failure('unreachable', `${place} could not be reached: ${message}`, { cause: thrown });
}
