import type { Config } from '../config.ts';
import { Failure } from '../errors.ts';
import type { Store } from '../store/index.ts';
import type { World } from '../world.ts';

/** Opens the store beside a running server, or starts the embedded database for as long as this process needs it. */
export async function openStoreBeside(config: Config, world: World): Promise<Store> {
  const { openStore } = await import('../store/index.ts');
  try {
    return await openStore(config, world);
  } catch (error) {
    // A running server owns the database: then this process is its guest.
    if (!(error instanceof Failure) || error.kind !== 'conflict') throw error;
    return openStore(config, world, { role: 'guest' });
  }
}
