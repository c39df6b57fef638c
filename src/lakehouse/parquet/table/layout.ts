import { createHash } from 'node:crypto';
import type { World } from '../../../world.ts';
import { newId } from '../../../world.ts';

/** Where a table keeps its files. All paths but `folder` are relative to it, with forward slashes. */
export interface TableLayout {
  readonly folder: string;
  /** A new data file's visible path, inside its partition's folder ('' for none). */
  newFile(partition: string): string;
  /** Where that file lies until its commit: in this opening's own folder, with a name no reader globs. */
  stagedPath(visible: string): string;
  /** The folder that holds everything this stream has not made visible; each opening has a folder of its own in it. */
  readonly streamStaging: string;
  readonly openStaging: string;
  absolute(relative: string): string;
  relative(absolute: string): string;
}

const STAGED_SUFFIX = '.staged';

/** The layout of the table in `folder` for the stream with this checkpoint key. */
export function createLayout(world: World, folder: string, checkpointKey: string): TableLayout {
  const key = createHash('sha256').update(checkpointKey).digest('hex').slice(0, 16);
  const streamStaging = `_staging/${key}`;
  return layoutOf(world, folder, { streamStaging, openStaging: `${streamStaging}/${newId(world, 'open')}` });
}

/** The layout of an opening, as everybody sees it who writes for that opening. */
export function layoutOf(
  world: World,
  folder: string,
  { streamStaging, openStaging }: Pick<TableLayout, 'streamStaging' | 'openStaging'>,
): TableLayout {
  return {
    folder,
    streamStaging,
    openStaging,
    newFile: (partition) => `${partition}${newId(world, 'part')}.parquet`,
    stagedPath: (visible) => `${openStaging}/${baseName(visible)}${STAGED_SUFFIX}`,
    absolute: (relative) => `${folder}/${relative}`,
    relative: (absolute) => absolute.slice(folder.length + 1).replaceAll('\\', '/'),
  };
}

/** The name of a file without its folders. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The visible file's name for a file below `_staging`, or undefined when it is not one that a writer finished. */
export function nameOfStaged(path: string): string | undefined {
  return path.endsWith(STAGED_SUFFIX) ? baseName(path).slice(0, -STAGED_SUFFIX.length) : undefined;
}

/** True for names that only this writer gives, so that files of others are never removed. */
export function isOurFile(path: string): boolean {
  return /^part_[0-9A-Z]{25}\.parquet$/.test(baseName(path));
}
