import type { World } from '../../world.ts';
import type { Storage } from '../storage/types.ts';
import type { Proposal } from './committer.ts';
import type { ExactInteger } from './exact.ts';
import type { MetadataVersion } from './metadata.ts';
import { currentSnapshot, findSnapshot, findSpec, withSnapshot } from './metadata.ts';
import { historyBounds, trimHistory } from './history.ts';
import type { ManifestContent } from './manifest.ts';
import type { SnapshotPorts } from './manifest-files.ts';
import { readEntries, readManifests, writeManifest } from './manifest-files.ts';
import { assignNumbers, encodeManifestList } from './manifest-list.ts';
import { mergeManifests, removeFromManifests } from './manifest-merge.ts';
import type { ManifestEntry, ManifestFile, Snapshot, TableMetadata } from './model.ts';
import { deletedStatus } from './model.ts';
import { schemaOfSpec } from './partition.ts';
import type { Tally, Totals } from './summary.ts';
import { count, emptyTally, readTotals, summarize, totalsOf } from './summary.ts';

/** Totals of the snapshot: as its summary states them, else counted from its manifests. */
export async function readSnapshotTotals(storage: Storage, snapshot: Snapshot | undefined): Promise<Totals> {
  const stated = readTotals(snapshot);
  if (stated) return stated;
  const tally = emptyTally();
  for (const manifest of await readManifests(storage, snapshot)) {
    for (const entry of await readEntries(storage, manifest)) {
      if (entry.status !== deletedStatus) count(tally, entry.file);
    }
  }
  return totalsOf(tally);
}

export type SnapshotOperation = 'append' | 'overwrite' | 'replace' | 'delete';

export interface SnapshotPlan {
  readonly operation: SnapshotOperation;
  readonly base: MetadataVersion;
  /** The base's metadata with the properties and schema that this commit sets. */
  readonly metadata: TableMetadata;
  readonly now: number;
  readonly added: readonly ManifestFile[];
  readonly addedTally: Tally;
  /** What of the parent's content goes: all of it, or the files at these paths. */
  readonly removes: 'nothing' | 'everything' | ReadonlySet<string>;
  readonly extra: Readonly<Record<string, string>>;
  /** Sets what may depend on the id of the new snapshot. */
  readonly finish: (metadata: TableMetadata, snapshotId: ExactInteger) => TableMetadata;
}

/** Writes the manifest list, and the manifests that change with what is removed or merged, of a new snapshot. */
export async function proposeSnapshot(ports: SnapshotPorts, plan: SnapshotPlan): Promise<Proposal> {
  const { storage, world, names } = ports;
  const parent = currentSnapshot(plan.base.metadata);
  const owner = {
    snapshotId: newSnapshotId(world, plan.metadata),
    parentId: parent?.['snapshot-id'],
    sequence: plan.base.metadata['last-sequence-number'] + 1,
  };
  const before = await readSnapshotTotals(storage, parent);
  const inherited = await inheritManifests(ports, plan, owner.snapshotId);
  const fresh = [...plan.added, ...inherited.written].map((manifest) => assignNumbers(manifest, owner));
  const path = names.manifestList();
  const list = encodeManifestList([...fresh, ...inherited.kept], owner, world.random(16));
  await storage.put(path, list);
  world.reach('iceberg.manifest-list-written');
  const snapshot: Snapshot = {
    'sequence-number': owner.sequence,
    'snapshot-id': owner.snapshotId,
    ...(owner.parentId !== undefined && { 'parent-snapshot-id': owner.parentId }),
    'timestamp-ms': plan.now,
    'manifest-list': path,
    summary: summarize({ ...plan, added: plan.addedTally, removed: inherited.removed, before }),
    'schema-id': plan.metadata['current-schema-id'],
  };
  const metadata = trimHistory(withSnapshot(plan.metadata, snapshot), historyBounds(plan.metadata, plan.now));
  return {
    metadata: plan.finish(metadata, owner.snapshotId),
    written: [path, ...inherited.written.map((manifest) => manifest.path)],
  };
}

/** What a snapshot takes over from its parent. */
interface Inheritance {
  readonly kept: readonly ManifestFile[];
  /** New manifests of older files. */
  readonly written: readonly ManifestFile[];
  readonly removed: Tally;
}

async function inheritManifests(
  ports: SnapshotPorts,
  plan: SnapshotPlan,
  snapshotId: ExactInteger,
): Promise<Inheritance> {
  const { base, removes } = plan;
  const all = await readManifests(ports.storage, currentSnapshot(base.metadata));
  const live = all.filter((manifest) => manifest.addedFiles + manifest.existingFiles > 0);
  if (removes === 'everything') {
    const removal = await writeRemovals(ports, base.metadata, { live, snapshotId });
    return { kept: [], written: removal.manifests, removed: removal.tally };
  }
  const removed = emptyTally();
  if (removes === 'nothing') {
    const { kept, merged } = await mergeManifests(ports, base.metadata, live);
    return { kept, written: merged, removed };
  }
  const trimmed = await removeFromManifests(ports, base.metadata, { manifests: live, paths: removes, snapshotId });
  for (const entry of trimmed.removed) count(removed, entry.file);
  const { kept, merged } = await mergeManifests(ports, base.metadata, trimmed.kept);
  return { kept, written: [...trimmed.merged, ...merged], removed };
}

function newSnapshotId(world: World, metadata: TableMetadata): number {
  for (;;) {
    const bytes = world.random(8);
    const id = (bytes.readUInt32LE() & 0x1f_ffff) * 0x1_0000_0000 + bytes.readUInt32LE(4);
    if (id > 0 && !findSnapshot(metadata, id)) return id;
  }
}

const ENTRIES_PER_MANIFEST = 10_000;

interface Removals {
  readonly manifests: readonly ManifestFile[];
  readonly tally: Tally;
}

/** Manifests that say of every live file that this snapshot deletes it. */
async function writeRemovals(
  ports: SnapshotPorts,
  metadata: TableMetadata,
  old: { readonly live: readonly ManifestFile[]; readonly snapshotId: ExactInteger },
): Promise<Removals> {
  const { live, snapshotId } = old;
  const tally = emptyTally();
  const manifests: ManifestFile[] = [];
  const waiting = new Map<string, ManifestContent & { readonly entries: ManifestEntry[] }>();
  const flush = async (key: string): Promise<void> => {
    const manifest = waiting.get(key)!;
    waiting.delete(key);
    manifests.push(await writeManifest(ports, manifest));
  };
  for (const source of live) {
    const key = `${source.specId}/${source.content}`;
    for (const entry of await readEntries(ports.storage, source)) {
      if (entry.status === deletedStatus) continue;
      const { content, specId } = source;
      const group = waiting.get(key) ?? {
        content,
        schema: schemaOfSpec(metadata, findSpec(metadata, specId)),
        spec: findSpec(metadata, specId),
        entries: [],
      };
      waiting.set(key, group);
      group.entries.push({ ...entry, status: deletedStatus, snapshotId });
      count(tally, entry.file);
      if (group.entries.length >= ENTRIES_PER_MANIFEST) await flush(key);
    }
  }
  for (const key of waiting.keys()) await flush(key);
  return { manifests, tally };
}
