import { Failure, toFailure } from '../../errors.ts';
import { readHeaders } from '../../outbound/index.ts';
import type { Parameters } from '../kit/index.ts';

interface Auth {
  readonly type?: 'bearer' | 'basic';
  readonly '#token'?: string;
  readonly user?: string;
  readonly '#password'?: string;
}

export interface Expectation {
  readonly status?: number | readonly number[];
  readonly path?: string;
  readonly equals?: unknown;
}

/** The parameters of one call, ready to be sent. */
export interface Ask {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly expect: Expectation;
  readonly timeoutMs: number;
}

const DEFAULT_SECONDS = 30;

/** Reads what the schema has let through; throws `bad_request` naming the parameter, never its value. */
export function readAsk(parameters: Parameters): Ask {
  const { url, method = 'GET', body, expect = {}, timeoutSeconds = DEFAULT_SECONDS } = parameters;
  const isJson = typeof body === 'object';
  const given = withoutMarks((parameters['headers'] ?? {}) as Record<string, string>);
  const headers = checked({ ...(isJson && { 'content-type': 'application/json' }), ...given });
  const authorization = readAuth(parameters['auth'] as Auth | undefined);
  if (authorization !== undefined && Object.hasOwn(headers, 'authorization')) {
    throw new Failure('bad_request', "Parameter 'auth' and a header authorization exclude each other");
  }
  return {
    url: url as string,
    method: method as string,
    headers: checked({ ...headers, ...(authorization !== undefined && { authorization }) }),
    body: isJson ? JSON.stringify(body) : (body as string | undefined),
    expect: expect as Expectation,
    timeoutMs: (timeoutSeconds as number) * 1000,
  };
}

function withoutMarks(headers: Readonly<Record<string, string>>): Record<string, string> {
  const read: Record<string, string> = {};
  for (const [marked, value] of Object.entries(headers)) {
    const name = marked.replace(/^#/, '').toLowerCase();
    if (Object.hasOwn(read, name))
      throw new Failure('bad_request', `Parameter 'headers': header ${name} is given twice`);
    Object.defineProperty(read, name, { value, enumerable: true });
  }
  return read;
}

function checked(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  try {
    return readHeaders(headers);
  } catch (thrown) {
    throw new Failure('bad_request', `Parameter 'headers': ${toFailure(thrown).message}`);
  }
}

function readAuth(auth: Auth | undefined): string | undefined {
  if (auth === undefined) return undefined;
  const { type, user, '#token': token, '#password': password } = auth;
  if (type === undefined) throw new Failure('bad_request', "Parameter 'auth.type' is required");
  const needed = { bearer: { '#token': token }, basic: { user, '#password': password } }[type];
  for (const [name, value] of Object.entries(needed)) {
    if (value === undefined) throw new Failure('bad_request', `Parameter 'auth.${name}' is required for ${type}`);
  }
  if (type === 'bearer') return `Bearer ${token}`;
  if (user!.includes(':')) throw new Failure('bad_request', "Parameter 'auth.user' must not contain a colon");
  return `Basic ${basicOf(user!, password!)}`;
}

/** What a basic authorization looks like on the wire. */
export function basicOf(user: string, password: string): string {
  return Buffer.from(`${user}:${password}`).toString('base64');
}
