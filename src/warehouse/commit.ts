import { Failure } from '../errors.ts';
import type { MetadataVersion, Storage, TableMetadata, TableUpdate } from '../lakehouse/index.ts';
import {
  applyUpdates,
  asksCreation,
  blankTable,
  checkRequirements,
  commitTime,
  findSnapshot,
  formatMetadata,
  loadTable,
  metadataVersion,
  removeFiles,
  succeed,
} from '../lakehouse/index.ts';
import type { Transaction } from '../store/index.ts';
import { catalogIn } from './catalog.ts';
import { missingTable, rowName, showTable, takenTable } from './names.ts';
import { assertNamespace } from './namespaces.ts';
import { completeTable, usualLocation } from './new-table.ts';
import { createPlaces, isBelow, type Places } from './places.ts';
import type { World } from '../world.ts';
import type { CommitInput, TableId, WarehouseRooms } from './types.ts';
import { newUuid } from './uuid.ts';

/** The next state of one table, its metadata file written and not yet named by the catalog. */
interface Prepared {
  readonly table: TableId;
  /** Undefined creates the table. */
  readonly base: MetadataVersion | undefined;
  readonly next: MetadataVersion;
  readonly storage: Storage;
  /** Older metadata files that nothing names after the commit. */
  readonly forgotten: readonly string[];
}

const MOST_TRIES = 5;
const LARGEST_METADATA_BYTES = 128 * 1024 * 1024;

/**
 * Commits changes of tables, all or none: requirements are checked against the present state, each next metadata file is
 * written, then one transaction swaps the names. Who was first meanwhile is found by the swap, and the requirements are
 * asked again on the newer state. Files of a try that surely came to nothing go.
 */
export async function commitTables(
  rooms: WarehouseRooms,
  project: string,
  commits: readonly CommitInput[],
): Promise<MetadataVersion[]> {
  const places = createPlaces(rooms, project);
  for (let tries = 1; ; tries++) {
    const prepared: (Prepared | MetadataVersion)[] = [];
    try {
      for (const commit of commits) prepared.push(await prepareCommit({ rooms, project, places }, commit));
    } catch (error) {
      await discard(prepared);
      throw error;
    }
    const changes = prepared.filter(isPrepared);
    // When the transaction's answer is lost, the files may be in use: they stay.
    const loser = await swapAll(rooms, project, changes);
    if (loser === undefined) {
      for (const { storage, forgotten } of changes) await removeFiles(storage, forgotten);
      return prepared.map((one) => (isPrepared(one) ? one.next : one));
    }
    await discard(prepared);
    if (tries >= MOST_TRIES) throw outrun(loser);
  }
}

const isPrepared = (one: Prepared | MetadataVersion): one is Prepared => 'next' in one;

async function discard(prepared: readonly (Prepared | MetadataVersion)[]): Promise<void> {
  for (const { storage, next } of prepared.filter(isPrepared)) await removeFiles(storage, [next.location]);
}

function outrun(table: TableId): Failure {
  return new Failure('commit_conflict', `Other writers of ${showTable(table)} were first each time.`);
}

interface Committing {
  readonly rooms: WarehouseRooms;
  readonly project: string;
  readonly places: Places;
}

/** The state as it is when the same commit has been made before; else the next one, its file written. */
async function prepareCommit(
  committing: Committing,
  { table, requirements, updates }: CommitInput,
): Promise<Prepared | MetadataVersion> {
  const base = await findTable(committing, table);
  if (!base) {
    if (!asksCreation(requirements)) throw missingTable(table);
    return prepareNew(committing, table, updates);
  }
  if (isRepeated(base.metadata, updates)) return base;
  if (asksCreation(requirements)) throw takenTable(table);
  checkRequirements(base.metadata, requirements);
  const now = commitTime(base.metadata, committing.rooms.world.now());
  const changed = applyUpdates(base.metadata, updates, now);
  if (changed === base.metadata || updates.length === 0) return base;
  const { metadata, forgotten } = succeed(base, changed, now);
  const storage = await checkLocations(committing.places, base.metadata, metadata);
  const version = metadataVersion(base.location) + 1;
  return {
    table,
    base,
    next: await writeMetadata({ world: committing.rooms.world, storage }, metadata, version),
    storage,
    forgotten,
  };
}

async function prepareNew(committing: Committing, table: TableId, updates: readonly TableUpdate[]): Promise<Prepared> {
  const { rooms, project, places } = committing;
  await assertNamespace(rooms.store.db, project, table.namespace);
  const now = rooms.world.now().getTime();
  const metadata = completeTable(
    applyUpdates(blankTable(now), updates, now),
    usualLocation(places.home, table),
    newUuid(rooms.world),
  );
  const storage = await checkLocations(places, undefined, metadata);
  return {
    table,
    base: undefined,
    next: await writeMetadata({ world: rooms.world, storage }, metadata, 0),
    storage,
    forgotten: [],
  };
}

/** The table with its metadata, or undefined. */
export async function findTable(
  { rooms, project, places }: Committing,
  table: TableId,
): Promise<MetadataVersion | undefined> {
  const catalog = catalogIn(rooms.store.db, project);
  const name = rowName(table);
  const entry = await catalog.load(name);
  if (!entry) return undefined;
  const storage = await places.reach(entry.metadataLocation);
  return loadTable({ storage, catalog, name });
}

/** A client that lost our answer sends its commit again: what it adds is there already. */
function isRepeated(table: TableMetadata, updates: readonly TableUpdate[]): boolean {
  const added = updates.filter(({ action }) => action === 'add-snapshot');
  if (added.length === 0) return false;
  return added.every((update) => {
    const sent = update['snapshot'] as Readonly<Record<string, unknown>>;
    const known = findSnapshot(table, sent?.['snapshot-id'] as number);
    return known !== undefined && known['manifest-list'] === sent['manifest-list'];
  });
}

/** The storage of the next metadata; throws `bad_request` for locations where the project's tables must not lie. */
async function checkLocations(places: Places, base: TableMetadata | undefined, next: TableMetadata): Promise<Storage> {
  const { location } = next;
  const stays = base !== undefined && base.location === location;
  const storage = stays ? await places.reach(location) : await places.open(location);
  const known = new Set(base?.snapshots.map((one) => one['manifest-list']));
  for (const { 'manifest-list': list } of next.snapshots) {
    if (!known.has(list) && !isBelow(list, location)) await places.open(list);
  }
  return storage;
}

/** Writes a metadata file that nobody has named before. */
export async function writeMetadata(
  { storage, world }: { readonly storage: Storage; readonly world: World },
  metadata: TableMetadata,
  version: number,
): Promise<MetadataVersion> {
  const bytes = formatMetadata(metadata);
  if (bytes.length > LARGEST_METADATA_BYTES) {
    throw new Failure('bad_request', 'The metadata of the table would become too large.', {
      advice: 'Expire snapshots of the table.',
    });
  }
  const number = String(Math.max(0, version)).padStart(5, '0');
  const location = `${metadata.location}/metadata/${number}-${newUuid(world)}.metadata.json`;
  await storage.put(location, bytes);
  world.reach('warehouse.metadata-written');
  return { location, metadata };
}

/** Names the new files in one transaction; answers the table at which somebody else was first, and then none is named. */
async function swapAll(
  { store, world }: WarehouseRooms,
  project: string,
  changes: readonly Prepared[],
): Promise<TableId | undefined> {
  if (changes.length === 0) return undefined;
  world.reach('warehouse.before-swap');
  // One order for all, so that two commits of the same tables never wait for each other.
  const ordered = changes.toSorted((left, right) => (showTable(left.table) < showTable(right.table) ? -1 : 1));
  try {
    await store.transaction(async (tx) => {
      for (const change of ordered) await swapOne(tx, project, change);
    });
  } catch (error) {
    if (error instanceof Lost) return error.table;
    throw error;
  }
  world.reach('warehouse.swapped');
  return undefined;
}

/** Ends the transaction of a commit that came second. */
class Lost extends Error {
  readonly table: TableId;

  constructor(table: TableId) {
    super('another writer was first');
    this.table = table;
  }
}

async function swapOne(tx: Transaction, project: string, { table, base, next }: Prepared): Promise<void> {
  const change = { expected: base?.location ?? null, next: next.location };
  if (!(await catalogIn(tx, project).swap(rowName(table), change))) throw new Lost(table);
}
