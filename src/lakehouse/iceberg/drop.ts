import type { TableName } from '../catalog/port.ts';
import type { TableCatalog } from '../catalog/tables.ts';
import type { World } from '../../world.ts';
import type { Storage } from '../storage/types.ts';

export interface DropTable {
  readonly storage: Storage;
  readonly catalog: TableCatalog;
  readonly world: World;
  readonly name: TableName;
  /** Where a table of this name lies when we made it; files elsewhere are not ours to remove. */
  readonly location: string;
}

/**
 * Removes the table from the catalog, then its files when they lie at the usual place. `kept` names the place of files
 * that stay. A table that does not exist is no error; files that a kill in between leaves go with the next drop, or when
 * the next table is made there.
 */
export async function dropIcebergTable(
  options: DropTable,
): Promise<{ readonly dropped: boolean; readonly kept?: string }> {
  const { storage, catalog, name, world } = options;
  if (!(await catalog.exists(name))) return { dropped: await finishDrop(storage, options.location) };
  const location = await readLocation(options);
  const isUsual = location === undefined || location === options.location;
  if (isUsual) await storage.put(dropMarker(options.location), Buffer.alloc(0));
  world.reach('iceberg.drop-announced');
  const dropped = await catalog.drop(name);
  world.reach('iceberg.dropped');
  if (!dropped) return { dropped };
  if (!isUsual) return { dropped, kept: location };
  await removeOurs(storage, options.location);
  return { dropped: true };
}

/** A table whose metadata cannot be read any more can still be dropped. */
async function readLocation(options: DropTable): Promise<string | undefined> {
  try {
    return (await options.catalog.load(options.name))?.metadata.location;
  } catch {
    return undefined;
  }
}

const dropMarker = (location: string): string => `${location}/metadata/penstock.dropped`;

/**
 * Removes the files of a table whose drop was cut short; false when there was none. Call only while the catalog knows no
 * table of the name.
 */
export async function finishDrop(storage: Storage, location: string): Promise<boolean> {
  if ((await storage.size(dropMarker(location))) === undefined) return false;
  await removeOurs(storage, location);
  return true;
}

/** The two folders of a table, and what they lie in when nothing else is there: it may have been somebody's before. */
async function removeOurs(storage: Storage, location: string): Promise<void> {
  const folders = [`${location}/data`, `${location}/metadata`];
  const all = await storage.list(location);
  const isOurs = (path: string): boolean => folders.some((folder) => path.startsWith(`${folder}/`));
  if (all.every(isOurs)) return storage.removeFolder(location);
  for (const folder of folders) await storage.removeFolder(folder);
}

/** Forgets a drop that was cut short before the catalog had it: the table is in use again. */
export async function cancelDrop(storage: Storage, location: string): Promise<void> {
  await storage.remove(dropMarker(location));
}
