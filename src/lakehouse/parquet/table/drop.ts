import type { World } from '../../../world.ts';
import type { Storage } from '../../storage/types.ts';
import { finishedName } from '../../storage/index.ts';
import { baseName, isOurFile } from './layout.ts';

/**
 * Removes a table: first what decides about it, then its files; files of others in its folder stay. A crash in between
 * leaves either the whole table or files that no manifest lists: the next drop removes them, or the next opening. True when
 * there was anything of a table.
 */
export async function dropParquetTable(
  { storage, world }: { storage: Storage; world: World },
  folder: string,
): Promise<boolean> {
  const manifest = `${folder}/_manifest.json`;
  const claims = await storage.list(`${folder}/_commits`);
  const isTable = claims.length > 0 || (await storage.size(manifest)) !== undefined;
  if (isTable) {
    for (const claim of claims) await storage.remove(claim);
    await storage.remove(manifest);
    world.reach('parquet.manifest-removed');
  }
  return removeOurs(storage, folder, isTable);
}

/** The folder as a whole when all in it is the table's; else only that: a folder may have been somebody's before. */
async function removeOurs(storage: Storage, folder: string, wasTable: boolean): Promise<boolean> {
  const all = await storage.list(folder, { unfinished: true });
  const ours = all.filter((path) => isOfTable(path.slice(folder.length + 1).replaceAll('\\', '/')));
  if (ours.length === 0 && !wasTable) return false;
  if (ours.length === all.length) await storage.removeFolder(folder);
  else for (const path of ours) await storage.remove(path);
  return true;
}

/** Files of which the table's writer has made or begun. */
function isOfTable(relative: string): boolean {
  if (relative.startsWith('_staging/') || relative.startsWith('_commits/')) return true;
  const name = baseName(finishedName(relative));
  return name === '_manifest.json' || isOurFile(name);
}
