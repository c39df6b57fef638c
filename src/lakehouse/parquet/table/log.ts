import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import type { TableName } from '../../catalog/port.ts';
import type { Storage } from '../../storage/types.ts';
import { emptyManifest, manifestBytes, parseManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';

/** The newest claims, this many, are always there; older ones are removed. */
const KEPT_CLAIMS = 8;

/**
 * The sequence of a table's manifests. Commit n is decided by creating `_commits/<n>.json` (the whole manifest), which
 * succeeds for exactly one writer; `_manifest.json` is then replaced by the same bytes, for readers. The newest state is
 * the highest claim, or `_manifest.json` where that is higher. So a crash after the decision is carried forward by
 * whoever looks next, and a writer that was suspended in between and overwrites `_manifest.json` with an older state
 * destroys nothing: the next look, or its own, puts the newest back. As the newest claims are kept, a writer that is
 * behind either finds its number taken, or is so far behind that the numbers tell.
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
  /** Sequences of all claims, rising. */
  async function listClaims(): Promise<number[]> {
    const paths = await storage.list(`${folder}/_commits`);
    return paths.map(sequenceOf).filter((sequence) => sequence !== undefined);
  }
  async function load(): Promise<Manifest> {
    for (;;) {
      const published = await readPublished();
      const highest = (await listClaims()).at(-1) ?? 0;
      if (highest <= published.sequence) return published;
      const claim = await storage.read(claimPath(highest));
      if (claim === undefined) continue; // Removed in the meantime, so there are newer ones.
      await storage.put(manifestPath, claim);
      return parseManifest(claim, manifestPath);
    }
  }
  /** False for a claim that continues nothing: its predecessors were removed because the table went on or was dropped. */
  async function continues({ sequence }: Manifest, claims: readonly number[]): Promise<boolean> {
    if (sequence <= claims.at(-1)! - KEPT_CLAIMS) return false;
    return claims.includes(sequence - 1) || (await readPublished()).sequence >= sequence - 1;
  }

  return {
    load,
    async append(next) {
      const { sequence } = next;
      world.reach('parquet.before-manifest');
      if (!(await storage.put(claimPath(sequence), manifestBytes(next), { ifAbsent: true }))) return false;
      const claims = await listClaims();
      if (!(await continues(next, claims))) {
        await storage.remove(claimPath(sequence));
        throw new Failure('commit_conflict', `The table "${name.database}.${name.table}" is not what it was any more.`);
      }
      world.reach('parquet.commit-decided');
      await storage.put(manifestPath, manifestBytes(next));
      world.reach('parquet.manifest-written');
      await load();
      for (const old of claims) if (old <= sequence - KEPT_CLAIMS) await storage.remove(claimPath(old));
      return true;
    },
  };
}

function sequenceOf(path: string): number | undefined {
  const match = /(\d{9})\.json$/.exec(path);
  return match === null ? undefined : Number(match[1]);
}
