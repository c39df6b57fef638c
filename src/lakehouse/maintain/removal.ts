import type { UpkeepSession } from './types.ts';

/** Files being removed, counted. */
export interface Removal {
  readonly files: number;
  readonly bytes: number;
  /** Removes files below the table's location; others, which a foreign manifest may name, stay. */
  remove(paths: Iterable<string>): Promise<void>;
}

export function createRemoval({ options, committer }: UpkeepSession, point: string): Removal {
  const { storage, world, signal } = options;
  const { location } = committer.current.metadata;
  let files = 0;
  let bytes = 0;
  return {
    get files() {
      return files;
    },
    get bytes() {
      return bytes;
    },
    async remove(paths) {
      for (const path of paths) {
        if (!path.startsWith(`${location}/`) || path.split('/').includes('..')) continue;
        signal.throwIfAborted();
        const size = await storage.size(path);
        if (size === undefined) continue;
        await storage.remove(path);
        files += 1;
        bytes += size;
        world.reach(point);
      }
    },
  };
}
