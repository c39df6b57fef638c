import type { World } from '../../../world.ts';
import type { Storage } from '../../storage/types.ts';
import { finishedName } from '../../storage/index.ts';
import { baseName, isOurFile } from './layout.ts';

/**
 * Removes a table: first what decides about it, then its files; files of others in its folder stay. A crash in between leaves either the whole table or files
 * that no manifest lists, which the next opening removes. True when there was a table.
 */
export async function dropParquetTable(
  { storage, world }: { storage: Storage; world: World },
  folder: string,
): Promise<boolean> {
  const manifest = `${folder}/_manifest.json`;
  const claims = await storage.list(`${folder}/_commits`);
  if (claims.length === 0 && (await storage.size(manifest)) === undefined) return false;
  for (const claim of claims) await storage.remove(claim);
  await storage.remove(manifest);
  world.reach('parquet.manifest-removed');
  await removeOurs(storage, folder);
  return true;
}

/** The folder as a whole when all in it is the table's; else only that: a folder may have been somebody's before. */
async function removeOurs(storage: Storage, folder: string): Promise<void> {
  const all = await storage.list(folder, { unfinished: true });
  const ours = all.filter((path) => isOfTable(path.slice(folder.length + 1).replaceAll('\\', '/')));
  if (ours.length === all.length) return storage.removeFolder(folder);
  for (const path of ours) await storage.remove(path);
}

/** Files of which the table's writer has made or begun. */
function isOfTable(relative: string): boolean {
  if (relative.startsWith('_staging/') || relative.startsWith('_commits/')) return true;
  const name = baseName(finishedName(relative));
  return name === '_manifest.json' || isOurFile(name);
}
