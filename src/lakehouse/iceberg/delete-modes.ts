import { Failure } from '../../errors.ts';
import { removeFiles } from './committer.ts';
import type { DeadByFile } from './dead-rows.ts';
import { createDeadRows } from './dead-rows.ts';
import type { ScanPorts } from './equality-scan.ts';
import type { LiveFile, LiveFiles } from './live-files.ts';
import { applies } from './live-files.ts';
import { addedEntry, writeManifest } from './manifest-files.ts';
import type { MetadataVersion } from './metadata.ts';
import { findSpec } from './metadata.ts';
import type { DataFile, ManifestEntry, ManifestFile, TableMetadata } from './model.ts';
import { dataContent, deleteContent } from './model.ts';
import type { Revision } from './operations.ts';
import { bindSpec, schemaOfSpec } from './partition.ts';
import type { DeletePorts, DeletedRows, PlacedFile } from './position-deletes.ts';
import { writePositionDeletes } from './position-deletes.ts';
import { findDeadRows, layoutOfTable, rewriteLiveRows } from './rewrite.ts';
import { createRowSearch } from './row-search.ts';
import type { OpenState } from './state.ts';
import type { UnitKeys } from './upsert.ts';

export type Revise = (base: MetadataVersion) => Promise<Revision>;

/** Removes the older rows by their places, for readers that do not know equality deletes. */
export function reviseByPosition(state: OpenState, unit: UnitKeys): Revise {
  const search = createRowSearch(scanPorts(state), state.committer.current.metadata, {
    unit,
    fieldId: keyField(state),
  });
  return async ({ metadata }) => {
    const live = await state.live.read(metadata);
    const dead = await state.positions.load(live);
    state.keyCache.retain(new Set(live.data.map(({ entry }) => entry.file.path)));
    const deleted: DeletedRows[] = [];
    for (const file of live.data) {
      const { path } = file.entry.file;
      const rows = createDeadRows();
      for (const row of (await search.find(file))?.rows() ?? []) if (!dead.get(path)?.has(row)) rows.add(row);
      deleted.push({ file: file.entry.file, specId: file.specId, dead: rows });
    }
    const files = await writePositionDeletes(deletePorts(state, metadata), deleted);
    const manifests = await writeDeleteManifests(state, metadata, files);
    return {
      manifests,
      files: files.map(({ file }) => file),
      removes: new Set(),
      written: [...files.map(({ file }) => file.path), ...manifests.map(({ path }) => path)],
    };
  };
}

function scanPorts({ options, keyCache }: OpenState): ScanPorts {
  return { storage: options.storage, keyCache };
}

export function keyField({ layout, options }: OpenState): number {
  const key = layout.columns.find(({ column }) => column.name === options.identifier);
  if (key) return key.fieldId;
  throw new Failure('internal', 'An upsert came to a table that was opened without an identifier.');
}

export function deletePorts({ layout }: OpenState, metadata: TableMetadata): DeletePorts {
  return {
    ...layout,
    partitionFieldsOf: (specId) => bindSpec(findSpec(metadata, specId), metadata.schemas),
  };
}

/** One manifest for each spec. */
export async function writeDeleteManifests(
  state: OpenState,
  metadata: TableMetadata,
  files: readonly PlacedFile[],
): Promise<ManifestFile[]> {
  const placed = files.map(({ file, specId }) => ({ entry: addedEntry(file), specId }));
  return writeManifests(state, metadata, { content: deleteContent, placed });
}

interface PlacedEntries {
  readonly content: number;
  readonly placed: readonly { readonly entry: ManifestEntry; readonly specId: number }[];
}

async function writeManifests(
  state: OpenState,
  metadata: TableMetadata,
  { content, placed }: PlacedEntries,
): Promise<ManifestFile[]> {
  const manifests: ManifestFile[] = [];
  for (const [specId, group] of Map.groupBy(placed, (one) => one.specId)) {
    const spec = findSpec(metadata, specId);
    const schema = schemaOfSpec(metadata, spec);
    const entries = group.map(({ entry }) => entry);
    manifests.push(await writeManifest(state.layout, { content, schema, spec, entries }));
  }
  return manifests;
}

/** A file written anew without rows that are dead. */
interface Rewritten {
  /** The deletes that were applied. */
  readonly deletes: string;
  readonly sequence: number;
  readonly outputs: readonly DataFile[];
}

/**
 * Removes the older rows by writing their files anew, so that the table needs no deletes. After a conflict a file is
 * written once more only if other deletes hold for it since. `prepared` gets what an abort has to remove.
 */
export function reviseByCopy(state: OpenState, unit: UnitKeys, prepared: string[]): Revise {
  const search = createRowSearch(scanPorts(state), state.committer.current.metadata, {
    unit,
    fieldId: keyField(state),
  });
  const done = new Map<string, Rewritten>();

  async function rewrite(base: MetadataVersion, live: LiveFiles, file: LiveFile): Promise<Rewritten | undefined> {
    const { path } = file.entry.file;
    const doomed = await search.find(file);
    if (!doomed || doomed.count === 0) return undefined;
    const holding = live.deletes.filter((one) => applies(one, file));
    const deletes = holding.map((one) => one.entry.file.path).join('\n');
    const known = done.get(path);
    if (known?.deletes === deletes) return known;
    await removeFiles(state.options.storage, known?.outputs.map((output) => output.path) ?? []);
    const dead: DeadByFile = await findDeadRows(state.options, base.metadata, { data: [file], deletes: holding });
    const rows = dead.get(path) ?? createDeadRows();
    const before = rows.count;
    for (const row of doomed.rows()) rows.add(row);
    if (rows.count === before) return undefined;
    const layout = layoutOfTable(base.metadata, state.layout, file.specId);
    const outputs = await rewriteLiveRows(layout, [file.entry.file], { dead: new Map([[path, rows]]) });
    prepared.push(...outputs.map((output) => output.path));
    const rewritten = { deletes, outputs, sequence: base.metadata['last-sequence-number'] };
    done.set(path, rewritten);
    return rewritten;
  }
  return async (base) => {
    const live = await state.live.read(base.metadata);
    state.keyCache.retain(new Set(live.data.map(({ entry }) => entry.file.path)));
    const removes = new Set<string>();
    const placed: { entry: ManifestEntry; specId: number }[] = [];
    for (const file of live.data) {
      const rewritten = await rewrite(base, live, file);
      if (!rewritten) continue;
      removes.add(file.entry.file.path);
      const { outputs, sequence } = rewritten;
      for (const output of outputs) placed.push({ entry: addedEntry(output, sequence), specId: file.specId });
    }
    const manifests = await writeManifests(state, base.metadata, { content: dataContent, placed });
    const files = placed.map(({ entry }) => entry.file);
    return { manifests, files, removes, written: manifests.map(({ path }) => path) };
  };
}
