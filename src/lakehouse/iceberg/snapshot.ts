import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import type { Storage } from '../storage/types.ts';
import type { Proposal } from './committer.ts';
import type { ExactInteger } from './exact.ts';
import type { MetadataVersion } from './metadata.ts';
import { currentSchema, currentSnapshot, findSnapshot, findSpec, withSnapshot } from './metadata.ts';
import type { ManifestContent } from './manifest.ts';
import { decodeManifest, describeManifest, encodeManifest } from './manifest.ts';
import { assignNumbers, decodeManifestList, encodeManifestList } from './manifest-list.ts';
import type { DataFile, ManifestEntry, ManifestFile, Snapshot, TableMetadata } from './model.ts';
import { addedStatus, deletedStatus } from './model.ts';
import type { FileNames } from './names.ts';
import type { Tally, Totals } from './summary.ts';
import { count, emptyTally, readTotals, summarize, totalsOf } from './summary.ts';

export interface SnapshotPorts {
  readonly storage: Storage;
  readonly world: World;
  readonly names: FileNames;
}

/** Writes a manifest of new files; sequence numbers and snapshot are inherited, so that a retry never rewrites it. */
export async function writeManifest(ports: SnapshotPorts, manifest: ManifestContent): Promise<ManifestFile> {
  const bytes = encodeManifest(manifest, ports.world.random(16));
  const path = ports.names.manifest();
  await ports.storage.put(path, bytes);
  ports.world.reach('iceberg.manifest-written');
  return describeManifest(manifest, { path, length: bytes.length });
}

/** An entry for a file that this commit adds. */
export function addedEntry(file: DataFile): ManifestEntry {
  return { status: addedStatus, snapshotId: null, sequence: null, fileSequence: null, file };
}

/** The manifests of a snapshot. */
export async function readManifests(storage: Storage, snapshot: Snapshot | undefined): Promise<ManifestFile[]> {
  if (!snapshot) return [];
  return decodeManifestList(await readWhole(storage, snapshot['manifest-list']));
}

/** Every entry of a manifest, deleted ones included. */
export async function readEntries(storage: Storage, manifest: ManifestFile): Promise<ManifestEntry[]> {
  return decodeManifest(await readWhole(storage, manifest.path), manifest);
}

async function readWhole(storage: Storage, path: string): Promise<Buffer> {
  const bytes = await storage.read(path);
  if (bytes) return bytes;
  throw new Failure('storage_failed', `A file of the table is missing: ${path}.`);
}

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

export interface SnapshotPlan {
  readonly operation: 'append' | 'overwrite';
  readonly base: MetadataVersion;
  /** The base's metadata with the properties and schema that this commit sets. */
  readonly metadata: TableMetadata;
  readonly now: number;
  readonly added: readonly ManifestFile[];
  readonly addedTally: Tally;
  /** True when nothing of the parent's content stays. */
  readonly replaces: boolean;
  readonly extra: Readonly<Record<string, string>>;
  /** Sets what may depend on the id of the new snapshot. */
  readonly finish: (metadata: TableMetadata, snapshotId: ExactInteger) => TableMetadata;
}

/** Writes the manifest list (and, when the content is replaced, the manifests of deletions) of a new snapshot. */
export async function proposeSnapshot(ports: SnapshotPorts, plan: SnapshotPlan): Promise<Proposal> {
  const { storage, world, names } = ports;
  const parent = currentSnapshot(plan.base.metadata);
  const owner = {
    snapshotId: newSnapshotId(world, plan.metadata),
    parentId: parent?.['snapshot-id'],
    sequence: plan.base.metadata['last-sequence-number'] + 1,
  };
  const inherited = await readManifests(storage, parent);
  const live = inherited.filter((manifest) => manifest.addedFiles + manifest.existingFiles > 0);
  const before = await readSnapshotTotals(storage, parent);
  const removal = plan.replaces
    ? await writeRemovals(ports, plan.base.metadata, { live, snapshotId: owner.snapshotId })
    : undefined;
  const fresh = [...plan.added, ...(removal?.manifests ?? [])].map((manifest) => assignNumbers(manifest, owner));
  const path = names.manifestList();
  const list = encodeManifestList([...fresh, ...(removal ? [] : live)], owner, world.random(16));
  await storage.put(path, list);
  world.reach('iceberg.manifest-list-written');
  const snapshot: Snapshot = {
    'sequence-number': owner.sequence,
    'snapshot-id': owner.snapshotId,
    ...(owner.parentId !== undefined && { 'parent-snapshot-id': owner.parentId }),
    'timestamp-ms': plan.now,
    'manifest-list': path,
    summary: summarize({ ...plan, added: plan.addedTally, removed: removal?.tally ?? emptyTally(), before }),
    'schema-id': plan.metadata['current-schema-id'],
  };
  return {
    metadata: plan.finish(withSnapshot(plan.metadata, snapshot), owner.snapshotId),
    written: [path, ...(removal?.manifests ?? []).map((manifest) => manifest.path)],
  };
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
        schema: currentSchema(metadata),
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
