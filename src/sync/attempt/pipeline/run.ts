import type { SourceSession } from '../../../connectors/kit/index.ts';
import { Failure, toFailure } from '../../../errors.ts';
import { parseState } from '../../catalog/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { destinationContext, sourceContext } from '../context.ts';
import type { ChildIo } from '../io.ts';
import type { SyncResult, SyncWork } from '../work.ts';
import { createSharing } from '../share/together.ts';
import { createPace } from './changes/pace.ts';
import { followLog } from './changes/follow-log.ts';
import type { RunTools } from './context.ts';
import { allOrFirstCause, createLimit } from './limit.ts';
import { describeLineage } from './lineage.ts';
import { createMeter } from './meter.ts';
import type { Meter } from './meter.ts';
import { createQuarantine } from './quarantine.ts';
import { isFollowed, resolveAll } from './resolve.ts';
import { syncStream } from './stream.ts';

const DEFAULT_READERS = 2;
const PROGRESS_MS = 1000;
const STALL_MS = 30 * 60_000;

/** One attempt of a sync: every selected stream into its table. Throws the first cause. */
export async function runSync(work: SyncWork, io: ChildIo): Promise<SyncResult> {
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  const inner: ChildIo = { ...io, signal };
  const source = io.connectors.findSource(work.source.type);
  const destination = io.connectors.findDestination(work.destination.type);
  const versions = `${source.type} ${source.version} to ${destination.type} ${destination.version}`;
  io.log({ level: 'info', message: `sync: ${versions}, run ${work.run}` });
  const meter = createMeter(io.world);
  const end = watch({ work, io, meter, stop });
  const closing: { close(): Promise<void> }[] = [];
  let warnings = 0;
  let streams: readonly ResolvedStream[] = [];
  const warn = (message: string): void => {
    warnings++;
    io.log({ level: 'warn', message });
  };
  try {
    const openSource = async (): Promise<SourceSession> => {
      const session = await source.open(work.source.config, sourceContext(work, inner));
      closing.push(session);
      return session;
    };
    const sourceSession = await openSource();
    const discovered = await sourceSession.discover({ signal, threads: work.advanced.max_discover_threads ?? 4 });
    const log = sourceSession.changeLog?.columns;
    streams = resolveAll({ catalog: work.catalog, discovered, log, warn });
    const destinationSession = await destination.open(work.destination.config, destinationContext(work, inner));
    closing.push(destinationSession);
    const tools: RunTools = {
      work,
      io: inner,
      signal,
      source: sourceSession,
      openSource,
      stop: stopOthers(io, stop),
      destination: destinationSession,
      state: parseState(work.state),
      meter,
      quarantine: createQuarantine(work.advanced, { folder: work.runFolder, io }),
      reading: createLimit(readersOf(work)),
      ...(work.sharing && readersOf(work) > 1 ? { sharing: createSharing(readersOf(work), work.sharing) } : {}),
      warn,
    };
    await syncAll(tools, streams);
    if (tools.quarantine.count > 0)
      warn(
        `${tools.quarantine.count} rows were refused and kept in quarantine: quarantine.ndjson of the run's folder on this machine, and of the download of this log`,
      );
  } finally {
    end();
    for (const session of closing.toReversed()) await session.close();
  }
  const progress = meter.snapshot();
  io.progress(progress);
  return { warnings, progress, lineage: describeLineage({ work, source, destination }, streams, progress) };
}

async function syncAll(tools: RunTools, streams: readonly ResolvedStream[]): Promise<void> {
  const readers = readersOf(tools.work);
  const atOnce = createLimit(readers);
  const followed = streams.filter(isFollowed);
  const works = streams
    .filter((stream) => !isFollowed(stream))
    .map(
      (stream) => () =>
        atOnce(async () => {
          tools.signal.throwIfAborted();
          await syncStream(tools, stream);
        }),
    );
  const pace = createPace(tools.io.world, tools.work.advanced, readers);
  if (followed.length > 0) works.push(() => followLog(tools, followed, pace));
  await allOrFirstCause(works, tools.stop);
}

/** Ends all work of the run because of a first failure. */
function stopOthers(io: ChildIo, stop: AbortController): RunTools['stop'] {
  return (cause) => {
    if (stop.signal.aborted) return;
    io.log({ level: 'debug', message: `the other streams stop: ${toFailure(cause).message}` });
    stop.abort(cause);
  };
}

function readersOf({ advanced, source }: SyncWork): number {
  const configured = (source.config as { max_threads?: unknown } | null)?.max_threads;
  const wanted = advanced.max_threads ?? (typeof configured === 'number' ? configured : DEFAULT_READERS);
  return Math.max(1, Math.min(64, Math.trunc(wanted)));
}

/** Sends progress, and ends the attempt when nothing moves or memory runs out. Answers how to stop watching. */
export function watch({
  work,
  io,
  meter,
  stop,
}: {
  work: Pick<SyncWork, 'memoryMb'>;
  io: ChildIo;
  meter: Meter;
  stop: AbortController;
}): () => void {
  let pulse = meter.pulse;
  let movedAt = io.world.elapsed();
  const timer = setInterval(() => {
    const progress = meter.snapshot();
    io.progress(progress);
    const now = io.world.elapsed();
    if (meter.pulse !== pulse) movedAt = now;
    pulse = meter.pulse;
    if (now - movedAt > STALL_MS) {
      stop.abort(new Failure('timed_out', 'the sync made no progress for 30 minutes'));
    }
    const limit = work.memoryMb;
    if (limit !== undefined && process.memoryUsage.rss() > limit * 1024 * 1024) {
      const advice = 'Raise memory_mb of the job or lower max_threads; the next attempt resumes.';
      stop.abort(new Failure('worker_lost', `the sync needs more memory than its ${limit} MB`, { advice }));
    }
  }, PROGRESS_MS);
  return () => clearInterval(timer);
}
