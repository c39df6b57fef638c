import { Failure } from '../../errors.ts';
import type { CommitCheckpoint } from './checkpoint.ts';
import { UnknownOutcome, removeFiles } from './committer.ts';
import { createDeadRows } from './dead-rows.ts';
import type { Revise } from './delete-modes.ts';
import { deletePorts, reviseByCopy, reviseByPosition, writeDeleteManifests } from './delete-modes.ts';
import { addedEntry, writeManifest } from './manifest-files.ts';
import { currentSchema } from './metadata.ts';
import type { DataFile, ManifestFile } from './model.ts';
import { dataContent } from './model.ts';
import { unpartitionedSpec } from './open.ts';
import { commitData, commitProperties } from './operations.ts';
import { createPartitionedFiles } from './partitioned-files.ts';
import type { PlacedFile } from './position-deletes.ts';
import { writePositionDeletes } from './position-deletes.ts';
import { rewriteLiveRows } from './rewrite.ts';
import type { CommitEffect, IcebergCommit, IcebergUnit, OpenState } from './state.ts';
import type { UnitFiles, WriteLayout } from './unit-files.ts';
import { createPlainFiles } from './unit-files.ts';
import type { UnitKeys } from './upsert.ts';
import { collectKeys, writeEqualityDeletes } from './upsert.ts';

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
  const upsert = effect === 'upsert' ? await prepareUpsert(parts, written) : undefined;
  const data = upsert?.data ?? written;
  const manifests: ManifestFile[] = [];
  if (files.manifest && data === written) manifests.push(files.manifest);
  else if (data.length > 0) {
    const entries = data.map((file) => addedEntry(file));
    const schema = currentSchema(metadata);
    const content = { content: dataContent, schema, spec: state.layout.spec, entries };
    manifests.push(await writeManifest(state.layout, content));
  }
  const deletes = upsert?.deletes ?? [];
  manifests.push(...(await writeDeleteManifests(state, metadata, deletes)));
  prepared.push(...manifests.map((manifest) => manifest.path));
  if (written.length === 0) return commitProperties(state, checkpoint);
  if (effect === 'stage') return commitProperties(state, checkpoint, { path: manifests[0]!.path, rows: files.rows });
  return commitData(state, {
    // An upsert of rows that are all new takes nothing away, and readers of appended rows may see it.
    operation: deletes.length > 0 || upsert?.revise ? 'overwrite' : 'append',
    replaces: false,
    manifests,
    files: [...data, ...deletes.map(({ file }) => file)],
    liveRows: upsert?.liveRows ?? files.rows,
    checkpoint,
    revise: upsert?.revise,
  });
}

/** What an upsert adds, and what it does to the older rows. */
interface Upsert {
  readonly data: readonly DataFile[];
  readonly deletes: readonly PlacedFile[];
  readonly liveRows: number;
  readonly revise?: Revise;
}

async function prepareUpsert(parts: UnitParts, written: readonly DataFile[]): Promise<Upsert> {
  const { state, files, prepared } = parts;
  const { identifier, removes, deleteMode = 'equality' } = state.options;
  const { layout } = state;
  const { metadata } = state.committer.current;
  if (identifier === undefined) {
    throw new Failure('internal', 'An upsert came to a table that was opened without an identifier.');
  }
  const input = { files: written, slices: files.slices, identifier, removes };
  const keys = await collectKeys(layout, input);
  const { liveRows } = keys;
  if (deleteMode === 'copy_on_write') {
    const data = await rewriteOwn(parts, written, keys);
    return { data, deletes: [], liveRows, revise: reviseByCopy(state, keys, prepared) };
  }
  const specId = layout.spec['spec-id'];
  const own = written.map((file) => ({ file, specId, dead: keys.dead.get(file.path) ?? createDeadRows() }));
  const deletes = [...(await writePositionDeletes(deletePorts(state, metadata), own))];
  if (deleteMode === 'equality') {
    const everywhere = unpartitionedSpec(metadata)['spec-id'];
    const equality = await writeEqualityDeletes(layout, identifier, keys);
    deletes.push(...equality.map((file) => ({ file, specId: everywhere })));
  }
  prepared.push(...deletes.map(({ file }) => file.path));
  return {
    data: written,
    deletes,
    liveRows,
    ...(deleteMode === 'position' && { revise: reviseByPosition(state, keys) }),
  };
}

/** The unit's files without the rows that a later one of the unit replaces. */
async function rewriteOwn(parts: UnitParts, written: readonly DataFile[], keys: UnitKeys): Promise<DataFile[]> {
  const { layout } = parts.state;
  const data: DataFile[] = [];
  for (const file of written) {
    if (!keys.dead.has(file.path)) {
      data.push(file);
      continue;
    }
    const outputs = await rewriteLiveRows(layout, [file], { dead: keys.dead });
    parts.prepared.push(...outputs.map((output) => output.path));
    data.push(...outputs);
    await removeFiles(layout.storage, [file.path]);
  }
  return data;
}
