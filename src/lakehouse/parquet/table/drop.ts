import type { World } from '../../../world.ts';
import type { Storage } from '../../storage/types.ts';

/**
 * Removes a table: first what decides about it, then its files. A crash in between leaves either the whole table or files
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
  await storage.removeFolder(folder);
  return true;
}
