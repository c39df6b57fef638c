import type { Config } from '../config.ts';
import type { World } from '../world.ts';
import { connectStore } from './connect.ts';
import { connectEmbedded, startEmbeddedPostgres } from './embedded/index.ts';
import { migrate, readMigrations } from './migrate.ts';
import type { Store } from './types.ts';

export interface OpenOptions {
  /** `owner` (default) starts or adopts the embedded server and stops it on close; `guest` uses the one that runs. */
  readonly role?: 'owner' | 'guest';
  /** Default true. Every process may: it is idempotent and locked. */
  readonly migrate?: boolean;
  readonly log?: (message: string) => void;
}

interface Located {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/**
 * Opens the database of the configuration: `databaseUrl`, or the embedded one in the data folder. It is migrated when
 * this returns. Throws `configuration_invalid`, `credentials_refused`, `unreachable` or `conflict` with the remedy.
 */
export async function openStore(
  config: Pick<Config, 'databaseUrl' | 'dataDir' | 'pgBin'>,
  world: World,
  options: OpenOptions = {},
): Promise<Store> {
  const located = await locate(config, world, options);
  try {
    const store = await connectStore({ url: located.url, world, log: options.log, onClose: located.stop });
    if (options.migrate ?? true) await migrateOrClose(store);
    return store;
  } catch (error) {
    await located.stop();
    throw error;
  }
}

async function migrateOrClose(store: Store): Promise<void> {
  try {
    await migrate(store.pool, await readMigrations());
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function locate(
  config: Pick<Config, 'databaseUrl' | 'dataDir' | 'pgBin'>,
  world: World,
  options: OpenOptions,
): Promise<Located> {
  const nothing = async (): Promise<void> => undefined;
  if (config.databaseUrl !== null) return { url: config.databaseUrl, stop: nothing };
  if (options.role === 'guest') return { url: (await connectEmbedded(config.dataDir)).url, stop: nothing };
  const server = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    world,
    ...(config.pgBin === null ? {} : { binaries: { folder: config.pgBin } }),
    ...(options.log ? { log: options.log } : {}),
  });
  return { url: server.url, stop: () => server.stop() };
}
