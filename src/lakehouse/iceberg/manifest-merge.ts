import { findSpec } from './metadata.ts';
import type { ManifestEntry, ManifestFile, TableMetadata } from './model.ts';
import { deletedStatus, existingStatus } from './model.ts';
import { schemaOfSpec } from './partition.ts';
import type { SnapshotPorts } from './manifest-files.ts';
import { readEntries, writeManifest } from './manifest-files.ts';

const MOST_MANIFESTS = 100;
const MERGED_BYTES = 8 << 20;

/** Manifests of an older snapshot, some of them merged into new ones. */
export interface MergedManifests {
  /** As they are in the older snapshot. */
  readonly kept: readonly ManifestFile[];
  /** Written for the new snapshot, whose numbers they still need. */
  readonly merged: readonly ManifestFile[];
}

/**
 * Merges small manifests of one content and spec once there are many (`commit.manifest.min-count-to-merge`), into one of
 * at most `commit.manifest.target-size-bytes`. Only manifests of similar size are merged, so that an entry is written
 * again a number of times that grows with the logarithm of the commits.
 */
export async function mergeManifests(
  ports: SnapshotPorts,
  metadata: TableMetadata,
  manifests: readonly ManifestFile[],
): Promise<MergedManifests> {
  const { properties } = metadata;
  if (properties['commit.manifest-merge.enabled'] === 'false') return { kept: manifests, merged: [] };
  const most = Math.max(2, positive(properties['commit.manifest.min-count-to-merge']) ?? MOST_MANIFESTS);
  const target = positive(properties['commit.manifest.target-size-bytes']) ?? MERGED_BYTES;
  const replaced = new Set<ManifestFile>();
  const merged: ManifestFile[] = [];
  for (const group of Map.groupBy(manifests, (one) => `${one.content}/${one.specId}`).values()) {
    if (group.length < most) continue;
    const chosen = chooseSimilar(group, target);
    if (chosen.length < Math.max(2, most / 2)) continue;
    merged.push(await writeMerged(ports, metadata, chosen));
    for (const one of chosen) replaced.add(one);
  }
  return { kept: manifests.filter((one) => !replaced.has(one)), merged };
}

const positive = (text: string | undefined): number | undefined => {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
};

/** From the smallest on, as long as the next is not much larger than all before it together. */
function chooseSimilar(manifests: readonly ManifestFile[], target: number): readonly ManifestFile[] {
  const sorted = manifests.toSorted((left, right) => left.length - right.length);
  let bytes = 0;
  let count = 0;
  for (const { length } of sorted) {
    if (bytes + length > target || (count > 1 && length > 2 * bytes)) break;
    bytes += length;
    count += 1;
  }
  return sorted.slice(0, count);
}

async function writeMerged(
  ports: SnapshotPorts,
  metadata: TableMetadata,
  manifests: readonly ManifestFile[],
): Promise<ManifestFile> {
  const [{ content, specId }] = manifests as [ManifestFile];
  const entries: ManifestEntry[] = [];
  for (const manifest of manifests.toSorted((left, right) => left.sequence - right.sequence)) {
    for (const entry of await readEntries(ports.storage, manifest)) {
      if (entry.status !== deletedStatus) entries.push({ ...entry, status: existingStatus });
    }
  }
  const spec = findSpec(metadata, specId);
  return writeManifest(ports, { content, schema: schemaOfSpec(metadata, spec), spec, entries });
}

/** Manifests that lost some of their files in this snapshot. */
export interface TrimmedManifests extends MergedManifests {
  readonly removed: readonly ManifestEntry[];
}

const ENTRIES_PER_MANIFEST = 10_000;

/** Takes files out of the manifests that hold them: those are written anew and say which files this snapshot deletes. */
export async function removeFromManifests(
  ports: SnapshotPorts,
  metadata: TableMetadata,
  work: {
    readonly manifests: readonly ManifestFile[];
    readonly paths: ReadonlySet<string>;
    readonly snapshotId: ManifestEntry['snapshotId'];
  },
): Promise<TrimmedManifests> {
  const { manifests, paths, snapshotId } = work;
  const kept: ManifestFile[] = [];
  const merged: ManifestFile[] = [];
  const removed: ManifestEntry[] = [];
  for (const group of Map.groupBy(manifests, (one) => `${one.content}/${one.specId}`).values()) {
    const [{ content, specId }] = group as [ManifestFile];
    const spec = findSpec(metadata, specId);
    const schema = schemaOfSpec(metadata, spec);
    let waiting: ManifestEntry[] = [];
    const flush = async (): Promise<void> => {
      if (waiting.length > 0) merged.push(await writeManifest(ports, { content, schema, spec, entries: waiting }));
      waiting = [];
    };
    for (const manifest of group) {
      const live = (await readEntries(ports.storage, manifest)).filter((entry) => entry.status !== deletedStatus);
      const gone = live.filter((entry) => paths.has(entry.file.path));
      if (gone.length === 0) {
        kept.push(manifest);
        continue;
      }
      removed.push(...gone);
      for (const entry of live) {
        const isGone = paths.has(entry.file.path);
        waiting.push(isGone ? { ...entry, status: deletedStatus, snapshotId } : { ...entry, status: existingStatus });
      }
      if (waiting.length >= ENTRIES_PER_MANIFEST) await flush();
    }
    await flush();
  }
  return { kept, merged, removed };
}
