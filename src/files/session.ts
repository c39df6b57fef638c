import { createHash } from 'node:crypto';
import type { FileCursor, Since, Until } from './bounds.ts';
import { demandTime, filesSince, filesUntil, locationsAt, newestTime } from './bounds.ts';
import { filesOfChunk, planChunks, stateMark } from './chunks.ts';
import { streamKey } from './listing.ts';
import { writeMoment } from './moment.ts';
import type { Place } from './places/types.ts';
import { createReader } from './reader.ts';
import type { PartedReading, Reader } from './reader.ts';
import type { FileSettings } from './settings.ts';
import type { FileChunk, FileStream, Reading, Selected, TimeBound } from './shapes.ts';
import { createStreams } from './streams.ts';
import type { SessionContext, Streams } from './streams.ts';

interface ChunkWork extends Reading {
  readonly chunk: FileChunk;
  readonly upTo?: Until;
}

interface AfterWork extends PartedReading, Since {
  readonly cursor: FileCursor;
  readonly upTo: TimeBound;
}

/** Text that is read a second time only to be counted. */
const MOST_RECOUNTED = 256 * 1024 * 1024;
const BYTES_OF_ROW = 120;
const MOST_AT_ONCE = 8;

interface Session {
  readonly streams: Streams;
  readonly reader: Reader;
  readonly settings: FileSettings;
  readonly context: SessionContext;
  /** Streams of which new files were read: the old ones are not read again to be counted. */
  readonly followed: Set<string>;
}

/**
 * A session over the files of some places. They are listed once: every read sees the files of that moment, and a file that
 * changed since ends the read, to be tried again. The answers have the shapes of the connector kit.
 */
export function openFiles(places: readonly Place[], settings: FileSettings, context: SessionContext) {
  const streams = createStreams(places, settings, context);
  const reader = createReader(streams, settings, context);
  const session: Session = { streams, reader, settings, context, followed: new Set() };
  return {
    discover: (options: { signal: AbortSignal; threads: number }) => discover(session, options),
    planLoad: (stream: Selected, options: { targetBytes: number; signal: AbortSignal }) =>
      planLoad(session, stream, options),
    isUnchangedSince: (stream: Selected, changeMark: string) => isUnchangedSince(session, stream, changeMark),
    async readChunk(stream: Selected, work: ChunkWork): Promise<void> {
      const { files } = await streams.find(stream, work.signal);
      await reader.read(stream, filesUntil(filesOfChunk(files, work.chunk), work.upTo), {
        ...work,
        partDone: undefined,
      });
    },
    async maxCursor(stream: Selected, cursor: FileCursor) {
      demandTime(cursor);
      return { primary: newestTime((await streams.find(stream, context.signal)).files), fallback: null };
    },
    async readAfter(stream: Selected, work: AfterWork): Promise<void> {
      const { files } = await streams.find(stream, work.signal);
      session.followed.add(streamKey(stream));
      const upTo: Until = { cursor: work.cursor, values: work.upTo };
      await reader.read(stream, filesSince(filesUntil(files, upTo), work), work);
    },
    async partsAt(stream: Selected, { cursor, value }: { cursor: FileCursor; value: string }): Promise<string[]> {
      demandTime(cursor);
      return locationsAt((await streams.find(stream, context.signal)).files, value);
    },
    countRows: countRowsOf(session),
    /** Rows of files have no key to be found by. */
    fetchByKey: async (): Promise<[]> => [],
    shareMoment: async ({ signal }: { signal: AbortSignal }): Promise<string | null> =>
      context.moment ?? writeMoment(await streams.all(signal)),
    close: async (): Promise<void> => {},
  };
}

async function discover({ streams }: Session, options: { signal: AbortSignal; threads: number }) {
  const groups = await streams.all(options.signal);
  const found: FileStream[] = Array.from({ length: groups.length });
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < groups.length) {
      const at = next++;
      found[at] = await streams.describe(groups[at]!, options.signal);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(options.threads, MOST_AT_ONCE)) }, work));
  return found;
}

async function planLoad(
  { streams, settings }: Session,
  stream: Selected,
  { targetBytes, signal }: { targetBytes: number; signal: AbortSignal },
) {
  const { files } = await streams.find(stream, signal);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return {
    chunks: planChunks(files, targetBytes),
    estimatedRows: Math.round(bytes / BYTES_OF_ROW),
    generation: `files ${fingerprint(settings)}`,
    changeMark: stateMark(files),
  };
}

async function isUnchangedSince({ streams, context }: Session, stream: Selected, changeMark: string) {
  const groups = await streams.all(context.signal);
  const group = groups.find((candidate) => streamKey(candidate) === streamKey(stream));
  return group !== undefined && stateMark(group.files) === changeMark;
}

interface CountRows {
  (stream: Selected, options: { upTo?: undefined; signal: AbortSignal }): Promise<number>;
  /** Null after new files were read, when much of the old ones would have to be read again. */
  (stream: Selected, options: { upTo: Until; signal: AbortSignal }): Promise<number | null>;
}

function countRowsOf({ streams, reader, followed }: Session): CountRows {
  async function countRows(stream: Selected, options: { upTo?: undefined; signal: AbortSignal }): Promise<number>;
  async function countRows(stream: Selected, options: { upTo: Until; signal: AbortSignal }): Promise<number | null>;
  async function countRows(stream: Selected, { upTo, signal }: { upTo?: Until; signal: AbortSignal }) {
    const files = filesUntil((await streams.find(stream, signal)).files, upTo);
    const bytes = reader.uncounted(stream, files).reduce((sum, file) => sum + file.bytes, 0);
    if (upTo && followed.has(streamKey(stream)) && bytes > MOST_RECOUNTED) return null;
    return reader.count(stream, files, signal);
  }
  return countRows;
}

/** What decides how a file is read: chunks of another reading are not continued. */
function fingerprint({ pattern, types, threads, ...rest }: FileSettings): string {
  void threads;
  const text = JSON.stringify([rest, pattern?.source, [...types]]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
