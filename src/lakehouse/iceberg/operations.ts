import type { CommitCheckpoint } from './checkpoint.ts';
import { checkpointProperties, summaryKeys } from './checkpoint.ts';
import { Failure } from '../../errors.ts';
import type { Change } from './committer.ts';
import { conflict, removeFiles } from './committer.ts';
import type { MetadataVersion } from './metadata.ts';
import { currentSnapshot, snapshotAncestry, withProperties } from './metadata.ts';
import type { DataFile, ManifestFile, TableMetadata } from './model.ts';
import { proposeSnapshot, readSnapshotTotals } from './snapshot.ts';
import { withdrawMarker } from './session.ts';
import type { StagedManifest } from './staged.ts';
import { formatStaged, loadStaged, readStaged, tallyFiles } from './staged.ts';
import type { IcebergCommit, OpenState } from './state.ts';

/** A commit of data that was written before: what a retry repeats is metadata and manifest list only. */
export interface DataCommit {
  readonly operation: 'append' | 'overwrite';
  /** True when nothing of the older content stays. */
  readonly replaces: boolean;
  readonly manifests: readonly ManifestFile[];
  readonly files: readonly DataFile[];
  readonly liveRows: number;
  readonly checkpoint: CommitCheckpoint;
  /** What the commit does to the rows of the state it stands on; asked again after a conflict. */
  readonly revise?: (base: MetadataVersion) => Promise<Revision>;
}

/** Changes of older files that belong to one state of the table. */
export interface Revision {
  readonly manifests: readonly ManifestFile[];
  readonly files: readonly DataFile[];
  readonly removes: ReadonlySet<string>;
  /** Files that serve this revision alone. */
  readonly written: readonly string[];
}

const noRevision: Revision = { manifests: [], files: [], removes: new Set(), written: [] };

/** Makes the data visible in one snapshot, together with the checkpoint. */
export async function commitData(state: OpenState, commit: DataCommit): Promise<IcebergCommit> {
  const { keys, options, names } = state;
  const { checkpoint } = commit;
  const change: Change = async (base, now) => {
    assertOwned(state, base);
    if (commit.replaces) assertNothingForeign(state, base);
    const revision = (await commit.revise?.(base)) ?? noRevision;
    const { metadata, written } = await proposeSnapshot(
      { ...options, names },
      {
        operation: commit.operation,
        base,
        now,
        metadata: base.metadata,
        added: [...commit.manifests, ...revision.manifests],
        addedTally: tallyFiles([...commit.files, ...revision.files]),
        removes: commit.replaces ? 'everything' : revision.removes.size > 0 ? revision.removes : 'nothing',
        extra: summaryKeys(options.checkpointKey, checkpoint),
        finish: (next, id) =>
          withProperties(next, {
            ...checkpointProperties(keys, checkpoint, id),
            ...(commit.replaces && { [keys.staged]: undefined }),
          }),
      },
    );
    return { metadata, written: [...written, ...revision.written] };
  };
  const committed = await runCommit(state, checkpoint, change);
  const snapshot = currentSnapshot(committed.metadata)!;
  rememberOwn(state, committed.metadata);
  const totals = await readSnapshotTotals(options.storage, snapshot);
  state.rows = totals.records - totals.positionDeletes;
  return { version: String(snapshot['snapshot-id']), rows: commit.liveRows, tableRows: state.rows };
}

/** Snapshots that the table has forgotten need not be known any more. */
function rememberOwn({ ownSnapshots }: OpenState, metadata: TableMetadata): void {
  ownSnapshots.add(currentSnapshot(metadata)!['snapshot-id']);
  if (ownSnapshots.size <= 2 * metadata.snapshots.length + 100) return;
  const known = new Set(metadata.snapshots.map((one) => one['snapshot-id']));
  for (const id of ownSnapshots) if (!known.has(id)) ownSnapshots.delete(id);
}

/** Records the checkpoint, and with `staged` one more manifest, without a snapshot. */
export async function commitProperties(
  state: OpenState,
  checkpoint: CommitCheckpoint,
  staged?: StagedManifest,
): Promise<IcebergCommit> {
  const { keys } = state;
  const committed = await runCommit(state, checkpoint, async (base) => {
    assertOwned(state, base);
    const { metadata } = base;
    const list = staged && formatStaged([...readStaged(metadata, keys.staged), staged]);
    return {
      metadata: withProperties(metadata, {
        ...checkpointProperties(keys, checkpoint, metadata['current-snapshot-id']),
        ...(list !== undefined && { [keys.staged]: list }),
      }),
      written: [],
    };
  });
  const version = committed.location.slice(committed.location.lastIndexOf('/') + 1);
  return { version, rows: staged?.rows ?? 0, tableRows: state.rows };
}

async function runCommit(state: OpenState, checkpoint: CommitCheckpoint, change: Change): Promise<MetadataVersion> {
  await state.layout.announce();
  try {
    const committed = await state.committer.commit(change);
    state.checkpoint = checkpoint;
    state.checkpointText = committed.metadata.properties[state.keys.checkpoint];
    return committed;
  } catch (error) {
    state.clean = false;
    throw error;
  }
}

/** Refuses to commit over a newer attempt of the same job. */
function assertOwned(state: OpenState, base: MetadataVersion): void {
  const { properties } = base.metadata;
  const { keys } = state;
  if (properties[keys.attempt] !== state.attemptText || properties[keys.checkpoint] !== state.checkpointText) {
    const { database, table } = state.options.name;
    throw new Failure('lease_lost', `A newer attempt of this job has written to ${database}.${table}.`);
  }
}

/**
 * Refuses to replace what another writer added since this session opened the table. Snapshots that changed no row
 * (compactions) may go.
 */
function assertNothingForeign(state: OpenState, base: MetadataVersion): void {
  for (const snapshot of snapshotAncestry(base.metadata)) {
    const id = snapshot['snapshot-id'];
    if (id === state.baseline) return;
    if (!state.ownSnapshots.has(id) && snapshot.summary.operation !== 'replace') {
      throw conflict(state.options.name, 'another writer has changed the rows that were to be replaced');
    }
  }
  if (state.baseline !== undefined) throw conflict(state.options.name, 'the table was rolled back meanwhile');
}

/** Replaces the table's content by everything staged, in one snapshot. */
export async function publishStaged(state: OpenState, checkpoint: CommitCheckpoint): Promise<IcebergCommit> {
  const { options, committer, keys } = state;
  const { metadata } = committer.current;
  const manifests: ManifestFile[] = [];
  const files: DataFile[] = [];
  for (const { path } of readStaged(metadata, keys.staged)) {
    const loaded = await loadStaged(options.storage, metadata, path);
    manifests.push(loaded.manifest);
    files.push(...loaded.files);
  }
  const liveRows = files.reduce((sum, file) => sum + file.records, 0);
  return commitData(state, { operation: 'overwrite', replaces: true, manifests, files, liveRows, checkpoint });
}

/** Forgets what was staged, then removes its files. */
export async function discardStaged(state: OpenState): Promise<void> {
  const { options, committer, keys } = state;
  const before: TableMetadata = committer.current.metadata;
  const staged = readStaged(before, keys.staged);
  if (staged.length === 0) return;
  const paths: string[] = [];
  for (const { path } of staged) {
    const { files } = await loadStaged(options.storage, before, path);
    paths.push(path, ...files.map((file) => file.path));
  }
  await state.layout.announce();
  await committer.commit(async (base) => {
    assertOwned(state, base);
    return { metadata: withProperties(base.metadata, { [keys.staged]: undefined }), written: [] };
  });
  options.world.reach('iceberg.staged-forgotten');
  await removeFiles(options.storage, paths);
  options.world.reach('iceberg.staged-removed');
}

/** Removes the marker when nothing was left behind. Units still open count as left behind. */
export async function closeTable(state: OpenState): Promise<void> {
  if (!state.clean || state.openUnits > 0) return;
  await withdrawMarker(state);
}
