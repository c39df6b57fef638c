import type { MetadataVersion, Storage } from '../lakehouse/index.ts';
import { readEntries, readManifests } from '../lakehouse/index.ts';
import { isBelow } from './places.ts';

/**
 * Removes the files of a table that the catalog has forgotten, manifest by manifest. Files that its metadata names
 * outside of its own location stay: anybody may have written the metadata.
 */
export async function purgeFiles(storage: Storage, { location, metadata }: MetadataVersion): Promise<void> {
  const remove = async (path: string): Promise<void> => {
    if (isBelow(path, metadata.location)) await storage.remove(path).catch(() => undefined);
  };
  for (const snapshot of metadata.snapshots) {
    const manifests = await readManifests(storage, snapshot).catch(() => []);
    for (const manifest of manifests) {
      if (!isBelow(manifest.path, metadata.location)) continue;
      const entries = await readEntries(storage, manifest).catch(() => []);
      for (const { file } of entries) await remove(file.path);
      await remove(manifest.path);
    }
    await remove(snapshot['manifest-list']);
  }
  for (const { 'metadata-file': file } of metadata['metadata-log']) await remove(file);
  await remove(location);
}
