import type { Storage } from './types.ts';

/** Removes files that nothing names; what cannot be removed is left to a later recovery. */
export async function removeFiles(storage: Pick<Storage, 'remove'>, paths: readonly string[]): Promise<void> {
  for (const path of paths) await storage.remove(path).catch(() => undefined);
}
