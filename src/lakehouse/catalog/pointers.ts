import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import type { MetadataVersion } from '../iceberg/metadata.ts';
import { formatMetadata, parseMetadata, succeed } from '../iceberg/metadata.ts';
import { metadataVersion } from '../iceberg/names.ts';
import type { Storage } from '../storage/types.ts';
import { removeFiles } from '../storage/remove.ts';
import type { CatalogPort, TableName } from './port.ts';
import type { TableCatalog, TableCommit } from './tables.ts';
import { unknownOutcome } from './tables.ts';

export interface PointerPorts {
  readonly storage: Storage;
  readonly world: World;
  /** Names the metadata file of each table. */
  readonly catalog: CatalogPort;
}

/** Tables of a catalog that swaps the names of metadata files: a commit writes the next file, then swaps. */
export function createPointerTables(ports: PointerPorts): TableCatalog {
  const { catalog } = ports;
  return {
    fencedBy: 'commit',
    load: (name) => loadTable({ ...ports, name }),
    exists: async (name) => (await catalog.load(name)) !== undefined,
    commit: (name, commit) => commitByPointer(ports, name, commit),
    drop: (name) => catalog.drop(name),
    list: (database) => catalog.list(database),
  };
}

async function commitByPointer(
  ports: PointerPorts,
  name: TableName,
  commit: TableCommit,
): Promise<MetadataVersion | undefined> {
  const { storage, world } = ports;
  const { base, next, now } = commit;
  const { metadata, forgotten } = base ? succeed(base, next, now) : { metadata: next, forgotten: [] };
  const location = commit.file(base ? metadataVersion(base.location) + 1 : 0);
  await storage.put(location, formatMetadata(metadata));
  world.reach('iceberg.metadata-written');
  try {
    await commit.guard();
  } catch (error) {
    await removeFiles(storage, [location]);
    throw error;
  }
  world.reach('iceberg.before-swap');
  if (!(await swap(ports, name, { expected: base?.location ?? null, next: location }))) {
    await removeFiles(storage, [location]);
    return undefined;
  }
  world.reach('iceberg.swapped');
  if (forgotten.length > 0) {
    await removeFiles(storage, forgotten);
    world.reach('iceberg.old-metadata-removed');
  }
  return { location, metadata };
}

/** The catalog's swap; when its answer is lost, the catalog is read to learn what happened. */
async function swap(
  ports: PointerPorts,
  name: TableName,
  change: { readonly expected: string | null; readonly next: string },
): Promise<boolean> {
  try {
    return await ports.catalog.swap(name, change);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'lease_lost') throw error;
    if (await wasSwapped(ports, name, change.next)) return true;
    throw unknownOutcome(name, error);
  }
}

async function wasSwapped(ports: PointerPorts, name: TableName, location: string): Promise<boolean> {
  try {
    const now = await loadTable({ ...ports, name });
    if (!now) return false;
    return now.location === location || now.metadata['metadata-log'].some((one) => one['metadata-file'] === location);
  } catch {
    return false;
  }
}

/** The table as the catalog names it now, or undefined. */
export async function loadTable(
  ports: Pick<PointerPorts, 'storage' | 'catalog'> & { readonly name: TableName },
): Promise<MetadataVersion | undefined> {
  const { storage, catalog, name } = ports;
  // Another writer may commit, and remove old metadata files, between the look-up and the read.
  for (let tries = 1; ; tries++) {
    const entry = await catalog.load(name);
    if (!entry) return undefined;
    const location = entry.metadataLocation;
    const bytes = await storage.read(location);
    if (bytes) return { location, metadata: parseMetadata(bytes.toString()) };
    if (tries >= 3) {
      throw new Failure(
        'storage_failed',
        `The metadata file of ${name.database}.${name.table} is missing: ${location}.`,
      );
    }
  }
}
