import { Failure } from '../../errors.ts';
import type { CommitCheckpoint } from './checkpoint.ts';
import { UnknownOutcome, removeFiles } from './committer.ts';
import { currentSchema } from './metadata.ts';
import type { DataFile, ManifestFile, PartitionSpec } from './model.ts';
import { dataContent, deleteContent } from './model.ts';
import { unpartitionedSpec } from './open.ts';
import { commitData, commitProperties } from './operations.ts';
import { createPartitionedFiles } from './partitioned-files.ts';
import { addedEntry, writeManifest } from './snapshot.ts';
import type { CommitEffect, IcebergCommit, IcebergUnit, OpenState } from './state.ts';
import type { UnitFiles, WriteLayout } from './unit-files.ts';
import { createPlainFiles } from './unit-files.ts';
import type { UpsertDeletes } from './upsert.ts';
import { writeUpsertDeletes } from './upsert.ts';

/** No file is created before the first row. */
export function createUnitFiles(layout: WriteLayout): UnitFiles {
  return layout.partitionFields.length > 0 ? createPartitionedFiles(layout) : createPlainFiles(layout);
}

/** Starts a unit of new files, or of files that are complete already. */
export function createUnit(state: OpenState, files: UnitFiles = createUnitFiles(state.layout)): IcebergUnit {
  const { layout } = state;
  const prepared: string[] = [];
  let status: 'open' | 'committing' | 'committed' | 'uncertain' | 'aborted' = 'open';
  state.openUnits += 1;

  return {
    get bytes() {
      return files.bytes;
    },
    get rows() {
      return files.rows;
    },
    async write(batch) {
      if (status !== 'open') throw new Failure('internal', `A batch came to a unit that is ${status}.`);
      return files.write(batch);
    },
    async commit(effect, checkpoint) {
      if (status !== 'open') throw new Failure('internal', `A unit that is ${status} cannot be committed.`);
      status = 'committing';
      try {
        const commit = await commitUnit({ state, files, prepared }, effect, checkpoint);
        status = 'committed';
        state.openUnits -= 1;
        return commit;
      } catch (error) {
        state.clean = false;
        if (error instanceof UnknownOutcome) status = 'uncertain';
        throw error;
      }
    },
    async abort() {
      if (status === 'committed' || status === 'aborted') return;
      state.openUnits -= 1;
      // Files of a commit whose outcome is unknown may be in the table; a later recovery decides.
      if (status !== 'uncertain') {
        await files.abort();
        await removeFiles(layout.storage, prepared);
      }
      status = 'aborted';
    },
  };
}

interface UnitParts {
  readonly state: OpenState;
  readonly files: UnitFiles;
  /** Files besides the data files that an abort has to remove. */
  readonly prepared: string[];
}

async function commitUnit(
  parts: UnitParts,
  effect: CommitEffect,
  checkpoint: CommitCheckpoint,
): Promise<IcebergCommit> {
  const { state, files, prepared } = parts;
  const written = await files.finish();
  const { metadata } = state.committer.current;
  const deletes = effect === 'upsert' ? await prepareDeletes(parts, written) : undefined;
  const manifests: ManifestFile[] = [];
  if (files.manifest) manifests.push(files.manifest);
  const add = async (content: number, spec: PartitionSpec, list: readonly DataFile[]): Promise<void> => {
    if (list.length === 0) return;
    const schema = currentSchema(metadata);
    const manifest = await writeManifest(
      { ...state.options, names: state.names },
      { content, schema, spec, entries: list.map(addedEntry) },
    );
    manifests.push(manifest);
    prepared.push(manifest.path);
  };
  if (!files.manifest) await add(dataContent, state.layout.spec, written);
  if (deletes) {
    await add(deleteContent, unpartitionedSpec(metadata), deletes.equality);
    await add(deleteContent, state.layout.spec, deletes.position);
  }
  const all = [...written, ...(deletes?.equality ?? []), ...(deletes?.position ?? [])];
  if (manifests.length === 0) return commitProperties(state, checkpoint);
  if (effect === 'stage') return commitProperties(state, checkpoint, { path: manifests[0]!.path, rows: files.rows });
  return commitData(state, {
    operation: deletes ? 'overwrite' : 'append',
    replaces: false,
    manifests,
    files: all,
    liveRows: deletes?.liveRows ?? files.rows,
    checkpoint,
  });
}

async function prepareDeletes(parts: UnitParts, written: readonly DataFile[]): Promise<UpsertDeletes> {
  const { state, files, prepared } = parts;
  const { identifier, removes } = state.options;
  if (identifier === undefined) {
    throw new Failure('internal', 'An upsert came to a table that was opened without an identifier.');
  }
  const deletes = await writeUpsertDeletes(state.layout, { files: written, slices: files.slices, identifier, removes });
  for (const file of [...deletes.equality, ...deletes.position]) prepared.push(file.path);
  return deletes;
}
