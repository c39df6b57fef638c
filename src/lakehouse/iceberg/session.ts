import { Failure } from '../../errors.ts';
import type { CheckpointKeys } from './checkpoint.ts';
import type { CommitPorts, Committer, Proposal } from './committer.ts';
import type { MetadataVersion } from './metadata.ts';
import { withProperties } from './metadata.ts';
import type { FileNames } from './names.ts';
import { removeLeftBehind } from './recovery.ts';
import { proposeSnapshot } from './snapshot.ts';
import { emptyTally } from './summary.ts';

/** One process at work on a table under one name. */
export interface Session {
  readonly options: CommitPorts;
  readonly names: FileNames;
  readonly committer: Committer;
  readonly keys: CheckpointKeys;
  readonly announce: Announcer;
}

export type Announcer = () => Promise<void>;

/** Leaves the marker that tells the next attempt, should this one be killed, to look for its files. */
export function createAnnouncer(options: CommitPorts, names: FileNames): Announcer {
  let announced: Promise<unknown> | undefined;
  return async () => {
    announced ??= options.storage
      .put(names.markerPath, Buffer.from(names.session))
      .then(() => options.world.reach('iceberg.marker-written'));
    await announced;
  };
}

/**
 * After an unclean end: a commit that makes every swap of an older attempt fail, then removal of what it left. The marker
 * becomes this session's first, so that a kill in between is an unclean end again.
 */
export async function recover(opening: Session): Promise<void> {
  const { options, names, committer, announce } = opening;
  const marker = await options.storage.read(names.markerPath);
  if (!marker || marker.toString() === names.session) return;
  if (!(await ownsWork(options))) return;
  await announce();
  await committer.commit((base, now) => fence(opening, base, now));
  await removeLeftBehind(options.storage, names, committer.current);
  options.world.reach('iceberg.orphans-removed');
}

/**
 * A state on which no commit of an older attempt can stand any more. A catalog that compares snapshots, not states, needs
 * a new one for that: it changes no row.
 */
async function fence({ options, names, keys }: Session, base: MetadataVersion, now: number): Promise<Proposal> {
  const metadata = withProperties(base.metadata, { [keys.attempt]: names.session });
  if (options.catalog.fencedBy === 'commit') return { metadata, written: [] };
  return proposeSnapshot(
    { ...options, names },
    {
      operation: 'replace',
      base,
      metadata,
      now,
      added: [],
      addedTally: emptyTally(),
      removes: 'nothing',
      extra: {},
      finish: (next) => next,
    },
  );
}

/** An attempt that lost its lease recovers nothing; its commits are refused later. */
async function ownsWork(options: CommitPorts): Promise<boolean> {
  try {
    await options.guard();
    return true;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'lease_lost') return false;
    throw error;
  }
}

/** Removes the session's marker: nothing was left behind. */
export async function withdrawMarker({ options, names }: Pick<Session, 'options' | 'names'>): Promise<void> {
  const marker = await options.storage.read(names.markerPath);
  if (marker?.toString() !== names.session) return;
  await options.storage.remove(names.markerPath);
  options.world.reach('iceberg.marker-removed');
}
