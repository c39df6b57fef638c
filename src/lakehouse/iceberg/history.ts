import type { ExactInteger } from './exact.ts';
import { snapshotAncestry } from './metadata.ts';
import type { TableMetadata } from './model.ts';

/** Which snapshots a table keeps. */
export interface HistoryBounds {
  /** At least this many of the main branch. */
  readonly keepAtLeast: number;
  /** Never more of the main branch than this. */
  readonly keepAtMost: number;
  /** Snapshots from before this time go. */
  readonly before: number;
}

/** So many snapshots stay in the metadata file that every commit writes anew. */
const MOST_SNAPSHOTS = 200;

/**
 * The bounds that the table's properties ask for in every commit: by count always (`penstock.history.max-snapshots`), by
 * age when `history.expire.max-snapshot-age-ms` is set.
 */
export function historyBounds(metadata: TableMetadata, now: number): HistoryBounds {
  const { properties } = metadata;
  const number = (key: string): number | undefined => {
    const value = Number(properties[key]);
    return properties[key] !== undefined && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  };
  const age = number('history.expire.max-snapshot-age-ms');
  const keepAtLeast = Math.max(1, number('history.expire.min-snapshots-to-keep') ?? 1);
  const keepAtMost = Math.max(keepAtLeast, number('penstock.history.max-snapshots') ?? MOST_SNAPSHOTS);
  return { keepAtLeast, keepAtMost, before: age === undefined ? Number.NEGATIVE_INFINITY : now - age };
}

/**
 * Forgets the snapshots outside the bounds; the same object when none is. What a branch or tag points at stays, and of
 * the main branch always an unbroken row up to its head. Files are not touched.
 */
export function trimHistory(metadata: TableMetadata, bounds: HistoryBounds): TableMetadata {
  const kept = new Set<ExactInteger>(Object.values(metadata.refs).map((ref) => ref['snapshot-id']));
  let count = 0;
  for (const snapshot of snapshotAncestry(metadata)) {
    if (count >= bounds.keepAtMost) break;
    if (count >= bounds.keepAtLeast && snapshot['timestamp-ms'] < bounds.before) break;
    kept.add(snapshot['snapshot-id']);
    count += 1;
  }
  // Snapshots that no branch leads to any more (after a roll-back) go by age alone, unless there are far too many.
  const crowded = metadata.snapshots.length > bounds.keepAtMost * 2;
  const ancestors = new Set([...snapshotAncestry(metadata)].map((one) => one['snapshot-id']));
  const stays = (id: ExactInteger, time: number): boolean =>
    kept.has(id) || (!ancestors.has(id) && !crowded && time >= bounds.before);
  const snapshots = metadata.snapshots.filter((one) => stays(one['snapshot-id'], one['timestamp-ms']));
  if (snapshots.length === metadata.snapshots.length) return metadata;
  return withoutSnapshots(metadata, snapshots);
}

/** The log of current snapshots begins anew after the last one that is gone, as the specification asks. */
function withoutSnapshots(metadata: TableMetadata, snapshots: TableMetadata['snapshots']): TableMetadata {
  const known = new Set(snapshots.map((one) => one['snapshot-id']));
  const log = metadata['snapshot-log'];
  const from = log.findLastIndex((one) => !known.has(one['snapshot-id'])) + 1;
  return { ...metadata, ...keepStatistics(metadata, known), snapshots, 'snapshot-log': log.slice(from) };
}

/** Statistics belong to a snapshot and go with it. */
function keepStatistics(metadata: TableMetadata, known: ReadonlySet<ExactInteger>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const key of ['statistics', 'partition-statistics']) {
    const list = metadata[key];
    if (!Array.isArray(list)) continue;
    kept[key] = (list as { readonly 'snapshot-id': ExactInteger }[]).filter((one) => known.has(one['snapshot-id']));
  }
  return kept;
}
