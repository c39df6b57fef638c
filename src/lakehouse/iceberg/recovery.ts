import type { Storage } from '../storage/types.ts';
import { removeFiles } from './committer.ts';
import type { MetadataVersion } from './metadata.ts';
import type { FileNames } from './names.ts';
import { readEntries, readManifests } from './manifest-files.ts';
import { deletedStatus } from './model.ts';
import { loadStaged, readStaged } from './staged.ts';

const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * Removes files that earlier, killed attempts of the same job left and that no snapshot and no staged list names. Files of
 * other writers are never touched. The caller has committed to the table before, so that no older attempt can commit any
 * more. File names are unique, so they are compared instead of paths, which writers may spell differently.
 */
export async function removeLeftBehind(storage: Storage, names: FileNames, table: MetadataVersion): Promise<number> {
  const { location } = table.metadata;
  const folders = [`${location}/data`, `${location}/metadata`];
  const listed = (await Promise.all(folders.map((folder) => storage.list(folder, { unfinished: true })))).flat();
  const candidates = listed.filter((path) => names.isLeftBehind(path));
  if (candidates.length === 0) return 0;
  const referenced = await referencedFiles(storage, table);
  const orphans = candidates.filter((path) => !referenced.has(fileName(path)));
  await removeFiles(storage, orphans);
  return orphans.length;
}

/**
 * Names of all files that the table's metadata leads to: its history, snapshots, and what any stream has staged. An entry
 * that tells of a removal needs no file; a snapshot from before the removal names the file itself.
 */
export async function referencedFiles(storage: Storage, table: MetadataVersion): Promise<Set<string>> {
  const { metadata, location } = table;
  const names = new Set([fileName(location)]);
  for (const older of metadata['metadata-log']) names.add(fileName(older['metadata-file']));
  for (const snapshot of metadata.snapshots) {
    names.add(fileName(snapshot['manifest-list']));
    for (const manifest of await readManifests(storage, snapshot)) {
      if (names.has(fileName(manifest.path))) continue;
      names.add(fileName(manifest.path));
      for (const { status, file } of await readEntries(storage, manifest)) {
        if (status !== deletedStatus) names.add(fileName(file.path));
      }
    }
  }
  const stagedProperties = Object.keys(metadata.properties).filter((key) => key.startsWith('penstock.staged.'));
  for (const staged of stagedProperties.flatMap((key) => readStaged(metadata, key))) {
    names.add(fileName(staged.path));
    for (const file of (await loadStaged(storage, metadata, staged.path)).files) names.add(fileName(file.path));
  }
  return names;
}
