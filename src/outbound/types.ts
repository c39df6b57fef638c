/** How far an address is trusted: `trusted` gets the full run token, `allowed` a restricted one. */
export type Trust = 'trusted' | 'allowed';

export interface OutboundCall {
  readonly url: string;
  readonly method: string;
  /** Not those that frame the message or the connection (`host`, `content-length`, …): they are refused. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole call: waiting for a free connection, resolving, connecting, redirects, the last byte. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Answers a redirect as it is. */
  readonly keepsRedirects?: true;
  /** Ends with the head of the answer; the body of the answer is empty then, whatever its size was. */
  readonly ignoresBody?: true;
}

export interface OutboundAnswer {
  readonly status: number;
  /** Lower-case names; several values of one name are joined with commas. */
  readonly headers: Readonly<Record<string, string>>;
  /** At most 1 MiB, decompressed. */
  readonly body: Buffer;
  /** After redirects. */
  readonly url: string;
}

/** The one guarded HTTP client (keboola contract, section 10). */
export interface Outbound {
  /**
   * Syntax only, as when something is saved: answers the normalised URL; throws `bad_request` with the rule it breaks. An
   * address of this server passes with `mayBeOwn`, for what is then done here and not requested.
   */
  checkUrl(text: string, options?: { readonly mayBeOwn?: boolean }): string;
  /** Whether and how far a URL may be called; throws `configuration_invalid` naming the rule that refuses it. */
  trustOf(url: string): Trust;
  /**
   * Resolves the name, checks every address, connects to the one that was checked. Of the redirects it follows, at most
   * three, 307, 308 and 303 to the same origin. Throws
   * - `configuration_invalid` for a refusal: the address (no connection is attempted), the redirect, the certificate;
   * - `bad_request` for a header or method that cannot be sent;
   * - `unreachable` when nothing reached the host: unknown name, refused, no route, no connection within 10 s;
   * - `too_many_requests` when all connections to the host were taken until the time was over: nothing reached it either;
   * - `connection_lost` when it was reached and no whole answer came back; `timed_out` when that took too long;
   * - `too_large`; `cancelled` when the signal aborted.
   */
  request(call: OutboundCall): Promise<OutboundAnswer>;
}

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** Section 19; only tests give others. */
export interface Limits {
  readonly connectMs: number;
  /** From the head of an answer to its last byte. */
  readonly bodyMs: number;
  /** Of an answer as it travels, and decompressed. */
  readonly answerBytes: number;
  readonly connectionsPerHost: number;
  readonly redirects: number;
}

export interface ConnectionOptions {
  /** The system's own way when absent. */
  readonly resolve?: Resolve;
  readonly limits?: Partial<Limits>;
  /** Certificates of authorities, PEM, instead of those that the system trusts. */
  readonly authorities?: readonly string[];
}
