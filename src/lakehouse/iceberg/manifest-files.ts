import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import type { Storage } from '../storage/types.ts';
import type { ManifestContent } from './manifest.ts';
import { decodeManifest, describeManifest, encodeManifest } from './manifest.ts';
import { decodeManifestList } from './manifest-list.ts';
import type { DataFile, ManifestEntry, ManifestFile, Snapshot } from './model.ts';
import { addedStatus } from './model.ts';
import type { FileNames } from './names.ts';

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

/**
 * An entry for a file that this commit adds. Its rows count as written by this commit, or, where a sequence is given, by
 * the commit of that number: deletes from after that one hold for them.
 */
export function addedEntry(file: DataFile, sequence: number | null = null): ManifestEntry {
  return { status: addedStatus, snapshotId: null, sequence, fileSequence: null, file };
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
