import { isIP } from 'node:net';
import { Failure } from '../errors.ts';
import type { FailureKind } from '../errors.ts';

const LONGEST_URL = 2048;

/** Where a call goes, as the URL parser understood it. */
export interface Target {
  readonly url: URL;
  /** Lower case, without brackets. */
  readonly host: string;
  /** The IP address that the host is; undefined when it is a name. */
  readonly address: string | undefined;
  /** `host:port`, always with the port, IPv6 in brackets. */
  readonly place: string;
  /** Whether the host was written as the parser writes it: `0x7f.1` is not. */
  readonly isAsWritten: boolean;
}

/** Reads a URL for HTTP; a failure of this kind names what is wrong with it, and never the URL itself. */
export function readTarget(text: string, kind: FailureKind): Target {
  const refuse = (reason: string): Failure => new Failure(kind, reason);
  if (text.length > LONGEST_URL) throw refuse(`a URL has at most ${LONGEST_URL} characters`);
  // The parser would drop some of them silently: what people see would not be what is called.
  if (/\p{Cc}/u.test(text)) throw refuse('a URL has no control characters');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw refuse('this is no URL that begins with https://');
  }
  if (url.href.length > LONGEST_URL) throw refuse(`a URL has at most ${LONGEST_URL} characters`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    url,
    host,
    address: isIP(host) === 0 ? undefined : host,
    place: `${url.hostname}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`,
    isAsWritten: writtenHost(text) === url.hostname,
  };
}

/** Throws a failure of this kind when the URL holds more than an address: a user name, a password, a fragment. */
export function checkBare({ url }: Target, kind: FailureKind): void {
  if (url.username !== '' || url.password !== '') {
    throw new Failure(kind, 'a URL must not hold a user name or password');
  }
  if (url.href.includes('#')) throw new Failure(kind, 'a URL must not have a fragment (#…)');
}

/** `localhost` and the names below it stand for this machine, whatever a resolver says. */
export function isLocalName(host: string): boolean {
  return /(^|\.)localhost\.*$/.test(host);
}

/** The host as it stands in the text, lower case. */
function writtenHost(text: string): string | undefined {
  const [, authority = ''] = /^\s*https?:[/\\]*([^/\\?#]*)/i.exec(text) ?? [];
  return /^(\[[^\]]*\]|[^:]*)/.exec(authority.toLowerCase())?.[1];
}
