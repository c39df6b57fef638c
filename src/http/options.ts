import type { Access } from '../access/index.ts';
import type { Config } from '../config.ts';
import type { Observe } from '../observe/index.ts';
import type { World } from '../world.ts';
import type { Face } from './types.ts';

export interface ServerOptions {
  readonly config: Config;
  readonly faces: readonly Face[];
  readonly access: Pick<Access, 'authenticate'>;
  readonly observe: Observe;
  readonly world: World;
  /** Throws while the server cannot do its work, e.g. without its database. */
  readonly checkReady?: () => Promise<void>;
  /** Prometheus text to add to `/metrics`. */
  readonly moreMetrics?: () => Promise<string>;
}
