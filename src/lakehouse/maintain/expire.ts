import { trimHistory } from '../iceberg/history.ts';
import { readEntries, readManifests } from '../iceberg/manifest-files.ts';
import type { ManifestEntry, ManifestFile, Snapshot, TableMetadata } from '../iceberg/model.ts';
import { deletedStatus } from '../iceberg/model.ts';
import type { UpkeepPolicy, UpkeepSession } from './types.ts';
import type { Removal } from './removal.ts';
import { createRemoval } from './removal.ts';

export interface ExpiryResult {
  readonly expiredSnapshots: number;
  readonly removal: Removal;
}

/**
 * Forgets old snapshots, then removes the files that only those led to. What branches and tags point at stays, and so
 * does the checkpoint: table properties mirror it. Files that a kill in between leaves are orphans.
 */
export async function expireSnapshots(
  session: UpkeepSession,
  { olderThanMs, keepAtLeast }: NonNullable<UpkeepPolicy['expireSnapshots']>,
): Promise<ExpiryResult> {
  const { options, committer } = session;
  const removal = createRemoval(session, () => options.world.reach('upkeep.expired-file-removed'));
  const trim = (metadata: TableMetadata): TableMetadata =>
    trimHistory(metadata, {
      keepAtLeast: Math.max(1, keepAtLeast),
      keepAtMost: Number.POSITIVE_INFINITY,
      before: options.world.now().getTime() - olderThanMs,
    });
  if (trim(committer.current.metadata) === committer.current.metadata) return { expiredSnapshots: 0, removal };
  await session.announce();
  let expired: readonly Snapshot[] = [];
  const committed = await committer.commit(async (base) => {
    session.assertNewest(base.metadata.properties);
    const metadata = trim(base.metadata);
    const kept = new Set(metadata.snapshots.map((one) => one['snapshot-id']));
    expired = base.metadata.snapshots.filter((one) => !kept.has(one['snapshot-id']));
    return { metadata, written: [] };
  });
  options.world.reach('upkeep.snapshots-forgotten');
  const paths = await onlyReachedFrom(session, expired, committed.metadata.snapshots);
  await removal.remove(paths);
  return { expiredSnapshots: expired.length, removal };
}

/** Files that the expired snapshots lead to and the kept ones do not. */
async function onlyReachedFrom(
  session: UpkeepSession,
  expired: readonly Snapshot[],
  kept: readonly Snapshot[],
): Promise<ReadonlySet<string>> {
  const keptManifests = new Map<string, ManifestFile>();
  for (const snapshot of kept) {
    for (const manifest of await listOf(session, snapshot)) keptManifests.set(manifest.path, manifest);
  }
  const paths = new Set<string>();
  const seen = new Set<string>();
  for (const snapshot of expired) {
    paths.add(snapshot['manifest-list']);
    for (const manifest of await listOf(session, snapshot)) {
      if (keptManifests.has(manifest.path) || seen.has(manifest.path)) continue;
      seen.add(manifest.path);
      paths.add(manifest.path);
      for (const { file } of await entriesOf(session, manifest)) paths.add(file.path);
    }
  }
  if (paths.size === 0) return paths;
  for (const manifest of keptManifests.values()) {
    for (const entry of await readEntries(session.options.storage, manifest)) {
      if (entry.status !== deletedStatus) paths.delete(entry.file.path);
    }
  }
  for (const snapshot of kept) paths.delete(snapshot['manifest-list']);
  return paths;
}

/** The manifests of a snapshot; none when an earlier, killed expiry removed its list already. */
async function listOf({ options }: UpkeepSession, snapshot: Snapshot): Promise<ManifestFile[]> {
  const { storage } = options;
  options.signal.throwIfAborted();
  return (await storage.size(snapshot['manifest-list'])) === undefined ? [] : readManifests(storage, snapshot);
}

async function entriesOf({ options }: UpkeepSession, manifest: ManifestFile): Promise<readonly ManifestEntry[]> {
  const { storage } = options;
  options.signal.throwIfAborted();
  return (await storage.size(manifest.path)) === undefined ? [] : readEntries(storage, manifest);
}
