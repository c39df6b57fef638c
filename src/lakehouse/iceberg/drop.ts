import type { CatalogPort, TableName } from '../catalog/port.ts';
import type { Storage } from '../storage/types.ts';
import { loadTable } from './committer.ts';

export interface DropTable {
  readonly storage: Storage;
  readonly catalog: CatalogPort;
  readonly name: TableName;
  /** Where a table of this name lies when we made it; files elsewhere are not ours to remove. */
  readonly location: string;
}

/**
 * Removes the table from the catalog, then its files when they lie at the usual place. `kept` names the place of files
 * that stay. A table that does not exist is no error; a kill in between leaves files that the next table there ignores.
 */
export async function dropIcebergTable(
  options: DropTable,
): Promise<{ readonly dropped: boolean; readonly kept?: string }> {
  const { storage, catalog, name } = options;
  const location = await readLocation(options);
  if (!(await catalog.drop(name))) return { dropped: false };
  if (location !== undefined && location !== options.location) return { dropped: true, kept: location };
  await storage.removeFolder(options.location);
  return { dropped: true };
}

/** A table whose metadata cannot be read any more can still be dropped. */
async function readLocation(options: DropTable): Promise<string | undefined> {
  try {
    return (await loadTable(options))?.metadata.location;
  } catch {
    return undefined;
  }
}
