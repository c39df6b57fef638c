import { Failure } from '../../errors.ts';
import { checkpointKeys } from '../iceberg/checkpoint.ts';
import { createCommitter } from '../iceberg/committer.ts';
import { createLiveReader } from '../iceberg/live-files.ts';
import { createFileNames } from '../iceberg/names.ts';
import { createAnnouncer, recover, withdrawMarker } from '../iceberg/session.ts';
import type { CompactionResult } from './compact.ts';
import { compactTable } from './compact.ts';
import { expireSnapshots } from './expire.ts';
import { removeOrphans } from './orphans.ts';
import type { UpkeepOptions, UpkeepResult, UpkeepSession } from './types.ts';

/** Upkeep works under a name like a job's, so that the next one finds what a killed one left. */
const UPKEEP = 'penstock/upkeep/table';

/**
 * Compacts the table, forgets old snapshots and removes what nothing names, as far as the policy asks for it. Other
 * writers may be at work all the time; whatever they change is left to the next upkeep. Undefined when there is no table.
 */
export async function maintainIcebergTable(options: UpkeepOptions): Promise<UpkeepResult | undefined> {
  const start = await options.catalog.load(options.name);
  if (!start) return undefined;
  const { location } = start.metadata;
  options.allowLocation?.(location);
  const names = createFileNames(options.world, { location, checkpointKey: UPKEEP, run: 'upkeep' });
  const committer = createCommitter(options, names, start);
  const keys = checkpointKeys(UPKEEP);
  const parts = { options, names, committer, keys, announce: createAnnouncer(options, names) };
  await recover(parts);
  const attempt = committer.current.metadata.properties[keys.attempt];
  const session: UpkeepSession = {
    ...parts,
    live: createLiveReader(options.storage),
    assertNewest(properties) {
      if (properties[keys.attempt] === attempt) return;
      const { database, table } = options.name;
      throw new Failure('lease_lost', `A newer upkeep of ${database}.${table} has begun.`);
    },
  };
  const result = await work(session);
  await withdrawMarker(session);
  return result;
}

async function work(session: UpkeepSession): Promise<UpkeepResult> {
  const { compact, expireSnapshots: expiry, removeOrphans: orphans } = session.options.policy;
  const compacted = compact && (await tryCompaction(session, compact));
  const expired = expiry && (await expireSnapshots(session, expiry));
  const swept = orphans && (await removeOrphans(session, orphans));
  return {
    compactedFiles: compacted?.compactedFiles ?? 0,
    writtenFiles: compacted?.writtenFiles ?? 0,
    removedDeleteFiles: compacted?.removedDeleteFiles ?? 0,
    expiredSnapshots: expired?.expiredSnapshots ?? 0,
    removedFiles: (expired?.removal.files ?? 0) + (swept?.files ?? 0),
    removedBytes: (expired?.removal.bytes ?? 0) + (swept?.bytes ?? 0),
  };
}

/** A table with columns that we cannot write is not compacted; the rest of its upkeep goes on. */
async function tryCompaction(
  session: UpkeepSession,
  bounds: Parameters<typeof compactTable>[1],
): Promise<CompactionResult | undefined> {
  try {
    return await compactTable(session, bounds);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'configuration_invalid') throw error;
    session.options.notice?.(error.message);
    return undefined;
  }
}
