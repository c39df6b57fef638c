import type { Access, Secrets } from '../access/index.ts';
import type { StorageTokens } from '../access/index.ts';
import type { ComponentSpec } from '../components/kit/index.ts';
import type { Config } from '../config.ts';
import type { Engine } from '../engine/index.ts';
import type { Observe } from '../observe/index.ts';
import type { Outbound } from '../outbound/index.ts';
import type { Scheduler } from '../schedule/index.ts';
import type { Store } from '../store/index.ts';
import type { World } from '../world.ts';
import type { CallComponent } from './protocol/types.ts';
import type { Messages } from './types.ts';

/** What the room needs from others. Every part of it takes these, and the parts that it builds on. */
export interface OrchestrateRooms {
  readonly config: Config;
  readonly world: World;
  readonly store: Store;
  readonly engine: Engine;
  readonly tokens: StorageTokens;
  readonly secrets: Secrets;
  readonly audit: Access['audit'];
  readonly scheduler: Scheduler;
  readonly outbound: Outbound;
  readonly components: readonly ComponentSpec[];
  readonly messages: Messages;
  readonly log?: Observe['log'];
  /** Origins under which this server is reached: a task that calls one of them never leaves the process. */
  readonly ownOrigins: () => readonly string[];
  /** Of this product: what it calls itself when it calls others. */
  readonly version: string;
  /** Length of a minute of a task's time limit, in milliseconds; only tests shorten it. */
  readonly minuteMs?: number;
  /** How components elsewhere are called, instead of the protocol over `outbound`; for tests. */
  readonly callComponent?: CallComponent;
}
