import type { DeadByFile } from '../iceberg/dead-rows.ts';
import { createDeadRows } from '../iceberg/dead-rows.ts';
import type { Change, Proposal } from '../iceberg/committer.ts';
import { removeFiles } from '../iceberg/committer.ts';
import type { LiveFile, LiveFiles } from '../iceberg/live-files.ts';
import { applies } from '../iceberg/live-files.ts';
import { addedEntry, writeManifest } from '../iceberg/manifest-files.ts';
import type { MetadataVersion } from '../iceberg/metadata.ts';
import { findSpec } from '../iceberg/metadata.ts';
import type { DataFile, ManifestEntry, ManifestFile, TableMetadata } from '../iceberg/model.ts';
import { dataContent, deleteContent, positionDeletes } from '../iceberg/model.ts';
import { bindSpec, schemaOfSpec } from '../iceberg/partition.ts';
import type { PlacedFile } from '../iceberg/position-deletes.ts';
import { readPositionDeletes, writePositionDeletes } from '../iceberg/position-deletes.ts';
import { findDeadRows, layoutOfTable, rewriteLiveRows } from '../iceberg/rewrite.ts';
import { proposeSnapshot } from '../iceberg/snapshot.ts';
import { tallyFiles } from '../iceberg/staged.ts';
import { Failure } from '../../errors.ts';
import type { CompactionBounds } from './plan.ts';
import { planCompaction } from './plan.ts';
import type { UpkeepSession } from './types.ts';

export interface CompactionResult {
  readonly compactedFiles: number;
  readonly writtenFiles: number;
  readonly removedDeleteFiles: number;
}

const nothingDone: CompactionResult = { compactedFiles: 0, writtenFiles: 0, removedDeleteFiles: 0 };

/** Input that is committed together, so that a long compaction does not hang on its last commit. */
const ROUND_BYTES = 4 * 1024 ** 3;

/**
 * Writes small files, and files with many dead rows, anew without the dead rows, and turns the deletes that hold for the
 * others into position deletes; deletes that nothing needs any more go. No row that readers see changes. The new files
 * count as written when the compaction began: what others delete meanwhile holds for their rows, too.
 */
export async function compactTable(session: UpkeepSession, bounds: CompactionBounds): Promise<CompactionResult> {
  const { options, committer, live: reader } = session;
  const { metadata } = committer.current;
  const live = parquetOf(await reader.read(metadata));
  if (live.data.length === 0) return nothingDone;
  const dead = await findDeadRows(options, metadata, live);
  const plan = planCompaction(live, dead, bounds);
  const start: Start = { metadata, live, dead, sequence: metadata['last-sequence-number'], outputs: new Set() };
  const total = { compactedFiles: 0, writtenFiles: 0, removedDeleteFiles: 0 };
  const finish = async (round: Round): Promise<void> => {
    const result = await commitRound(session, start, round);
    total.compactedFiles += result.compactedFiles;
    total.writtenFiles += result.writtenFiles;
    total.removedDeleteFiles += result.removedDeleteFiles;
  };
  let groups: RewrittenGroup[] = [];
  let bytes = 0;
  for (const sources of plan.groups) {
    const layout = layoutFor(session, metadata, { specId: sources[0]!.specId, bounds });
    const files = sources.map((source) => source.entry.file);
    const outputs = await tryRewrite(session, () => rewriteLiveRows(layout, files, { dead, signal: options.signal }));
    if (!outputs) continue;
    groups.push({ sources, outputs });
    for (const output of outputs) start.outputs.add(output.path);
    bytes += files.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes < ROUND_BYTES) continue;
    await finish({ groups, settled: [], positions: [] });
    groups = [];
    bytes = 0;
  }
  await finish({ groups, settled: plan.settled, positions: await settle(session, start, plan.settled) });
  return total;
}

/** Undefined when one of the files cannot be written anew; then all of its group stay as they are. */
async function tryRewrite(
  { options }: UpkeepSession,
  rewrite: () => Promise<readonly DataFile[]>,
): Promise<readonly DataFile[] | undefined> {
  try {
    return await rewrite();
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'configuration_invalid') throw error;
    options.notice?.(error.message);
    return undefined;
  }
}

/** Data files of other formats stay as they are; deletes of other formats cannot be applied, so nothing is compacted. */
function parquetOf(live: LiveFiles): LiveFiles {
  const isParquet = ({ entry }: LiveFile): boolean => entry.file.format.toUpperCase() === 'PARQUET';
  if (live.deletes.every(isParquet)) return { data: live.data.filter(isParquet), deletes: live.deletes };
  throw new Failure('configuration_invalid', 'The table has delete files of a format that Penstock does not read.');
}

interface Start {
  readonly metadata: TableMetadata;
  readonly live: LiveFiles;
  readonly dead: DeadByFile;
  /** All deletes up to this number have been applied to what is written. */
  readonly sequence: number;
  /** Paths of the files written so far. */
  readonly outputs: Set<string>;
}

interface RewrittenGroup {
  readonly sources: readonly LiveFile[];
  readonly outputs: readonly DataFile[];
}

interface Round {
  readonly groups: readonly RewrittenGroup[];
  readonly settled: readonly LiveFile[];
  /** Position deletes of the settled files' dead rows. */
  readonly positions: readonly PlacedFile[];
}

function layoutFor(
  session: UpkeepSession,
  metadata: TableMetadata,
  { specId, bounds }: { readonly specId: number; readonly bounds: CompactionBounds },
): ReturnType<typeof layoutOfTable> {
  const { options, names, announce } = session;
  return layoutOfTable(metadata, { ...options, names, announce, targetBytes: bounds.targetFileBytes }, specId);
}

async function settle(
  session: UpkeepSession,
  { metadata, dead }: Start,
  settled: readonly LiveFile[],
): Promise<readonly PlacedFile[]> {
  const { options, names, announce } = session;
  const partitionFieldsOf = (specId: number): ReturnType<typeof bindSpec> =>
    bindSpec(findSpec(metadata, specId), metadata.schemas);
  const deleted = settled.map(({ entry, specId }) => ({
    file: entry.file,
    specId,
    dead: dead.get(entry.file.path) ?? createDeadRows(),
  }));
  return writePositionDeletes({ ...options, names, announce, partitionFieldsOf }, deleted);
}

/** Another writer has changed all that was to be committed. */
class NothingLeft extends Failure {}

async function commitRound(session: UpkeepSession, start: Start, round: Round): Promise<CompactionResult> {
  const { options, committer, announce } = session;
  if (!isWorthwhile(start, round)) {
    await removeFiles(options.storage, outputsOf(round));
    return nothingDone;
  }
  options.world.reach('upkeep.compaction-written');
  const touched = createTouchFinder(session, start);
  let done: Revised | undefined;
  const change: Change = async (base, now) => {
    session.assertNewest(base.metadata.properties);
    const live = await session.live.read(base.metadata);
    const groups = await stillValid(round.groups, live, touched);
    done = revise(start, live, { ...round, groups });
    return propose(session, done, { base, now });
  };
  await announce();
  try {
    await committer.commit(change);
  } catch (error) {
    if (!(error instanceof NothingLeft)) throw error;
    await removeFiles(options.storage, outputsOf(round));
    options.notice?.(error.message);
    return nothingDone;
  }
  options.world.reach('upkeep.compaction-committed');
  const { groups, compacted, data, dropped } = done!;
  const lost = round.groups.filter((group) => !groups.includes(group));
  await removeFiles(options.storage, outputsOf({ ...round, groups: lost, positions: [] }));
  if (lost.length > 0) {
    options.notice?.(`Others changed ${lost.length} groups of files meanwhile; they are left for the next compaction.`);
  }
  return { compactedFiles: compacted.size, writtenFiles: data.length, removedDeleteFiles: dropped.length };
}

/** A round as it stands on one state of the table. */
interface Revised {
  readonly groups: readonly RewrittenGroup[];
  readonly compacted: ReadonlySet<string>;
  readonly dropped: readonly string[];
  readonly data: readonly PlacedEntry[];
  readonly positions: readonly PlacedEntry[];
}

function revise(start: Start, live: LiveFiles, round: Round): Revised {
  const { groups } = round;
  const compacted = new Set(groups.flatMap(({ sources }) => sources.map(({ entry }) => entry.file.path)));
  const dropped = unneededDeletes(start, live, { compacted, settled: round.settled });
  if (compacted.size + dropped.length === 0) {
    throw new NothingLeft('commit_conflict', 'Other writers have changed all files that were compacted.');
  }
  const data = groups.flatMap(({ sources, outputs }) =>
    outputs.map((file) => ({ entry: addedEntry(file, start.sequence), specId: sources[0]!.specId })),
  );
  const positions = round.positions.map(({ file, specId }) => ({ entry: addedEntry(file), specId }));
  return { groups, compacted, dropped, data, positions };
}

async function propose(
  session: UpkeepSession,
  { compacted, dropped, data, positions }: Revised,
  { base, now }: { readonly base: MetadataVersion; readonly now: number },
): Promise<Proposal> {
  const { options, names } = session;
  const added = [
    ...(await writeManifests(session, base.metadata, { content: dataContent, placed: data })),
    ...(await writeManifests(session, base.metadata, { content: deleteContent, placed: positions })),
  ];
  const proposal = await proposeSnapshot(
    { ...options, names },
    {
      operation: 'replace',
      base,
      now,
      metadata: base.metadata,
      added,
      addedTally: tallyFiles([...data, ...positions].map(({ entry }) => entry.file)),
      removes: new Set([...compacted, ...dropped]),
      extra: { 'penstock.upkeep': 'compaction' },
      finish: (next) => next,
    },
  );
  return { ...proposal, written: [...proposal.written, ...added.map((manifest) => manifest.path)] };
}

const outputsOf = ({ groups, positions }: Round): string[] =>
  [...groups.flatMap(({ outputs }) => outputs), ...positions.map(({ file }) => file)].map((file) => file.path);

/** False when a commit would change nothing: no file to replace and no deletes to drop. */
function isWorthwhile({ live, ...start }: Start, round: Round): boolean {
  const compacted = new Set(round.groups.flatMap(({ sources }) => sources.map(({ entry }) => entry.file.path)));
  return (
    compacted.size > 0 || unneededDeletes({ live, ...start }, live, { compacted, settled: round.settled }).length > 0
  );
}

/** Delete files known at the start that hold for no row any more: their data files are compacted or settled. */
function unneededDeletes(
  start: Start,
  now: LiveFiles,
  done: { readonly compacted: ReadonlySet<string>; readonly settled: readonly LiveFile[] },
): string[] {
  const covered = new Set([...start.outputs, ...done.compacted, ...done.settled.map(({ entry }) => entry.file.path)]);
  const open = now.data.filter(({ entry }) => !covered.has(entry.file.path));
  const present = new Set(now.deletes.map(({ entry }) => entry.file.path));
  return start.live.deletes
    .filter((one) => present.has(one.entry.file.path) && !open.some((file) => applies(one, file)))
    .map(({ entry }) => entry.file.path);
}

type TouchFinder = (live: LiveFiles) => Promise<ReadonlySet<string>>;

/** Paths of data files that position deletes newer than the start name. */
function createTouchFinder({ options }: UpkeepSession, start: Start): TouchFinder {
  const known = new Set(start.live.deletes.map(({ entry }) => entry.file.path));
  const touched = new Set<string>();
  return async (live) => {
    for (const { entry } of live.deletes) {
      if (entry.file.content !== positionDeletes || known.has(entry.file.path)) continue;
      known.add(entry.file.path);
      await readPositionDeletes(options.storage, entry.file, (path) => void touched.add(path));
    }
    return touched;
  };
}

/** Groups whose files are all there and have lost no row by its place since they were read. */
async function stillValid(
  groups: readonly RewrittenGroup[],
  live: LiveFiles,
  findTouched: TouchFinder,
): Promise<readonly RewrittenGroup[]> {
  const touched = await findTouched(live);
  const present = new Set(live.data.map(({ entry }) => entry.file.path));
  return groups.filter(({ sources }) =>
    sources.every(({ entry }) => present.has(entry.file.path) && !touched.has(entry.file.path)),
  );
}

interface PlacedEntry {
  readonly entry: ManifestEntry;
  readonly specId: number;
}

async function writeManifests(
  { options, names }: UpkeepSession,
  metadata: TableMetadata,
  { content, placed }: { readonly content: number; readonly placed: readonly PlacedEntry[] },
): Promise<ManifestFile[]> {
  const manifests: ManifestFile[] = [];
  for (const [specId, group] of Map.groupBy(placed, (one) => one.specId)) {
    const spec = findSpec(metadata, specId);
    const schema = schemaOfSpec(metadata, spec);
    const entries = group.map(({ entry }) => entry);
    manifests.push(await writeManifest({ ...options, names }, { content, schema, spec, entries }));
  }
  return manifests;
}
