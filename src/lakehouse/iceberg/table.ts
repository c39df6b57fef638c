import { checkpointKeys, readCheckpoint } from './checkpoint.ts';
import type { Committer } from './committer.ts';
import { createCommitter } from './committer.ts';
import { cancelDrop, finishDrop } from './drop.ts';
import type { MetadataVersion } from './metadata.ts';
import { currentSchema, currentSnapshot, findSpec } from './metadata.ts';
import type { FileNames } from './names.ts';
import { createFileNames } from './names.ts';
import { adoptUnit, issueTicket } from './join.ts';
import { createKeyCache } from './equality-scan.ts';
import { createLiveReader } from './live-files.ts';
import { loadOrCreate, withShape } from './open.ts';
import { closeTable, discardStaged, publishStaged } from './operations.ts';
import { bindSpec } from './partition.ts';
import { createPositionIndex } from './row-search.ts';
import { readRowsAt } from './rows.ts';
import { fieldIds } from './schema.ts';
import type { Announcer, Session } from './session.ts';
import { createAnnouncer, recover } from './session.ts';
import { readSnapshotTotals } from './snapshot.ts';
import type { IcebergTable, IcebergTableOptions, OpenState } from './state.ts';
import { createUnit } from './unit.ts';

/**
 * Opens a table: recovers what a killed attempt of the same job left, creates it or evolves its columns. Commits are
 * compare-and-swap through the catalog, repeated on the newer state when another writer was first.
 */
export async function openIcebergTable(options: IcebergTableOptions): Promise<IcebergTable> {
  const known = createFileNames(options.world, { ...options, location: options.location });
  const announceNew = createAnnouncer(options, known);
  const start = await findOrCreate(options, known, announceNew);
  const { location } = start.metadata;
  options.allowLocation?.(location);
  const names = location === options.location ? known : createFileNames(options.world, { ...options, location });
  const announce = names === known ? announceNew : createAnnouncer(options, names);
  const committer = createCommitter(options, names, start);
  const keys = checkpointKeys(options.checkpointKey);
  await recover({ options, names, committer, keys, announce });
  await reshape(options, committer, announce);
  const state = await describe({ options, names, committer, keys, announce });
  return bindTable(state);
}

interface Opening extends Session {
  readonly options: IcebergTableOptions;
}

async function findOrCreate(
  options: IcebergTableOptions,
  names: FileNames,
  announce: Announcer,
): Promise<MetadataVersion> {
  const exists = await options.catalog.exists(options.name);
  if (exists) await cancelDrop(options.storage, options.location);
  else await finishDrop(options.storage, options.location);
  // A marker in the way of a new table is kept as the sign of an unclean end, which `recover` looks for.
  if (!exists && (await options.storage.size(names.markerPath)) === undefined) await announce();
  return loadOrCreate(options, names, { shape: options, location: options.location });
}

async function reshape(options: IcebergTableOptions, committer: Committer, announce: Announcer): Promise<void> {
  const { metadata } = committer.current;
  if (withShape(metadata, options) === metadata) return;
  await announce();
  await committer.commit(async (base) => ({ metadata: withShape(base.metadata, options), written: [] }));
}

async function describe(opening: Opening): Promise<OpenState> {
  const { options, names, committer, keys } = opening;
  const { metadata } = committer.current;
  const schema = currentSchema(metadata);
  const spec = findSpec(metadata, metadata['default-spec-id']);
  const ids = fieldIds(schema, options.columns);
  const totals = await readSnapshotTotals(options.storage, currentSnapshot(metadata));
  return {
    options,
    names,
    keys,
    committer,
    layout: {
      ...options,
      names,
      columns: options.columns.map((column, at) => ({ column, fieldId: ids[at]! })),
      spec,
      partitionFields: bindSpec(spec, metadata.schemas),
      targetBytes: options.targetFileBytes,
      tracksOrder: options.identifier !== undefined,
      announce: opening.announce,
    },
    live: createLiveReader(options.storage),
    positions: createPositionIndex(options),
    keyCache: createKeyCache(),
    ownSnapshots: new Set(),
    baseline: metadata['current-snapshot-id'],
    checkpointText: metadata.properties[keys.checkpoint],
    attemptText: metadata.properties[keys.attempt],
    checkpoint: readCheckpoint(metadata, options.checkpointKey),
    rows: totals.records - totals.positionDeletes,
    clean: true,
    openUnits: 0,
  };
}

function bindTable(state: OpenState): IcebergTable {
  const { options, committer } = state;
  return {
    get checkpoint() {
      return state.checkpoint;
    },
    get rows() {
      return state.rows;
    },
    get metadata() {
      return committer.current.metadata;
    },
    get metadataLocation() {
      return committer.current.location;
    },
    beginUnit: () => createUnit(state),
    publishStaged: (checkpoint) => publishStaged(state, checkpoint),
    discardStaged: () => discardStaged(state),
    ticket: () => issueTicket(state),
    adoptUnit: (sealed) => adoptUnit(state, sealed),
    readRows(places) {
      const present = async () => (await options.catalog.load(options.name))?.metadata;
      return readRowsAt({ storage: options.storage, columns: options.columns, present }, places);
    },
    close: () => closeTable(state),
  };
}
