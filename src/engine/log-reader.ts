import { Buffer } from 'node:buffer';
import type { Queryable } from '../store/index.ts';
import type { EngineContext } from './context.ts';
import { createWaiter } from './signals.ts';
import { readChunksAfter, readChunksBefore, readLogEnd } from './tables/log.ts';
import type { LogChunk } from './tables/log.ts';
import type { LogEntry, LogPage, LogQuery } from './types.ts';

const CHUNKS_AT_ONCE = 8;
const FOLLOW_LINES = 1000;
const FOLLOW_POLL_MS = 1000;
const DEBUG_START = '{"level":"debug"';

interface Line {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** One page of a run's log (`LogQuery`); undefined when there is no such run. */
export async function readLogPage(db: Queryable, runId: string, query: LogQuery): Promise<LogPage | undefined> {
  const log = await readLogEnd(db, runId);
  if (log === undefined) return undefined;
  const cursor = query.cursor < 0 ? log.end : Math.min(query.cursor, log.end);
  const side = { db, runId, hideDebug: query.hideDebug };
  // One line more than asked for tells whether there is more on that side.
  const found =
    query.direction === 'older'
      ? await linesBefore(side, cursor, query.limit + 1)
      : await linesAfter(side, cursor, query.limit + 1);
  const hasMore = found.length > query.limit;
  const lines = query.direction === 'older' ? found.slice(-query.limit) : found.slice(0, query.limit);
  const olderCursor = lines[0]?.start ?? cursor;
  const newerCursor = lines.at(-1)?.end ?? cursor;
  const [hasOlder, hasNewer] =
    query.direction === 'older'
      ? [hasMore, newerCursor < log.end && (await linesAfter(side, newerCursor, 1)).length > 0]
      : [olderCursor > 0 && (await linesBefore(side, olderCursor, 1)).length > 0, hasMore];
  return {
    entries: lines.map((line) => JSON.parse(line.text) as LogEntry),
    olderCursor,
    newerCursor,
    hasOlder,
    hasNewer,
  };
}

/** The whole log as NDJSON, a few chunks (at most about 2 MiB) at a time. */
export async function* streamWholeLog(db: Queryable, runId: string): AsyncIterable<string> {
  let cursor = 0;
  for (;;) {
    const chunks = await readChunksAfter(db, { runId, cursor, onlyVisible: false, count: CHUNKS_AT_ONCE });
    if (chunks.length === 0) return;
    for (const chunk of chunks) yield chunk.content;
    cursor = chunks.at(-1)!.end;
  }
}

/** Pages after the cursor as they come, until the run has ended and all of it was given, or the signal aborts. */
export async function* followRunLog(
  context: EngineContext,
  runId: string,
  options: { cursor: number; signal: AbortSignal; hideDebug?: boolean },
): AsyncIterable<LogPage> {
  const { signal, hideDebug = false } = options;
  const waiter = createWaiter();
  const wakeForRun = (subject: string): void => {
    if (subject === runId) waiter.wake();
  };
  const stops = [context.signals.on('log', wakeForRun), context.signals.on('run', wakeForRun)];
  signal.addEventListener('abort', waiter.wake);
  try {
    let { cursor } = options;
    while (!signal.aborted) {
      // Read the run before the log: lines are stored before the run ends, so nothing can come after this page.
      const log = await readLogEnd(context.store.db, runId);
      if (log === undefined) return;
      if (cursor < 0) cursor = log.end;
      const query: LogQuery = { cursor, limit: FOLLOW_LINES, direction: 'newer', hideDebug };
      const page = await readLogPage(context.store.db, runId, query);
      if (page === undefined) return;
      cursor = page.newerCursor;
      if (page.entries.length > 0) yield page;
      if (page.hasNewer) continue;
      if (log.isTerminal) return;
      await waiter.wait(FOLLOW_POLL_MS);
    }
  } finally {
    signal.removeEventListener('abort', waiter.wake);
    for (const stop of stops) stop();
  }
}

interface Side {
  readonly db: Queryable;
  readonly runId: string;
  readonly hideDebug: boolean;
}

/** Up to `count` lines that end at or before the cursor, the nearest ones, in their order. */
async function linesBefore(side: Side, cursor: number, count: number): Promise<readonly Line[]> {
  const pieces: (readonly Line[])[] = [];
  let found = 0;
  let from = cursor;
  while (found < count) {
    const query = { runId: side.runId, cursor: from, onlyVisible: side.hideDebug, count: CHUNKS_AT_ONCE };
    const chunks = await readChunksBefore(side.db, query);
    if (chunks.length === 0) break;
    for (const chunk of chunks) {
      const lines = splitLines(chunk, side.hideDebug).filter((line) => line.end <= cursor);
      pieces.unshift(lines);
      found += lines.length;
      from = chunk.start;
      if (found >= count) break;
    }
  }
  return pieces.flat().slice(-count);
}

/** Up to `count` lines that start at or after the cursor, the nearest ones, in their order. */
async function linesAfter(side: Side, cursor: number, count: number): Promise<readonly Line[]> {
  const found: Line[] = [];
  let from = cursor;
  while (found.length < count) {
    const query = { runId: side.runId, cursor: from, onlyVisible: side.hideDebug, count: CHUNKS_AT_ONCE };
    const chunks = await readChunksAfter(side.db, query);
    if (chunks.length === 0) break;
    for (const chunk of chunks) {
      for (const line of splitLines(chunk, side.hideDebug)) if (line.start >= cursor) found.push(line);
      from = chunk.end;
      if (found.length >= count) break;
    }
  }
  return found.slice(0, count);
}

function splitLines(chunk: LogChunk, hideDebug: boolean): readonly Line[] {
  const lines: Line[] = [];
  let start = chunk.start;
  for (const text of chunk.content.split('\n')) {
    if (text === '') continue;
    const end = start + Buffer.byteLength(text) + 1;
    if (!hideDebug || !text.startsWith(DEBUG_START)) lines.push({ start, end, text });
    start = end;
  }
  return lines;
}
