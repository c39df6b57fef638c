import { timestampText } from '../columns/index.ts';
import { Failure } from '../errors.ts';
import { compareTexts } from './listing.ts';
import type { DataFile } from './listing.ts';
import type { TimeBound } from './shapes.ts';
import { TIME_COLUMN } from './shapes.ts';
import { parseTime } from './values.ts';

export interface FileCursor {
  readonly column: string;
}

export interface Until {
  readonly cursor: FileCursor;
  readonly values: TimeBound;
  /** Locations of the files at the bound's instant that lie within; all of them when absent. */
  readonly parts?: readonly string[];
}

/** Files whose time is not beyond the bound. */
export function filesUntil(files: readonly DataFile[], upTo: Until | undefined): DataFile[] {
  if (!upTo) return [...files];
  demandTime(upTo.cursor);
  const { primary } = upTo.values;
  if (primary === null) return [];
  const last = microsOf(primary);
  const parts = upTo.parts && new Set(upTo.parts);
  return files.filter(
    ({ modified, location }) => modified < last || (modified === last && (parts?.has(location) ?? true)),
  );
}

export interface Since {
  readonly after: TimeBound;
  /** Locations of files at the instant `after` that are left out. */
  readonly without?: readonly string[] | undefined;
}

/** Files from an instant on, in the order of their times; those of one instant in that of their locations. */
export function filesSince(files: readonly DataFile[], { after, without = [] }: Since): DataFile[] {
  const from = after.primary === null ? undefined : microsOf(after.primary);
  const known = new Set(without);
  const isNew = ({ modified, location }: DataFile): boolean =>
    from === undefined || modified > from || (modified === from && !known.has(location));
  return files.filter(isNew).toSorted((a, b) => compareTimes(a, b) || compareTexts(a.location, b.location));
}

/** Locations of the files of an instant. */
export function locationsAt(files: readonly DataFile[], value: string): string[] {
  const at = microsOf(value);
  return files.filter(({ modified }) => modified === at).map(({ location }) => location);
}

/** The newest time of the files; null without files. */
export function newestTime(files: readonly DataFile[]): string | null {
  const newest = files.toSorted(compareTimes).at(-1);
  return newest === undefined ? null : timestampText(newest.modified);
}

function compareTimes(a: DataFile, b: DataFile): number {
  return a.modified < b.modified ? -1 : a.modified > b.modified ? 1 : 0;
}

/** Files have one cursor only. */
export function demandTime({ column }: FileCursor): void {
  if (column === TIME_COLUMN) return;
  throw new Failure('configuration_invalid', `files are followed by "${TIME_COLUMN}" only, not by "${column}"`);
}

function microsOf(text: string): bigint {
  const micros = parseTime(text);
  if (micros === undefined) throw new Failure('configuration_invalid', `the stored ${TIME_COLUMN} is no time`);
  return micros;
}
