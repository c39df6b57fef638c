import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import type { TableName } from '../catalog/port.ts';
import type { TableCatalog } from '../catalog/tables.ts';
import { UnknownOutcome } from '../catalog/tables.ts';
import { removeFiles } from '../storage/remove.ts';
import type { Storage } from '../storage/types.ts';
import type { MetadataVersion } from './metadata.ts';
import { commitTime } from './metadata.ts';
import type { TableMetadata } from './model.ts';
import type { FileNames } from './names.ts';

export { removeFiles, UnknownOutcome };

export interface CommitPorts {
  readonly storage: Storage;
  readonly catalog: TableCatalog;
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
  const { storage, catalog, guard, name } = ports;
  const now = commitTime(base.metadata, ports.world.now());
  const { metadata: next, written } = await change(base, now);
  try {
    const committed = await catalog.commit(name, { base, next, now, guard, file: names.metadata });
    if (!committed) await removeFiles(storage, written);
    return committed;
  } catch (error) {
    if (!(error instanceof UnknownOutcome)) await removeFiles(storage, written);
    throw error;
  }
}

async function reload(ports: CommitPorts, base: MetadataVersion): Promise<MetadataVersion> {
  const now = await ports.catalog.load(ports.name);
  if (now?.metadata['table-uuid'] === base.metadata['table-uuid']) return now;
  throw conflict(ports.name, now ? 'the table was dropped and made again' : 'the table was dropped');
}

export function conflict(name: TableName, reason: string): Failure {
  return new Failure('commit_conflict', `The commit of ${name.database}.${name.table} failed: ${reason}.`);
}
