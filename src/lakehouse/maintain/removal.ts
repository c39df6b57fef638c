import type { UpkeepSession } from './types.ts';

/** Files being removed, counted. */
export interface Removal {
  readonly files: number;
  readonly bytes: number;
  /** Removes files below the table's location; others, which a foreign manifest may name, stay. */
  remove(paths: Iterable<string>): Promise<void>;
}

/** Files that are removed at the same time: on an object store each takes a round trip. */
const AT_A_TIME = 8;

/** `onRemoved` is called after each file. */
export function createRemoval({ options, committer }: UpkeepSession, onRemoved: () => void): Removal {
  const { storage, signal } = options;
  const { location } = committer.current.metadata;
  let files = 0;
  let bytes = 0;

  async function removeOne(path: string): Promise<void> {
    const size = await storage.size(path);
    if (size === undefined) return;
    await storage.remove(path);
    files += 1;
    bytes += size;
    onRemoved();
  }
  return {
    get files() {
      return files;
    },
    get bytes() {
      return bytes;
    },
    async remove(paths) {
      const own = [...paths].filter((path) => path.startsWith(`${location}/`) && !path.split('/').includes('..'));
      for (let start = 0; start < own.length; start += AT_A_TIME) {
        signal.throwIfAborted();
        await Promise.all(own.slice(start, start + AT_A_TIME).map(removeOne));
      }
    },
  };
}
