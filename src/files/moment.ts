import { Failure } from '../errors.ts';
import { stateMark } from './chunks.ts';
import type { FileGroup } from './listing.ts';
import { streamKey } from './listing.ts';

/** The files that a session saw, told to sessions elsewhere: the newest time, and a mark of each stream's files. */
interface Moment {
  readonly newest: string;
  readonly marks: Readonly<Record<string, string>>;
}

const MOST_STREAMS = 1000;

/** Null when there are too many streams to tell of. */
export function writeMoment(groups: readonly FileGroup[]): string | null {
  if (groups.length > MOST_STREAMS) return null;
  const newest = groups
    .flatMap(({ files }) => files)
    .reduce((most, { modified }) => (modified > most ? modified : most), 0n);
  const marks = Object.fromEntries(groups.map((group) => [streamKey(group), stateMark(group.files)]));
  return JSON.stringify({ newest: String(newest), marks } satisfies Moment);
}

/** The group as it was at the moment: without files that came later. Throws `connection_lost` when others changed. */
export function asOfMoment(group: FileGroup, moment: string): FileGroup {
  const { newest, marks } = JSON.parse(moment) as Moment;
  const files = group.files.filter(({ modified }) => modified <= BigInt(newest));
  if (stateMark(files) === marks[streamKey(group)]) return { ...group, files };
  throw new Failure('connection_lost', `files of "${group.namespace}.${group.name}" changed since the load began`);
}
