import type { Config } from '../../config.ts';
import type { Attempt, StartResult } from '../../engine/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import type { World } from '../../world.ts';
import type { ComponentSpec } from './types.ts';

/** Starts syncs for a component; the sync room stands behind it. */
export interface Syncs {
  /**
   * Starts a sync of the job as a child of the attempt's run, found again by a later attempt; `busy` names the run that
   * is in the way. `bad_request`, `not_found` and `conflict` are the user's.
   */
  start(
    attempt: Attempt,
    ask: {
      readonly projectId: string;
      readonly jobId: number;
      readonly streams?: readonly string[];
      readonly clearDestination?: boolean;
    },
  ): Promise<StartResult | { readonly outcome: 'busy'; readonly runId: string }>;
}

/** Opens SQL connections that people have defined as sources and destinations. */
export interface SqlConnections {
  /** Settings of a source of the connector types that speak SQL, secrets in clear; `not_found` else. */
  settings(kind: 'source' | 'destination', id: number): Promise<{ readonly type: string; readonly config: unknown }>;
}

/** What components are built with. */
export interface ComponentPorts {
  readonly config: Config;
  readonly world: World;
  readonly outbound: Outbound;
  readonly syncs: Syncs;
  readonly connections: SqlConnections;
}

/** What the index.ts of a component's folder exports as `component`. */
export type CreateComponent = (ports: ComponentPorts) => ComponentSpec;
