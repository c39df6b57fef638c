import { Failure } from '../errors.ts';
import { formatOfName, stemOf } from './formats.ts';
import type { Format } from './formats.ts';
import type { ListedFile, Place } from './places/types.ts';
import type { FileSettings } from './settings.ts';
import type { Surroundings } from './shapes.ts';

/** A file of a stream, ready to be read. */
export interface DataFile extends ListedFile {
  readonly place: Place;
  readonly format: Format;
}

/** The files of one stream, in the order of their locations. */
export interface FileGroup {
  readonly namespace: string;
  readonly name: string;
  readonly files: readonly DataFile[];
}

const NAMED_IN_LOG = 5;

/**
 * Lists every place and sorts the files into streams: a first-level folder is one, with all below it, and so is a file that
 * lies directly in the place. Files that match no pattern or are of no known format are left out.
 */
export async function listStreams(
  places: readonly Place[],
  settings: FileSettings,
  { log, signal }: Pick<Surroundings, 'log' | 'signal'>,
): Promise<FileGroup[]> {
  const groups = new Map<string, { namespace: string; name: string; files: Map<string, DataFile> }>();
  const unknown: string[] = [];
  for (const place of places) {
    for (const file of await place.list(signal)) {
      if (settings.pattern && !settings.pattern.test(place.patternText(file))) continue;
      const format = formatOf(file, settings);
      if (format === undefined) {
        unknown.push(file.location);
        continue;
      }
      const slash = file.path.indexOf('/');
      const name = slash < 0 ? stemOf(file.path) : file.path.slice(0, slash);
      const key = streamKey({ namespace: place.namespace, name });
      const group = groups.get(key) ?? { namespace: place.namespace, name, files: new Map() };
      groups.set(key, group);
      // Two addresses may lead to one file, which is one all the same.
      group.files.set(file.location, { ...file, place, format });
    }
  }
  reportUnknown(unknown, log);
  return [...groups.values()]
    .map(({ namespace, name, files }) => ({ namespace, name, files: inOrder([...files.values()]) }))
    .toSorted((a, b) => compareTexts(a.namespace, b.namespace) || compareTexts(a.name, b.name));
}

/** With a format given, a name that tells another one keeps its file out; a name that tells none does not. */
function formatOf(file: ListedFile, { format }: FileSettings): Format | undefined {
  const named = formatOfName(file.path);
  if (format === 'auto') return named;
  return named === undefined || named === format ? format : undefined;
}

function reportUnknown(unknown: readonly string[], log: Surroundings['log']): void {
  if (unknown.length === 0) return;
  const more = unknown.length > NAMED_IN_LOG ? ` and ${unknown.length - NAMED_IN_LOG} more` : '';
  const named = unknown.slice(0, NAMED_IN_LOG).join(', ');
  log({ level: 'info', message: `left out, since their names tell no format that is read here: ${named}${more}` });
}

/** By code units: the same order on every machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function inOrder(files: readonly DataFile[]): DataFile[] {
  return files.toSorted((a, b) => compareTexts(a.location, b.location));
}

/** The stream of that name. Throws `object_missing` when its files are gone. */
export function findGroup(groups: readonly FileGroup[], { namespace, name }: Pick<FileGroup, 'namespace' | 'name'>) {
  const group = groups.find((candidate) => candidate.namespace === namespace && candidate.name === name);
  if (group) return group;
  throw new Failure('object_missing', `"${namespace}.${name}" has no files any more`);
}

/** Tells streams apart. */
export function streamKey({ namespace, name }: Pick<FileGroup, 'namespace' | 'name'>): string {
  return JSON.stringify([namespace, name]);
}
