import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import { createStorage } from '../../storage/route.ts';
import type { S3Settings } from '../../storage/s3-settings.ts';
import type { Storage } from '../../storage/types.ts';

export interface VendedOptions {
  readonly world: World;
  /** What the connection itself says of the store; the catalog's word comes before it. */
  readonly s3: S3Settings;
  /** Throws for a local path that may not be used. */
  readonly allowLocal: (path: string) => void;
  /** What the catalog gives for the table's files; undefined while there is no table. */
  readonly load: () => Promise<Readonly<Record<string, string>> | undefined>;
}

/** Credentials without an end are asked for again after this time. */
const LIFE_MS = 15 * 60_000;
/** Before their end, so that a long request still fits. */
const EARLY_MS = 5 * 60_000;

/**
 * Files of one table by the credentials that its catalog lends. Before the table is made there are none: nothing is
 * found then, and small files wait in memory for the first call after, which no data file precedes.
 */
export function createVendedStorage(options: VendedOptions): Storage {
  const waiting = new Map<string, Uint8Array>();
  let current: { readonly storage: Storage; readonly until: number } | undefined;

  async function renew(): Promise<Storage | undefined> {
    const settings = await options.load();
    if (!settings) return undefined;
    const storage = createStorage({ ...options, s3: readSettings(options.s3, settings) });
    const now = options.world.now().getTime();
    const end = Number(settings['s3.session-token-expires-at-ms'] ?? Number.NaN);
    const until = Number.isFinite(end) ? Math.max(end - EARLY_MS, now + 1000) : now + LIFE_MS;
    current = { storage, until };
    for (const [path, bytes] of waiting) {
      await storage.put(path, bytes);
      waiting.delete(path);
    }
    return storage;
  }
  const find = async (): Promise<Storage | undefined> => {
    if (current && current.until > options.world.now().getTime()) return current.storage;
    return renew();
  };
  const need = async (path: string): Promise<Storage> => {
    const storage = await find();
    if (storage) return storage;
    throw new Failure('storage_failed', `The catalog lends no credentials for ${path}: it has no such table.`);
  };

  return {
    createFile: async (path) => (await need(path)).createFile(path),
    async put(path, bytes, more) {
      const storage = await find();
      if (storage) return storage.put(path, bytes, more);
      if (more?.ifAbsent && waiting.has(path)) return false;
      waiting.set(path, bytes);
      return true;
    },
    read: async (path) => {
      const bytes = waiting.get(path);
      return bytes ? Buffer.from(bytes) : (await find())?.read(path);
    },
    readRange: async (path, start, end) => (await need(path)).readRange(path, start, end),
    async *readStream(path, more) {
      yield* (await need(path)).readStream(path, more);
    },
    size: async (path) => waiting.get(path)?.length ?? (await find())?.size(path),
    move: async (from, to) => (await need(from)).move(from, to),
    list: async (folder, more) => (await find())?.list(folder, more) ?? [],
    async *walk(folder, more) {
      const storage = await find();
      if (storage) yield* storage.walk(folder, more);
    },
    async remove(path) {
      waiting.delete(path);
      await (await find())?.remove(path);
    },
    removeFolder: async (path) => (await find())?.removeFolder(path),
  };
}

/** Keys of table settings as the protocol's configuration properties name them. */
function readSettings(own: S3Settings, given: Readonly<Record<string, string>>): S3Settings {
  const region = given['client.region'] ?? given['s3.region'] ?? own.region;
  const endpoint = given['s3.endpoint'] ?? own.endpoint;
  const pathStyle = given['s3.path-style-access'];
  return {
    ...own,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(pathStyle !== undefined && { pathStyle: pathStyle === 'true' }),
    ...(given['s3.access-key-id'] !== undefined && {
      accessKey: given['s3.access-key-id'],
      secretKey: given['s3.secret-access-key'] ?? '',
      sessionToken: given['s3.session-token'] ?? '',
    }),
  };
}
