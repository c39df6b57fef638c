import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access, Role } from '../access/index.ts';
import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import { clientAddress, isSecure } from './address.ts';
import { readCookies, writeCookie } from './cookies.ts';
import { isForeignWrite, isFromForeignPage } from './origin.ts';

export const SESSION_COOKIE = 'olake-session';

const RANKS: Readonly<Record<Role, number>> = { viewer: 0, editor: 1, admin: 2 };
/** Refused credentials per address and minute after which the answer is `too_many_requests`. */
const MOST_REFUSALS = 600;
const MOST_ADDRESSES = 10_000;

type Hook = (request: FastifyRequest, reply?: FastifyReply) => Promise<void>;

/** Finds out who makes a request. The two hooks belong on `onRequest`, before a body is read. */
export interface Guard {
  /** Sets `request.principal`; null without a valid credential. */
  readonly identify: Hook;
  /** Sets `request.principal`, or fails with `unauthenticated`. */
  readonly authenticate: Hook;
  /**
   * Refuses requests that a page of another site caused: for open routes that write (else that page could sign its
   * visitor in as somebody else) and for a GET that does something.
   */
  readonly refuseForeignPage: Hook;
  /** Session cookie values of the request. */
  readonly cookiesOf: (request: FastifyRequest) => string[];
  /** Text of a `set-cookie` header that gives the session to the browser; '' and age 0 take it away. */
  readonly sessionCookie: (request: FastifyRequest, value: string, maxAgeSeconds: number) => string;
}

export function createGuard(options: {
  readonly access: Pick<Access, 'authenticate'>;
  readonly config: Pick<Config, 'corsOrigins' | 'publicUrl' | 'host'>;
}): Guard {
  const { access, config } = options;
  const refusals = countPerMinute();

  const sessionCookie: Guard['sessionCookie'] = (request, value, maxAgeSeconds) =>
    writeCookie({ name: SESSION_COOKIE, value, maxAgeSeconds, secure: isSecure(request, config) });

  const identify: Hook = async (request, reply) => {
    const cookies = readCookies(request.headers.cookie, SESSION_COOKIE);
    const tokens = readTokens(request);
    if (cookies.length === 0 && tokens.length === 0) return;
    if (!isForeignWrite(request, config)) {
      request.principal = await access.authenticate({ cookies, tokens });
      const seconds = request.principal?.prolongedSeconds;
      // The browser forgets the cookie at the time that it was told, however long the session lives here.
      if (reply && seconds !== undefined && cookies.length === 1) {
        reply.header('set-cookie', sessionCookie(request, cookies[0]!, seconds));
      }
      return;
    }
    request.principal = await access.authenticate({ cookies: [], tokens });
    if (request.principal === null && (await access.authenticate({ cookies, tokens: [] }))) {
      throw new Failure('forbidden', 'A page of another site may not write with your session.', {
        advice: 'Add its origin to PENSTOCK_CORS_ORIGINS, or send a token instead of the cookie.',
      });
    }
  };

  return {
    identify,
    async authenticate(request, reply) {
      await identify(request, reply);
      if (request.principal !== null) return;
      if (refusals(clientAddress(request, config)) > MOST_REFUSALS) {
        throw new Failure('too_many_requests', 'Too many requests without a valid credential from this address.');
      }
      throw new Failure('unauthenticated', 'Authentication required');
    },
    async refuseForeignPage(request) {
      if (!isFromForeignPage(request, config)) return;
      throw new Failure('forbidden', 'A page of another site may not do this with your browser.');
    },
    cookiesOf: (request) => readCookies(request.headers.cookie, SESSION_COOKIE),
    sessionCookie,
  };
}

/** A hook that lets through who has at least this role. It comes after the guard. */
export function requireRole(least: Role): Hook {
  return async ({ principal }) => {
    if (principal === null) throw new Failure('unauthenticated', 'Authentication required');
    if (RANKS[principal.role] < RANKS[least]) {
      throw new Failure('forbidden', `This needs the role ${least}; ${principal.username} is ${principal.role}.`);
    }
  };
}

function readTokens({ headers }: FastifyRequest): string[] {
  const tokens: string[] = [];
  const { authorization } = headers;
  if (authorization !== undefined && /^bearer /i.test(authorization)) tokens.push(authorization.slice(7).trim());
  for (const name of ['x-storageapi-token', 'auth-token']) {
    const value = headers[name];
    if (typeof value === 'string') tokens.push(value);
  }
  return tokens;
}

/** Counts per key in fixed minutes; the number of keys is bounded. */
function countPerMinute(): (key: string) => number {
  let counts = new Map<string, number>();
  let minute = 0;
  return (key) => {
    const now = Math.floor(performance.now() / 60_000);
    if (now !== minute || counts.size > MOST_ADDRESSES) counts = new Map();
    minute = now;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count;
  };
}
