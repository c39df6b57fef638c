import type { Column } from '../../../columns/index.ts';
import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import { newId } from '../../../world.ts';
import type { TableName } from '../../catalog/port.ts';
import type { Storage } from '../../storage/types.ts';
import { forEach } from './for-each.ts';
import { createLayout } from './layout.ts';
import type { TableLayout } from './layout.ts';
import { createManifestLog } from './log.ts';
import type { ManifestLog } from './log.ts';
import { columnIds, mergeSchema } from './manifest.ts';
import type { Manifest, ManifestFile } from './manifest.ts';
import { findLeftovers, finishRenames } from './recover.ts';

/** Points of the protocol at which a crash must be harmless, for fault tests to enumerate. */
export const parquetStoppingPoints: readonly string[] = [
  'parquet.file-written',
  'parquet.before-manifest',
  'parquet.commit-decided',
  'parquet.manifest-written',
  'parquet.file-visible',
  'parquet.replaced-removed',
  'parquet.committed',
  'parquet.recovered',
  'parquet.manifest-removed',
];

export interface ParquetTableOptions {
  readonly storage: Storage;
  readonly world: World;
  /** Folder of the table, absolute. */
  readonly folder: string;
  readonly name: TableName;
  readonly columns: readonly Column[];
  readonly checkpointKey: string;
  readonly run: string;
  /** Called right before a commit is decided; throws when this attempt no longer owns its work. */
  readonly guard: () => Promise<void>;
}

/** One step of a table's history. */
export interface TableChange {
  readonly effect: 'append' | 'stage' | 'publish' | 'discard';
  readonly files: readonly ManifestFile[];
  /** Undefined leaves the stream's checkpoint as it is. */
  readonly checkpoint?: unknown;
  /** Called when the decision is about to be tried: from then on the files may belong to the table. */
  readonly onDeciding?: () => void;
}

/** A folder of Parquet files whose `_manifest.json` is the truth (OLake contract, section 8.1), as one stream writes it. */
export interface ParquetTable {
  readonly layout: TableLayout;
  /** The newest manifest that this table has seen. */
  readonly manifest: Manifest;
  readonly staged: readonly ManifestFile[];
  /** Decides the change, then makes it visible. Changes of one table follow each other. */
  commit(change: TableChange): Promise<Manifest>;
}

const TRIES = 20;

/** Opens a table: carries decided commits forward, finishes their renames and clears away what was never committed. */
export async function openParquetTable(options: ParquetTableOptions): Promise<ParquetTable> {
  const { storage, world, folder, name, checkpointKey } = options;
  const layout = createLayout(world, folder, checkpointKey);
  const log = createManifestLog({ storage, world }, folder, name);
  let manifest = await recover(options, layout, log);
  const owner = manifest.owners[checkpointKey];
  let last: Promise<unknown> = Promise.resolve();

  async function decide(change: TableChange): Promise<Manifest> {
    for (let tries = 0; tries < TRIES; tries++) {
      const next = nextManifest(options, manifest, change);
      await options.guard();
      change.onDeciding?.();
      if (await log.append(next)) return next;
      const seen = manifest;
      manifest = await log.load();
      refuseForeignWork({ seen, now: manifest, owner }, options);
    }
    throw new Failure(
      'commit_conflict',
      `The table "${name.database}.${name.table}" is changed by others without pause.`,
    );
  }
  async function commit(change: TableChange): Promise<Manifest> {
    const next = await decide(change);
    const previous = manifest;
    manifest = next;
    await makeVisible(options, layout, { previous, next, change });
    world.reach('parquet.committed');
    return next;
  }

  return {
    layout,
    get manifest() {
      return manifest;
    },
    get staged() {
      return manifest.staged[checkpointKey] ?? [];
    },
    commit(change) {
      const result = last.then(() => commit(change));
      last = result.catch(() => {});
      return result;
    },
  };
}

/** Another attempt of the same stream has committed, or has taken the stream over: this one must not go on. */
function refuseForeignWork(
  { seen, now, owner }: { seen: Manifest; now: Manifest; owner: string | undefined },
  { checkpointKey, name }: ParquetTableOptions,
): void {
  const same = JSON.stringify(seen.checkpoints[checkpointKey]) === JSON.stringify(now.checkpoints[checkpointKey]);
  if (same && now.owners[checkpointKey] === owner) return;
  throw new Failure('commit_conflict', `Another attempt of this stream has changed "${name.database}.${name.table}".`);
}

function nextManifest(options: ParquetTableOptions, manifest: Manifest, change: TableChange): Manifest {
  const { world, checkpointKey, columns } = options;
  const { [checkpointKey]: ownStaged = [], ...othersStaged } = manifest.staged;
  const staged =
    change.effect === 'stage' ? [...ownStaged, ...change.files] : change.effect === 'append' ? ownStaged : [];
  const { checkpoint } = change;
  return {
    ...manifest,
    table: options.name,
    sequence: manifest.sequence + 1,
    commit: newId(world, 'commit'),
    committed_at: world.now().toISOString(),
    schema: schemaAfter(manifest, columns, change),
    files: filesAfter(manifest, ownStaged, change),
    staged: staged.length === 0 ? othersStaged : { ...othersStaged, [checkpointKey]: staged },
    checkpoints:
      checkpoint === undefined ? manifest.checkpoints : { ...manifest.checkpoints, [checkpointKey]: checkpoint },
  };
}

function schemaAfter(manifest: Manifest, columns: readonly Column[], change: TableChange): Manifest['schema'] {
  if (change.effect === 'append') return mergeSchema(manifest.schema, columns);
  if (change.effect !== 'publish') return manifest.schema;
  const ids = columnIds(manifest.schema, columns);
  return mergeSchema([], columns).map((column) => ({ ...column, id: ids.get(column.name)! }));
}

function filesAfter(manifest: Manifest, staged: readonly ManifestFile[], change: TableChange): readonly ManifestFile[] {
  const fresh = change.files.map(withoutStaged);
  if (change.effect === 'append') return [...manifest.files, ...fresh];
  return change.effect === 'publish' ? [...staged.map(withoutStaged), ...fresh] : manifest.files;
}

function withoutStaged({ path, rows, bytes, run }: ManifestFile): ManifestFile {
  return { path, rows, bytes, run };
}

/** Renames what became visible, then removes what was replaced. Repeating it after a crash changes nothing more. */
async function makeVisible(
  { storage, world, checkpointKey }: ParquetTableOptions,
  layout: TableLayout,
  { previous, next, change }: { previous: Manifest; next: Manifest; change: TableChange },
): Promise<void> {
  const staged = previous.staged[checkpointKey] ?? [];
  const due =
    change.effect === 'publish' ? [...staged, ...change.files] : change.effect === 'append' ? change.files : [];
  const renames = due.map((file) => ({ from: file.staged!, to: file.path }));
  await finishRenames({ storage, world }, layout, renames);
  const kept = new Set(next.files.map((file) => file.path));
  const dropped = previous.files.filter((file) => !kept.has(file.path)).map((file) => file.path);
  if (change.effect === 'discard') dropped.push(...staged.map((file) => file.staged!));
  await forEach(dropped, async (path) => {
    await storage.remove(layout.absolute(path));
    world.reach('parquet.replaced-removed');
  });
}

async function recover(options: ParquetTableOptions, layout: TableLayout, log: ManifestLog): Promise<Manifest> {
  const { storage, world, folder, checkpointKey } = options;
  const paths = (await storage.list(folder, { unfinished: true })).map((path) => layout.relative(path));
  let manifest = await log.load();
  const { renames, replaced, abandoned } = findLeftovers(paths, manifest, layout);
  await finishRenames({ storage, world }, layout, renames);
  await forEach(replaced, (path) => storage.remove(layout.absolute(path)));
  if (abandoned.length > 0) {
    manifest = await takeOver(options, log, manifest);
    await forEach(abandoned, (path) => storage.remove(layout.absolute(path)));
    if (manifest.staged[checkpointKey] === undefined) await storage.removeFolder(layout.absolute(layout.streamStaging));
  }
  if (paths.length > 0) world.reach('parquet.recovered');
  return manifest;
}

/**
 * Makes this opening the only one that may commit for its stream, before files of another are removed: an attempt that
 * was given up for dead but still runs is refused from here on, so it can never list a file that is gone.
 */
async function takeOver(options: ParquetTableOptions, log: ManifestLog, first: Manifest): Promise<Manifest> {
  const { world, checkpointKey, guard } = options;
  let manifest = first;
  for (;;) {
    const owners = { ...manifest.owners, [checkpointKey]: newId(world, 'open') };
    const next = { ...manifest, sequence: manifest.sequence + 1, commit: newId(world, 'commit'), owners };
    await guard();
    if (await log.append({ ...next, committed_at: world.now().toISOString() })) return next;
    manifest = await log.load();
  }
}
