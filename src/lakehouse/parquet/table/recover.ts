import type { World } from '../../../world.ts';
import type { Storage } from '../../storage/types.ts';
import { forEach } from './for-each.ts';
import type { TableLayout } from './layout.ts';
import { baseName, isOurFile, nameOfStaged } from './layout.ts';
import type { Manifest } from './manifest.ts';

/** What lies in a table's folder and what the manifest wants of it. */
export interface Leftovers {
  /** Renames that a decided commit still owes. */
  readonly renames: readonly { readonly from: string; readonly to: string }[];
  /** Visible files of ours that no manifest lists any more: replaced ones. */
  readonly replaced: readonly string[];
  /** Files of this stream's staging that no manifest lists: an attempt that never committed them. */
  readonly abandoned: readonly string[];
}

/**
 * Compares a listing of the folder with a manifest that was loaded *after* the listing: whatever was visible then and is
 * not listed now has been replaced in between or before, never "not yet committed". Paths are relative.
 */
export function findLeftovers(paths: readonly string[], manifest: Manifest, layout: TableLayout): Leftovers {
  const present = new Set(paths);
  const listed = new Map(manifest.files.map((file) => [file.path, file]));
  const missing = new Map<string, string>();
  for (const path of listed.keys()) if (!present.has(path)) missing.set(baseName(path), path);
  const staged = new Set(Object.values(manifest.staged).flatMap((files) => files.map((file) => baseName(file.path))));

  const renames: { from: string; to: string }[] = [];
  const replaced: string[] = [];
  const abandoned: string[] = [];
  for (const path of paths) {
    if (path.startsWith('_staging/')) {
      const name = nameOfStaged(path);
      const to = name === undefined ? undefined : missing.get(name);
      if (to !== undefined) renames.push({ from: path, to });
      else if (path.startsWith(`${layout.streamStaging}/`) && !(name !== undefined && staged.has(name)))
        abandoned.push(path);
    } else if (isOurFile(path) && !listed.has(path)) replaced.push(path);
  }
  return { renames, replaced, abandoned };
}

/** Finishes the moves that a decided commit owes. */
export async function finishRenames(
  { storage, world }: { storage: Storage; world: World },
  layout: TableLayout,
  renames: Leftovers['renames'],
): Promise<void> {
  await forEach(renames, async ({ from, to }) => {
    try {
      await storage.move(layout.absolute(from), layout.absolute(to));
    } catch (error) {
      // Somebody who opened the table in the meantime may have done it already.
      if ((await storage.size(layout.absolute(to))) === undefined) throw error;
    }
    world.reach('parquet.file-visible');
  });
}
