import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { RefusedRows, Sync, SyncProgress } from '../../sync/index.ts';
import type { Call, FaceRooms } from './route.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';
import { showStats } from './translate.ts';

/**
 * Sends log, state and statistics of a run as a gzipped tar, in bounded memory; to whoever may change the job also the
 * rows that it refused, which hold values of the source.
 */
export async function sendDownload(rooms: FaceRooms, call: Call<unknown>, runId: string): Promise<void> {
  const { sync, world } = rooms;
  const { project } = call.scope();
  const id = call.id();
  const run = await sync.runs.get(project, id, runId);
  // Asked for its page only to learn whether the log is still kept.
  await sync.runs.readLog(project, id, { runId, cursor: -1, limit: 1, direction: 'older' });
  const state = JSON.stringify(await sync.jobs.state(project, id), null, 2);
  const stats = JSON.stringify(showStats((run.progress as Partial<SyncProgress> | null) ?? {}), null, 2);
  const time = world.now();
  const stamp = time.toISOString().slice(0, 19).replaceAll(/[:T]/g, '-');
  const refused = call.principal().role === 'viewer' ? undefined : await sync.refusedRows(run.id);
  const texts = { 'state.json': state, 'stats.json': stats };
  const archive = packRun({ runs: sync.runs, runId, time, refused, texts });
  call.reply
    .header('content-type', 'application/gzip')
    .header('content-disposition', `attachment; filename="job-${id}-logs-${stamp}.tar.gz"`);
  // Whichever side ends early ends the other: a client that leaves stops the reading of the log.
  await call.reply.send(pipeline(Readable.from(archive, { objectMode: false }), createGzip(), () => undefined));
}

interface Pack {
  readonly runs: Sync['runs'];
  readonly runId: string;
  readonly time: Date;
  readonly refused: RefusedRows | undefined;
  readonly texts: Readonly<Record<string, string>>;
}

async function* packRun({ runs, runId, time, refused, texts }: Pack): AsyncGenerator<Buffer> {
  // A tar entry says its size first: the log is read twice, the second time up to what was counted.
  let size = 0;
  for await (const piece of runs.streamLog(runId)) size += Buffer.byteLength(piece);
  yield* packLines({ name: 'logs/olake.log', size, time }, runs.streamLog(runId));
  if (refused) yield* packLines({ name: 'logs/quarantine.ndjson', size: refused.bytes, time }, refused.read());
  for (const [name, text] of Object.entries(texts)) {
    const bytes = Buffer.from(text);
    yield Buffer.concat([tarHeader({ name, size: bytes.length, time }), bytes, tarPadding(bytes.length)]);
  }
  yield tarEnd;
}

/** An entry of exactly `size` bytes: more pieces are left aside, and what lacks is filled with line breaks. */
async function* packLines(
  entry: Parameters<typeof tarHeader>[0],
  pieces: AsyncIterable<string | Buffer>,
): AsyncGenerator<Buffer> {
  yield tarHeader(entry);
  let left = entry.size;
  for await (const bytes of upTo(entry.size, pieces)) {
    left -= bytes.length;
    yield bytes;
  }
  // Less than counted only when it was removed meanwhile; the archive stays well-formed.
  for (; left > 0; left -= Math.min(left, 65_536)) yield Buffer.alloc(Math.min(left, 65_536), 10);
  yield tarPadding(entry.size);
}

/** At most `size` bytes of the pieces; a file that is gone has none. */
async function* upTo(size: number, pieces: AsyncIterable<string | Buffer>): AsyncGenerator<Buffer> {
  let left = size;
  try {
    for await (const piece of pieces) {
      const bytes = Buffer.from(piece).subarray(0, left);
      left -= bytes.length;
      yield bytes;
      if (left === 0) return;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
