import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import type { CatalogPort, TableName } from '../catalog/port.ts';
import type { Storage } from '../storage/types.ts';
import type { MetadataVersion } from './metadata.ts';
import { commitTime, formatMetadata, parseMetadata, succeed } from './metadata.ts';
import type { TableMetadata } from './model.ts';
import type { FileNames } from './names.ts';
import { metadataVersion } from './names.ts';

export interface CommitPorts {
  readonly storage: Storage;
  readonly catalog: CatalogPort;
  readonly world: World;
  readonly name: TableName;
  /** Throws `lease_lost` when a newer attempt owns the work; asked right before each swap. */
  readonly guard: () => Promise<void>;
}

/** The next state of a table, prepared against one base. */
export interface Proposal {
  readonly metadata: TableMetadata;
  /** Files that serve this proposal alone: they go when another writer was first. */
  readonly written: readonly string[];
}

/** Prepares the next state; called again with the newer base after a conflict, and throws when it cannot stand on it. */
export type Change = (base: MetadataVersion, now: number) => Promise<Proposal>;

export interface Committer {
  readonly current: MetadataVersion;
  /** One compare-and-swap of the table, repeated on conflicts. Calls queue up; a failed one changes nothing. */
  commit(change: Change): Promise<MetadataVersion>;
}

/** The catalog was asked to swap and its answer was lost: the commit may have happened. */
export class UnknownOutcome extends Failure {}

const MOST_TRIES = 12;

export function createCommitter(ports: CommitPorts, names: FileNames, start: MetadataVersion): Committer {
  let current = start;
  let queue: Promise<unknown> = Promise.resolve();

  async function run(change: Change): Promise<MetadataVersion> {
    for (let tries = 1; ; tries++) {
      const base = current;
      const outcome = await tryCommit({ ports, names, base }, change);
      if (outcome) {
        current = outcome;
        return outcome;
      }
      const reloaded = await reload(ports, base);
      if (tries >= MOST_TRIES) throw conflict(ports.name, 'other writers were first each time');
      current = reloaded;
      await pause(ports.world.random(1)[0]! % (10 * 2 ** Math.min(tries, 5)));
    }
  }

  return {
    get current() {
      return current;
    },
    commit(change) {
      const turn = queue.then(() => run(change));
      queue = turn.catch(() => undefined);
      return turn;
    },
  };
}

interface Attempt {
  readonly ports: CommitPorts;
  readonly names: FileNames;
  readonly base: MetadataVersion;
}

/** Undefined when another writer was first; then nothing of the try remains. */
async function tryCommit(attempt: Attempt, change: Change): Promise<MetadataVersion | undefined> {
  const { ports, names, base } = attempt;
  const { storage, world } = ports;
  const now = commitTime(base.metadata, world.now());
  const proposal = await change(base, now);
  const { metadata, forgotten } = succeed(base, proposal.metadata, now);
  const location = names.metadata(metadataVersion(base.location) + 1);
  const written = [location, ...proposal.written];
  await storage.put(location, formatMetadata(metadata));
  world.reach('iceberg.metadata-written');
  try {
    await ports.guard();
  } catch (error) {
    await removeFiles(storage, written);
    throw error;
  }
  world.reach('iceberg.before-swap');
  if (!(await swap(ports, base, location))) {
    await removeFiles(storage, written);
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
async function swap(ports: CommitPorts, base: MetadataVersion, next: string): Promise<boolean> {
  const { catalog, name } = ports;
  try {
    return await catalog.swap(name, { expected: base.location, next });
  } catch (error) {
    if (error instanceof Failure && error.kind === 'lease_lost') throw error;
    if (await wasCommitted(ports, next)) return true;
    const message = `The catalog did not answer the commit of ${name.database}.${name.table}.`;
    throw new UnknownOutcome('connection_lost', message, { cause: error });
  }
}

async function wasCommitted(ports: CommitPorts, location: string): Promise<boolean> {
  try {
    const now = await loadTable(ports);
    if (!now) return false;
    return now.location === location || now.metadata['metadata-log'].some((one) => one['metadata-file'] === location);
  } catch {
    return false;
  }
}

/** The table as the catalog names it now, or undefined. */
export async function loadTable(
  ports: Pick<CommitPorts, 'storage' | 'catalog' | 'name'>,
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

async function reload(ports: CommitPorts, base: MetadataVersion): Promise<MetadataVersion> {
  const now = await loadTable(ports);
  if (now?.metadata['table-uuid'] === base.metadata['table-uuid']) return now;
  throw conflict(ports.name, now ? 'the table was dropped and made again' : 'the table was dropped');
}

export function conflict(name: TableName, reason: string): Failure {
  return new Failure('commit_conflict', `The commit of ${name.database}.${name.table} failed: ${reason}.`);
}

/** Removes files that nothing names; what cannot be removed is left to a later recovery. */
export async function removeFiles(storage: Storage, paths: readonly string[]): Promise<void> {
  for (const path of paths) await storage.remove(path).catch(() => undefined);
}
