import type { DeadByFile } from '../iceberg/dead-rows.ts';
import type { LiveFile, LiveFiles } from '../iceberg/live-files.ts';
import { applies } from '../iceberg/live-files.ts';
import { equalityDeletes, positionDeletes } from '../iceberg/model.ts';

export interface CompactionBounds {
  readonly targetFileBytes: number;
  readonly minInputFiles: number;
}

/** What a compaction does. */
export interface CompactionPlan {
  /** Each becomes new files of about the target size; all of one spec and partition, older rows first. */
  readonly groups: readonly (readonly LiveFile[])[];
  /** Files that stay, whose dead rows are written as position deletes in place of all deletes that hold for them. */
  readonly settled: readonly LiveFile[];
}

/** A file with a larger share of dead rows is written anew. */
const DEAD_SHARE = 0.1;
/** A file below this share of the target size is small. */
const SMALL_SHARE = 0.75;

/** Plans by size and dead rows; a partition where nothing is gained stays as it is. */
export function planCompaction(live: LiveFiles, dead: DeadByFile, bounds: CompactionBounds): CompactionPlan {
  const groups: (readonly LiveFile[])[] = [];
  const settled: LiveFile[] = [];
  for (const files of Map.groupBy(live.data, (file) => file.partition).values()) {
    const chosen = packFiles(files, dead, bounds);
    groups.push(...chosen);
    const inGroups = new Set(chosen.flat());
    if (chosen.length === 0 && !needsSettling(live, files, bounds)) continue;
    settled.push(...files.filter((file) => !inGroups.has(file)));
  }
  return { groups, settled };
}

function packFiles(files: readonly LiveFile[], dead: DeadByFile, bounds: CompactionBounds): LiveFile[][] {
  const { targetFileBytes, minInputFiles } = bounds;
  const isWorn = (file: LiveFile): boolean => deadShare(file, dead) > DEAD_SHARE;
  const isSmall = (file: LiveFile): boolean => file.entry.file.bytes < targetFileBytes * SMALL_SHARE;
  const candidates = files
    .filter((file) => isWorn(file) || isSmall(file))
    .toSorted((left, right) => left.entry.sequence! - right.entry.sequence!);
  const bins: LiveFile[][] = [];
  let bin: LiveFile[] = [];
  let bytes = 0;
  for (const file of candidates) {
    const liveBytes = file.entry.file.bytes * (1 - deadShare(file, dead));
    if (bin.length > 0 && bytes + liveBytes > targetFileBytes) {
      bins.push(bin);
      bin = [];
      bytes = 0;
    }
    bin.push(file);
    bytes += liveBytes;
  }
  if (bin.length > 0) bins.push(bin);
  const filled = (of: readonly LiveFile[]): boolean => of.length > 1 && of !== bins.at(-1);
  return bins.filter((of) => of.some(isWorn) || filled(of) || of.length >= Math.max(2, minInputFiles));
}

function deadShare({ entry }: LiveFile, dead: DeadByFile): number {
  const { path, records } = entry.file;
  return records === 0 ? 1 : (dead.get(path)?.count ?? 0) / records;
}

/** Equality deletes are dear to every reader, position deletes only when there are many files of them. */
function needsSettling(live: LiveFiles, files: readonly LiveFile[], bounds: CompactionBounds): boolean {
  const holding = live.deletes.filter((one) => files.some((file) => applies(one, file)));
  if (holding.some((one) => one.entry.file.content === equalityDeletes)) return true;
  const positions = holding.filter((one) => one.entry.file.content === positionDeletes);
  return positions.length >= Math.max(2, bounds.minInputFiles);
}
