import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import type { TableName } from '../../catalog/port.ts';
import type { Storage } from '../../storage/types.ts';
import { emptyManifest, manifestBytes, parseManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';

/** Claims kept behind the newest, so that a writer this far behind is still refused by the claim alone. */
const KEPT_CLAIMS = 8;

/**
 * The sequence of a table's manifests. Commit n is decided by creating `_commits/<n>.json` (the whole manifest),
 * which succeeds for exactly one writer; `_manifest.json` is then replaced by the same bytes, for readers. Whoever looks
 * next carries a decided commit forward that a crash kept from `_manifest.json`. So the newest state is the manifest
 * followed by all claims that continue it, and a writer that decides from an older state is refused, whatever it was
 * doing in the meantime.
 */
export interface ManifestLog {
  /** The newest decided manifest; makes `_manifest.json` say the same. Sequence 0 when the table does not exist. */
  load(): Promise<Manifest>;
  /** Decides `next` as the successor of its sequence − 1. False when another writer was first; then nothing changed. */
  append(next: Manifest): Promise<boolean>;
}

/** The log of the table in `folder`. */
export function createManifestLog(
  { storage, world }: { storage: Storage; world: World },
  folder: string,
  name: TableName,
): ManifestLog {
  const manifestPath = `${folder}/_manifest.json`;
  const claimPath = (sequence: number): string => `${folder}/_commits/${String(sequence).padStart(9, '0')}.json`;

  async function readPublished(): Promise<Manifest> {
    const bytes = await storage.read(manifestPath);
    return bytes === undefined ? emptyManifest(name) : parseManifest(bytes, manifestPath);
  }
  return {
    async load() {
      const published = await readPublished();
      let newest = published;
      for (;;) {
        const path = claimPath(newest.sequence + 1);
        const claim = await storage.read(path);
        if (claim === undefined) break;
        newest = parseManifest(claim, path);
      }
      if (newest !== published) await storage.put(manifestPath, manifestBytes(newest));
      return newest;
    },
    async append(next) {
      world.reach('parquet.before-manifest');
      const claimed = await storage.put(claimPath(next.sequence), manifestBytes(next), { ifAbsent: true });
      if (!claimed) return false;
      world.reach('parquet.commit-decided');
      const published = await readPublished();
      if (published.sequence >= next.sequence && published.commit !== next.commit) {
        const message = `The table "${name.database}.${name.table}" moved on to commit ${published.sequence}.`;
        throw new Failure('commit_conflict', message);
      }
      await storage.put(manifestPath, manifestBytes(next));
      world.reach('parquet.manifest-written');
      await storage.remove(claimPath(next.sequence - KEPT_CLAIMS));
      return true;
    },
  };
}
