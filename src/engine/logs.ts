import { Buffer } from 'node:buffer';
import type { Queryable, Transaction } from '../store/index.ts';
import type { EngineContext } from './context.ts';
import { appendLines, closeLog } from './tables/log.ts';
import type { NewLines } from './tables/log.ts';
import type { LogEntry } from './types.ts';
import type { WorkerContext } from './worker-context.ts';

const FLUSH_MS = 200;
const FLUSH_LINES = 500;
const FLUSH_BYTES = 256 * 1024;
/** Room that the last line of a full log needs. */
const RESERVED_BYTES = 1024;
export const LONGEST_MESSAGE_BYTES = 64 * 1024;
const CUT_MARK = ' …[cut]';

/** Gathers the lines of one attempt; writes them every 200 ms, 500 lines or 256 KiB, whichever comes first. */
export interface LogWriter {
  write(level: LogEntry['level'], message: string): void;
  /** Resolves when everything written so far is stored. Never rejects: a line that cannot be stored is kept back. */
  flush(): Promise<void>;
  /** Hands out what was written and is not stored, for whoever stores it together with the end of the attempt. */
  take(): Promise<NewLines | undefined>;
  /** Lines written from now on are dropped; those of an attempt that lost its task must not mix with its successor's. */
  close(): void;
}

/** One NDJSON line. The level comes first, so that readers can tell debug lines without parsing. */
export function formatLine(time: string, level: LogEntry['level'], message: string): string {
  return `${JSON.stringify({ level, time, message: cutMessage(message) })}\n`;
}

export function createLogWriter(context: WorkerContext, runId: string): LogWriter {
  let lines: string[] = [];
  let bytes = 0;
  let visible = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;
  let isFull = false;

  const cut = (): NewLines | undefined => {
    if (lines.length === 0) return undefined;
    const batch = { runId, content: lines.join(''), bytes, visible };
    lines = [];
    bytes = 0;
    visible = 0;
    return batch;
  };
  const drain = async (): Promise<void> => {
    const batch = cut();
    if (batch !== undefined) isFull = !(await store(context, batch));
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(drain).catch((error: unknown) => {
      context.log('warn', 'lines of a run log could not be stored', { run: runId, error: String(error) });
    });
    return writing;
  };
  return {
    write(level, message) {
      if (isClosed || isFull) return;
      const line = formatLine(context.world.now().toISOString(), level, message);
      lines.push(line);
      bytes += Buffer.byteLength(line);
      if (level !== 'debug') visible += 1;
      if (lines.length >= FLUSH_LINES || bytes >= FLUSH_BYTES) void flush();
      else timer ??= setTimeout(() => void flush(), FLUSH_MS);
    },
    flush,
    async take() {
      clearTimeout(timer);
      timer = undefined;
      await writing;
      return cut();
    },
    close() {
      isClosed = true;
    },
  };
}

/** Writes one line into the log of a run in the caller's transaction; nothing when the log is full. */
export async function writeNote(
  context: EngineContext,
  tx: Transaction,
  { runId, level, message }: { readonly runId: string } & Omit<LogEntry, 'time'>,
): Promise<void> {
  const content = formatLine(context.world.now().toISOString(), level, message);
  const limitBytes = logRoom(context);
  const visible = level === 'debug' ? 0 : 1;
  await appendLines(tx, [{ runId, content, bytes: Buffer.byteLength(content), visible }], limitBytes);
}

/** How long the log of a run may become, in bytes; after that it takes one line more. */
export function logRoom({ settings }: Pick<EngineContext, 'settings'>): number {
  return settings.logLimitBytes - RESERVED_BYTES;
}

/** False when the log is full. */
async function store(context: WorkerContext, batch: NewLines): Promise<boolean> {
  const stored = await context.lineStore.append(batch);
  if (!stored) await writeFull(context, context.store.db, batch.runId);
  context.signals.send('log', batch.runId);
  return stored;
}

/** Writes the last line of a log into which no more fits. */
export async function writeFull(context: EngineContext, db: Queryable, runId: string): Promise<void> {
  const time = context.world.now().toISOString();
  const content = formatLine(time, 'warn', 'the log of this run is full; later lines are dropped');
  await closeLog(db, { runId, content, bytes: Buffer.byteLength(content), visible: 1 });
}

function cutMessage(message: string): string {
  // Cheap for the usual line: a UTF-16 unit is at most three bytes.
  if (message.length * 3 <= LONGEST_MESSAGE_BYTES || Buffer.byteLength(message) <= LONGEST_MESSAGE_BYTES)
    return message;
  const room = LONGEST_MESSAGE_BYTES - Buffer.byteLength(CUT_MARK);
  const cut = Buffer.from(message).subarray(0, room).toString('utf8').replace(/�+$/, '');
  return cut + CUT_MARK;
}
