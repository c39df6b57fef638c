import { referencedFiles } from '../iceberg/recovery.ts';
import type { TableMetadata } from '../iceberg/model.ts';
import type { StoredFile } from '../storage/types.ts';
import type { Removal } from './removal.ts';
import { createRemoval } from './removal.ts';
import type { UpkeepPolicy, UpkeepSession } from './types.ts';

/** A session that has done nothing for this long is no running attempt, whatever its marker says. */
const LONGEST_SILENCE_MS = 7 * 24 * 3600 * 1000;

/**
 * Removes old files in the table's data and metadata folders that neither its metadata nor any of its snapshots names.
 * Files of running attempts stay: those whose session has left a marker. The folders are listed before the metadata is
 * read, so that whatever was committed meanwhile is known to be named.
 */
export async function removeOrphans(
  session: UpkeepSession,
  { olderThanMs }: NonNullable<UpkeepPolicy['removeOrphans']>,
): Promise<Removal> {
  const { options, committer } = session;
  const removal = createRemoval(session, () => options.world.reach('upkeep.orphan-removed'));
  // Written anew and then listed: by it the storage's own clock tells the age of its files, should ours be wrong.
  await session.announce();
  const found = await listFiles(session, options.world.now().getTime() - olderThanMs);
  const mine = found.markers.find((marker) => fileName(marker.path) === fileName(session.names.markerPath));
  const now = Math.min(options.world.now().getTime(), mine?.modified.getTime() ?? 0);
  const running = await runningSessions(session, found, now - Math.max(olderThanMs, LONGEST_SILENCE_MS));
  const candidates = found.old
    .filter(({ time }) => time < now - olderThanMs)
    .map(({ path }) => path)
    .filter((path) => !running.some((prefix) => fileName(path).startsWith(prefix)));
  if (candidates.length === 0) return removal;
  const present = (await options.catalog.load(options.name)) ?? committer.current;
  if (present.metadata['table-uuid'] !== committer.current.metadata['table-uuid']) return removal;
  const named = await referencedFiles(options.storage, present);
  for (const path of statisticsFiles(present.metadata)) named.add(fileName(path));
  await removal.remove(candidates.filter((path) => !named.has(fileName(path))));
  return removal;
}

/** The name of a file; one that is still being written has a dot before its own. */
const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1).replace(/^\./, '');

const MARKER = /^penstock-([0-9a-f]{12})\.open$/;
const OF_SESSION = /^penstock-[0-9a-f]{12}-[0-9a-f]{12}-/;
const KEPT = /^(penstock\.dropped|version-hint\.text)$/;

interface Found {
  /** Files that are old by our clock. */
  readonly old: { readonly path: string; readonly time: number }[];
  readonly markers: StoredFile[];
  /** When a session, by the beginning of its files' names, wrote last. */
  readonly lastWrites: Map<string, number>;
}

async function listFiles({ options, committer }: UpkeepSession, before: number): Promise<Found> {
  const { location } = committer.current.metadata;
  const found: Found = { old: [], markers: [], lastWrites: new Map() };
  for (const folder of [`${location}/data`, `${location}/metadata`]) {
    for await (const file of options.storage.walk(folder, { signal: options.signal })) {
      const name = fileName(file.path);
      const time = file.modified.getTime();
      const [prefix] = OF_SESSION.exec(name) ?? [];
      if (prefix) found.lastWrites.set(prefix, Math.max(time, found.lastWrites.get(prefix) ?? 0));
      if (MARKER.test(name)) found.markers.push(file);
      else if (time < before && !KEPT.test(name)) found.old.push({ path: file.path, time });
    }
  }
  return found;
}

/** How the names of files begin whose attempt may be running. */
async function runningSessions({ options }: UpkeepSession, found: Found, silentSince: number): Promise<string[]> {
  const running: string[] = [];
  for (const marker of found.markers) {
    const job = MARKER.exec(fileName(marker.path))![1]!;
    const text = (await options.storage.read(marker.path))?.toString() ?? '';
    const prefix = `penstock-${job}-${text}-`;
    const lastWrite = Math.max(marker.modified.getTime(), found.lastWrites.get(prefix) ?? 0);
    if (lastWrite >= silentSince) running.push(prefix);
  }
  return running;
}

function statisticsFiles(metadata: TableMetadata): string[] {
  return ['statistics', 'partition-statistics'].flatMap((key) => {
    const list = metadata[key];
    if (!Array.isArray(list)) return [];
    return (list as { readonly 'statistics-path'?: unknown }[])
      .map((one) => one['statistics-path'])
      .filter((path) => typeof path === 'string');
  });
}
