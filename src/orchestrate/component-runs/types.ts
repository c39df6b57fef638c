import type { ComponentSpec, Parameters } from '../../components/kit/index.ts';
import type { FailureRecord } from '../../errors.ts';
import type { RunView } from '../../engine/index.ts';
import type { Scope, TaskEnd } from '../types.ts';

/** The words of this face for the life of a run (6). */
export type StatusWord = 'waiting' | 'processing' | 'terminating' | TaskEnd['status'];

/** Who a token is, for people. */
export interface TokenName {
  readonly id: number;
  readonly description: string;
}

/** One run as the queue shows it (5.6): of a component, of an orchestration, or of another face. */
export interface QueueRun {
  readonly run: RunView;
  /** Id of the component it counts as. */
  readonly component: string;
  /** The saved configuration that it runs, if it names one. */
  readonly config: string | null;
  /** Secrets masked. */
  readonly parameters: Parameters;
  /** Null until it has succeeded. */
  readonly result: unknown;
  readonly error: FailureRecord | null;
  /** The token under whose rights it runs; id 0 when another face started it. */
  readonly token: TokenName;
  /** Who ended it, or asked for it while it goes on; null when nobody did. Id 0 when it was no token. */
  readonly terminatedBy: TokenName | null;
}

/** A component as it is offered. */
export interface ComponentListing {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly schema: ComponentSpec['schema'];
  /** Why it is switched off; null when it can be started. */
  readonly isOffBecause: string | null;
}

export interface QueuePage {
  readonly runs: readonly QueueRun[];
  readonly total: number;
}

/** Input of the one task of a component run. */
export interface ComponentInput {
  /** Secrets masked: what people see. */
  readonly parameters: Parameters;
  /** All parameters in clear as JSON, sealed; null when they hold no secret. */
  readonly sealed: string | null;
  readonly tokenId: number;
}

/** Runs of components, and the queue of all runs (4.9, 4.10). */
export interface ComponentRuns {
  list(): readonly ComponentListing[];
  /**
   * Starts one. `envelope`: the body of `/docker/{component}/run`; else of `/components/{id}/run`. Throws `not_found` for
   * an unknown component, `bad_request` for one that is switched off and for wrong parameters, `forbidden` when the
   * token must not use it. `orchestrator` starts a job.
   */
  start(scope: Scope, ask: ComponentAsk): Promise<QueueRun>;
  /** Throws `not_found`. */
  get(number: number): Promise<QueueRun>;
  /** Newest first, those of other faces included; `filter` in the language of 4.9. */
  queue(ask: { readonly filter: string; readonly limit: number; readonly offset: number }): Promise<QueuePage>;
  /**
   * Asks a run to end: one that has not begun is cancelled at once, one that runs ends within 40 s. `conflict` when it
   * has ended.
   */
  kill(scope: Scope, number: number): Promise<QueueRun>;
}

export interface ComponentAsk {
  readonly component: string;
  readonly envelope: boolean;
  readonly body: Readonly<Record<string, unknown>>;
  /** Of the request, without its mount: to it an idempotency key belongs. */
  readonly path: string;
}
