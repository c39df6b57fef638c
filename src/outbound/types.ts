/** How far an address is trusted: `own` and `trusted` get the full run token, `allowed` a restricted one. */
export type Trust = 'trusted' | 'allowed';

export interface OutboundCall {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole call with its redirects. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface OutboundAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** At most 1 MiB, decompressed. */
  readonly body: Buffer;
  /** After redirects. */
  readonly url: string;
}

/** The one guarded HTTP client (keboola contract, section 10). */
export interface Outbound {
  /** Syntax only, as when something is saved: answers the normalised URL; throws `bad_request` with the rule it breaks. */
  checkUrl(text: string): string;
  /** Whether and how far a URL may be called; throws `configuration_invalid` naming the rule that refuses it. */
  trustOf(url: string): Trust;
  /**
   * Resolves the name, checks every address, connects to the one that was checked. Throws `configuration_invalid` for a
   * refusal (no connection is attempted), `unreachable` when nothing reached the host (refused, no route, unknown name),
   * `connection_lost` when the answer broke off, `timed_out`, `too_large`, `cancelled`.
   */
  request(call: OutboundCall): Promise<OutboundAnswer>;
}
