import type { Config } from '../../config.ts';
import type { Attempt, StartResult } from '../../engine/index.ts';
import type { Storage, TableMetadata, TableName } from '../../lakehouse/index.ts';
import type { Outbound } from '../../outbound/index.ts';
import type { World } from '../../world.ts';
import type { ComponentSpec } from './types.ts';

/** Starts runs of sync jobs for a component; the sync room stands behind it. */
export interface Syncs {
  /**
   * Starts a sync or a clear of the job as a child of the attempt's run, once for all attempts of the task: a later one
   * gets the child of the former as `existing`. `busy` names the run that is in the way. `bad_request`, `not_found` and
   * `conflict` are the user's.
   */
  start(
    attempt: Attempt,
    ask: {
      readonly kind: 'sync' | 'clear';
      readonly projectId: string;
      readonly jobId: number;
      /** By `namespace.name` or by a name that is the only one; absent = all that are selected. */
      readonly streams?: readonly string[];
    },
  ): Promise<StartResult | { readonly outcome: 'busy'; readonly runId: string }>;
  /** Asks the attempt's own run to end as cancelled, because the run that it waited for was cancelled. */
  cancelAlike(attempt: Attempt): Promise<void>;
}

/** Opens SQL connections that people have defined as sources and destinations. */
export interface SqlConnections {
  /** Connector type and settings of a source or a destination, secrets in clear; `not_found` when there is none. */
  settings(kind: 'source' | 'destination', id: number): Promise<{ readonly type: string; readonly config: unknown }>;
}

/** The lakehouse tables of a project, for those that read them. */
export interface LakeTables {
  /** A table as it is now, and what reaches its files; undefined when the project has none of this name. */
  open(
    project: string,
    name: TableName,
  ): Promise<{ readonly metadata: TableMetadata; readonly storage: Storage } | undefined>;
}

/** What components are built with. */
export interface ComponentPorts {
  readonly config: Config;
  readonly world: World;
  readonly outbound: Outbound;
  readonly syncs: Syncs;
  readonly connections: SqlConnections;
  readonly lake: LakeTables;
}

/** What the index.ts of a component's folder exports as `component`. */
export type CreateComponent = (ports: ComponentPorts) => ComponentSpec;
