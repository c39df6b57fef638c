import { dirname } from 'node:path';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import { createLocalStorage, localPath } from './local.ts';
import { isS3Path } from './s3-path.ts';
import type { S3Settings } from './s3-settings.ts';
import { createS3Storage } from './s3.ts';
import type { Storage } from './types.ts';

export interface StorageContext {
  readonly world: World;
  /** How `s3://` paths are reached; without it they are refused. */
  readonly s3?: S3Settings | undefined;
  /**
   * Throws for a local path that may not be used. Asked for every file: metadata that others wrote names files anywhere.
   */
  readonly allowLocal?: (path: string) => void;
}

/** So many folders are known to be allowed before they are asked for anew. */
const MOST_FOLDERS = 1000;

/** A storage for every path: `s3://` goes to S3, all else to the disks of this machine. */
export function createStorage({ world, s3, allowLocal }: StorageContext): Storage {
  const local = createLocalStorage(world);
  const remote = s3 === undefined ? undefined : createS3Storage(world, s3);

  const allowed = new Set<string>();

  function check(path: string): void {
    const folder = dirname(path);
    if (!allowLocal || allowed.has(folder)) return;
    allowLocal(path);
    if (allowed.size >= MOST_FOLDERS) allowed.clear();
    allowed.add(folder);
  }
  function pick(path: string): Storage {
    if (!isS3Path(path)) {
      check(localPath(path));
      return local;
    }
    if (remote !== undefined) return remote;
    throw new Failure('configuration_invalid', `"${path}" lies in S3, and this connection holds no settings for S3.`);
  }
  /** For what lies in the folder. */
  const pickFor = (folder: string): Storage => pick(`${folder}/file`);
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
    list: async (folder, options) => pickFor(folder).list(folder, options),
    walk: (folder, options) => pickFor(folder).walk(folder, options),
    remove: async (path) => pick(path).remove(path),
    removeFolder: async (folder) => pickFor(folder).removeFolder(folder),
  };
}
