import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import { createLocalStorage } from './local.ts';
import { isS3Path } from './s3-path.ts';
import type { S3Settings } from './s3-settings.ts';
import { createS3Storage } from './s3.ts';
import type { Storage } from './types.ts';

export interface StorageContext {
  readonly world: World;
  /** How `s3://` paths are reached; without it they are refused. */
  readonly s3?: S3Settings | undefined;
}

/** A storage for every path: `s3://` goes to S3, all else to the disks of this machine. */
export function createStorage({ world, s3 }: StorageContext): Storage {
  const local = createLocalStorage(world);
  const remote = s3 === undefined ? undefined : createS3Storage(world, s3);

  function pick(path: string): Storage {
    if (!isS3Path(path)) return local;
    if (remote !== undefined) return remote;
    throw new Failure('configuration_invalid', `"${path}" lies in S3, and this connection holds no settings for S3.`);
  }
  return {
    createFile: async (path) => pick(path).createFile(path),
    put: async (path, bytes, options) => pick(path).put(path, bytes, options),
    read: async (path) => pick(path).read(path),
    readRange: async (path, start, end) => pick(path).readRange(path, start, end),
    readStream: (path, options) => pick(path).readStream(path, options),
    size: async (path) => pick(path).size(path),
    async move(from, to) {
      const storage = pick(from);
      if (storage !== pick(to)) throw new Failure('internal', `"${from}" and "${to}" lie on different storages.`);
      return storage.move(from, to);
    },
    list: async (folder, options) => pick(folder).list(folder, options),
    walk: (folder, options) => pick(folder).walk(folder, options),
    remove: async (path) => pick(path).remove(path),
    removeFolder: async (path) => pick(path).removeFolder(path),
  };
}
