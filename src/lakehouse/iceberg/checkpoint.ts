import type { TableMetadata } from './model.ts';
import { currentSnapshot, findSnapshot, snapshotAncestry } from './metadata.ts';
import type { ExactInteger } from './exact.ts';

/** What travels with a commit; only `seq` and `run` are read here. */
export interface CommitCheckpoint {
  readonly seq: number;
  readonly run: string;
  readonly [key: string]: unknown;
}

/** Larger checkpoints (long boundaries) are kept in the table property alone, so that snapshots stay small. */
const MOST_SUMMARY_BYTES = 8 << 10;

/** Names of the table properties of one stream. */
export interface CheckpointKeys {
  readonly checkpoint: string;
  readonly snapshot: string;
  readonly staged: string;
  readonly attempt: string;
}

/** `<project>/<job>/<stream>` becomes `penstock.<what>.<project>.<job>.<stream>`. */
export function checkpointKeys(checkpointKey: string): CheckpointKeys {
  const dotted = checkpointKey.replace('/', '.').replace('/', '.');
  const key = (what: string): string => `penstock.${what}.${dotted}`;
  return { checkpoint: key('checkpoint'), snapshot: key('snapshot'), staged: key('staged'), attempt: key('attempt') };
}

/** Summary keys of a snapshot that the checkpoint belongs to. */
export function summaryKeys(key: string, checkpoint: CommitCheckpoint): Record<string, string> {
  const text = JSON.stringify(checkpoint);
  return {
    'penstock.run': checkpoint.run,
    'penstock.stream': key,
    ...(Buffer.byteLength(text) <= MOST_SUMMARY_BYTES && { 'penstock.checkpoint': text }),
  };
}

/** Properties that mirror the checkpoint, with the snapshot that was current when they were written. */
export function checkpointProperties(
  keys: CheckpointKeys,
  checkpoint: CommitCheckpoint,
  snapshotId: ExactInteger | undefined,
): Record<string, string> {
  return { [keys.checkpoint]: JSON.stringify(checkpoint), [keys.snapshot]: String(snapshotId ?? '') };
}

/**
 * The checkpoint of the table's present state. The property holds it, unless the table was rolled back by hand to an
 * older snapshot: then it is the one of the newest snapshot of ours that the table still stands on.
 */
export function readCheckpoint(metadata: TableMetadata, checkpointKey: string): CommitCheckpoint | undefined {
  const keys = checkpointKeys(checkpointKey);
  const text = metadata.properties[keys.checkpoint];
  if (text === undefined) return undefined;
  if (!isRolledBack(metadata, metadata.properties[keys.snapshot] ?? '')) return JSON.parse(text) as CommitCheckpoint;
  for (const snapshot of snapshotAncestry(metadata)) {
    const { summary } = snapshot;
    if (summary['penstock.stream'] !== checkpointKey) continue;
    const own = summary['penstock.checkpoint'];
    return own === undefined ? undefined : (JSON.parse(own) as CommitCheckpoint);
  }
  return undefined;
}

/** True when the snapshot is known but the current one does not descend from it. */
function isRolledBack(metadata: TableMetadata, writtenAt: string): boolean {
  if (writtenAt === '') return false;
  const number = Number(writtenAt);
  const id = Number.isSafeInteger(number) ? number : BigInt(writtenAt);
  if (!findSnapshot(metadata, id)) return currentSnapshot(metadata) === undefined;
  for (const snapshot of snapshotAncestry(metadata)) if (snapshot['snapshot-id'] === id) return false;
  return true;
}
