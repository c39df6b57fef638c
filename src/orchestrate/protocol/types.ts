import type { LogEntry } from '../../engine/index.ts';
import type { TaskEnd } from '../types.ts';

/** One call of a component elsewhere (keboola contract, section 8), from its start to its end. */
export interface ComponentRequest {
  /** Already known to be allowed (`Outbound.trustOf`). */
  readonly url: string;
  /** `actionParameters`, secrets in clear. */
  readonly body: unknown;
  /** Token, run id, idempotency key, user agent: sent with every request of this call, polls and kills included. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * `cancelled` or `timed_out` as its reason: the foreign job is killed (best effort) and its end awaited for at most
   * 30 s, then the reason is thrown. Any other reason: nothing is killed, a later attempt goes on; thrown at once.
   */
  readonly signal: AbortSignal;
  /** What the last attempt remembered; null when this is the first. */
  readonly memo: unknown;
  /**
   * Keeps a JSON value for the next attempt: before each start request, after the answer of one, with the address to
   * poll. A next attempt that finds a start request in flight throws `worker_lost`: `Interrupted by a server restart`.
   */
  remember(memo: unknown): Promise<void>;
  /** Events for people: a wait for maintenance, the job that was started there. Never a body, never a header. */
  log(level: LogEntry['level'], message: string): void;
  /** A copy of what the component answered without the secrets that it was sent: before it is kept. */
  conceal?<Value>(answered: Value): Value;
  /** Told of the body of every answer, parsed: what a timeout shows as `lastResponse`. */
  answered?(body: unknown): void;
}

/** How it ended there; the response is the last body. */
export type ComponentAnswer = Pick<TaskEnd, 'status' | 'response'>;

/**
 * Starts, polls and, if asked to, kills. Answers also failures that the other side told of or that the protocol forbids
 * (`error` with `{status: 'error', message}`, or the component's own body); throws only the signal's reason, and
 * `worker_lost` as above.
 */
export type CallComponent = (request: ComponentRequest) => Promise<ComponentAnswer>;
