import type { ColumnBatch } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { removeFiles } from './committer.ts';
import { currentSchema } from './metadata.ts';
import { dataContent } from './model.ts';
import { createFileNames } from './names.ts';
import { bindSpec } from './partition.ts';
import { fieldIds } from './schema.ts';
import { addedEntry, writeManifest } from './manifest-files.ts';
import { loadStaged } from './staged.ts';
import type { LoadedManifest } from './staged.ts';
import type { IcebergTableOptions, IcebergTicket, IcebergUnit, OpenState, SealedFiles } from './state.ts';
import { createUnit, createUnitFiles } from './unit.ts';
import type { UnitFiles, WriteLayout, WrittenBatch } from './unit-files.ts';

/** Writes units for a table that another process holds open, under that opening's name. */
export interface IcebergWriter {
  beginUnit(): IcebergWriterUnit;
}

export interface IcebergWriterUnit {
  write(batch: ColumnBatch): Promise<WrittenBatch>;
  readonly bytes: number;
  readonly rows: number;
  /** Closes the files and lists them in a manifest; both are durable then, and nobody's until they are adopted. */
  seal(): Promise<SealedFiles>;
  abort(): Promise<void>;
}

export type JoinOptions = Pick<
  IcebergTableOptions,
  'storage' | 'world' | 'columns' | 'checkpointKey' | 'run' | 'codec' | 'targetFileBytes' | 'allowLocation'
>;

/** What a writer elsewhere needs to know of this opening. Its files are looked for by the next one. */
export function issueTicket(state: OpenState): IcebergTicket {
  const { metadata } = state.committer.current;
  state.clean = false;
  return {
    location: metadata.location,
    session: state.names.session,
    schema: currentSchema(metadata),
    spec: state.layout.spec,
  };
}

/**
 * Joins the opening that issued the ticket. Asks no catalog and reads no metadata. The files bear the opening's name: as
 * long as it lasts nobody takes them for left behind, and after an unclean end the next opening does.
 */
export function joinIcebergTable(options: JoinOptions, ticket: IcebergTicket): IcebergWriter {
  const { location, session, schema, spec } = ticket;
  options.allowLocation?.(location);
  const names = createFileNames(options.world, { ...options, location }, { session });
  const ids = fieldIds(schema, options.columns);
  let announced: Promise<unknown> | undefined;
  const layout: WriteLayout = {
    ...options,
    names,
    columns: options.columns.map((column, at) => ({ column, fieldId: ids[at]! })),
    spec,
    partitionFields: bindSpec(spec, [schema]),
    targetBytes: options.targetFileBytes,
    tracksOrder: false,
    // A newer opening may have left its own marker meanwhile; that one finds these files as well.
    announce: async () => {
      announced ??= options.storage.put(names.markerPath, Buffer.from(session), { ifAbsent: true });
      await announced;
    },
  };
  return { beginUnit: () => createWriterUnit(layout, ticket) };
}

function createWriterUnit(layout: WriteLayout, { schema, spec }: IcebergTicket): IcebergWriterUnit {
  const files = createUnitFiles(layout);
  const manifests: string[] = [];
  let isSealed = false;
  return {
    get bytes() {
      return files.bytes;
    },
    get rows() {
      return files.rows;
    },
    async write(batch) {
      if (isSealed) throw new Failure('internal', 'A batch came to a unit that is sealed.');
      return files.write(batch);
    },
    async seal() {
      isSealed = true;
      const written = await files.finish();
      if (written.length === 0) return { manifest: null };
      const entries = written.map((file) => addedEntry(file));
      const manifest = await writeManifest(layout, { content: dataContent, schema, spec, entries });
      manifests.push(manifest.path);
      return { manifest: manifest.path };
    },
    async abort() {
      await files.abort();
      await removeFiles(layout.storage, manifests);
    },
  };
}

/** Takes over the files of a sealed unit, to be committed or aborted like those of a unit of this process. */
export async function adoptUnit(state: OpenState, sealed: SealedFiles): Promise<IcebergUnit> {
  if (sealed.manifest === null) return createUnit(state);
  const { storage } = state.layout;
  const { metadata } = state.committer.current;
  if (!state.names.isOfSession(sealed.manifest)) {
    throw new Failure('internal', 'A sealed unit was written for another opening of the table.');
  }
  const loaded = await loadStaged(storage, metadata, sealed.manifest);
  return createUnit(state, completeFiles(state, loaded));
}

/** Rows of a sealed unit are in no particular order; among rows with the same id any may stay. */
function completeFiles(state: OpenState, { manifest, files }: LoadedManifest): UnitFiles {
  return {
    slices: undefined,
    manifest,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    rows: files.reduce((sum, file) => sum + file.records, 0),
    async write() {
      throw new Failure('internal', 'A batch came to a unit that is sealed.');
    },
    finish: async () => files,
    abort: () => removeFiles(state.layout.storage, [manifest.path, ...files.map((file) => file.path)]),
  };
}
