import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import { newId } from '../../world.ts';
import { storageFailure } from './failure.ts';
import { localPath } from './local.ts';
import { isS3Path } from './s3-path.ts';
import type { Storage } from './types.ts';

/**
 * Writes, reads back and removes a small file below the folder; nothing remains. With `conditional`, a store that ignores
 * conditional writes is refused, too.
 */
export async function probeStorage(
  { storage, world }: { readonly storage: Storage; readonly world: World },
  folder: string,
  { conditional = false } = {},
): Promise<void> {
  if (!isS3Path(folder)) return probeLocalFolder(world, folder);
  const path = `${folder.replace(/\/+$/, '')}/.${newId(world, 'probe')}`;
  const bytes = world.random(64);
  try {
    await storage.put(path, bytes, { ifAbsent: conditional });
    const found = await storage.read(path);
    if (found === undefined || !bytes.equals(found)) {
      throw new Failure('storage_failed', `The store gave back other bytes than were written to "${folder}".`);
    }
    // A listing shows whether the keys may list; it ends with its first page.
    for await (const file of storage.walk(folder)) if (file.bytes >= 0) break;
  } finally {
    await storage.remove(path).catch(() => {}); // What made this fail has been told above.
  }
}

/** Writes, reads back and removes a small file in a local folder. Nothing remains, also no folder that it had to make. */
export async function probeLocalFolder(world: World, location: string): Promise<void> {
  const folder = localPath(location);
  const path = join(folder, `.${newId(world, 'probe')}`);
  const bytes = world.random(64);
  let firstMade: string | undefined;
  try {
    firstMade = await mkdir(folder, { recursive: true });
    await writeFile(path, bytes, { flag: 'wx', flush: true });
    if (!bytes.equals(await readFile(path))) {
      throw new Failure('storage_failed', `The folder "${folder}" gave back other bytes than were written.`);
    }
  } catch (error) {
    throw storageFailure(error, folder);
  } finally {
    await rm(path, { force: true }).catch(() => {}); // What made this fail has been told above.
    if (firstMade !== undefined) await removeEmpty(folder, firstMade);
  }
}

/** Removes the folders from the deepest up to `first`, as long as they are empty. */
async function removeEmpty(deepest: string, first: string): Promise<void> {
  for (let folder = deepest; folder.length >= first.length; folder = dirname(folder)) {
    try {
      await rmdir(folder);
    } catch {
      return; // Somebody has put something there in the meantime; it is theirs now.
    }
  }
}
