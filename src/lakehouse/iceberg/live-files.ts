import type { Storage } from '../storage/types.ts';
import { currentSnapshot, findSpec } from './metadata.ts';
import type { ManifestEntry, ManifestFile, PartitionValue, TableMetadata } from './model.ts';
import { dataFile, deletedStatus, equalityDeletes, positionDeletes } from './model.ts';
import { readEntries, readManifests } from './manifest-files.ts';

/** A file that the current snapshot shows or applies. */
export interface LiveFile {
  readonly entry: ManifestEntry;
  readonly specId: number;
  /** Equal for files of the same spec and partition. */
  readonly partition: string;
  /** True for deletes that hold in every partition. */
  readonly isGlobal: boolean;
}

export interface LiveFiles {
  readonly data: readonly LiveFile[];
  readonly deletes: readonly LiveFile[];
}

/** Manifests never change, so a session reads each once; those that the table has left are forgotten. */
export interface LiveReader {
  read(metadata: TableMetadata): Promise<LiveFiles>;
}

export function createLiveReader(storage: Storage): LiveReader {
  let known = new Map<string, readonly ManifestEntry[]>();
  return {
    async read(metadata) {
      const manifests = await readManifests(storage, currentSnapshot(metadata));
      const next = new Map<string, readonly ManifestEntry[]>();
      const data: LiveFile[] = [];
      const deletes: LiveFile[] = [];
      for (const manifest of manifests) {
        const entries = known.get(manifest.path) ?? (await readEntries(storage, manifest));
        next.set(manifest.path, entries);
        for (const file of toLive(metadata, manifest, entries)) {
          (file.entry.file.content === dataFile ? data : deletes).push(file);
        }
      }
      known = next;
      return { data, deletes };
    },
  };
}

function toLive(metadata: TableMetadata, manifest: ManifestFile, entries: readonly ManifestEntry[]): LiveFile[] {
  const { specId } = manifest;
  const isGlobal = findSpec(metadata, specId).fields.every((field) => field.transform === 'void');
  return entries
    .filter((entry) => entry.status !== deletedStatus)
    .map((entry) => ({ entry, specId, isGlobal, partition: partitionKey(specId, entry.file.partition) }));
}

function partitionKey(specId: number, partition: ReadonlyMap<number, PartitionValue>): string {
  const values = [...partition].toSorted(([left], [right]) => left - right).map(([, value]) => textOf(value));
  return JSON.stringify([specId, ...values]);
}

function textOf(value: PartitionValue): string {
  return value instanceof Uint8Array ? `x${Buffer.from(value).toString('hex')}` : `${typeof value}${String(value)}`;
}

/** True when the deletes may hold for rows of the data file: the specification's rules of sequence and partition. */
export function applies(deletes: LiveFile, data: LiveFile): boolean {
  const [later, earlier] = [deletes.entry.sequence!, data.entry.sequence!];
  const { content } = deletes.entry.file;
  if (content === positionDeletes) return later >= earlier && deletes.partition === data.partition;
  if (content !== equalityDeletes || later <= earlier) return false;
  return deletes.isGlobal || deletes.partition === data.partition;
}
