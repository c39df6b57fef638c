import type { DiscoveredStream } from '../../../connectors/kit/index.ts';
import { Failure, toFailure } from '../../../errors.ts';
import { parseState, resolveStream, streamId } from '../../catalog/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { destinationContext, sourceContext } from '../context.ts';
import type { ChildIo } from '../io.ts';
import type { SyncResult, SyncWork } from '../work.ts';
import type { RunTools } from './context.ts';
import { allOrFirstCause, createLimit } from './limit.ts';
import { createMeter } from './meter.ts';
import type { Meter } from './meter.ts';
import { createQuarantine } from './quarantine.ts';
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
  const warn = (message: string): void => {
    warnings++;
    io.log({ level: 'warn', message });
  };
  try {
    const sourceSession = await source.open(work.source.config, sourceContext(work, inner));
    closing.push(sourceSession);
    const discovered = await sourceSession.discover({ signal, threads: work.advanced.max_discover_threads ?? 4 });
    const streams = resolveAll(work, discovered, warn);
    const destinationSession = await destination.open(work.destination.config, destinationContext(work, inner));
    closing.push(destinationSession);
    const tools: RunTools = {
      work,
      io: inner,
      signal,
      source: sourceSession,
      destination: destinationSession,
      state: parseState(work.state),
      meter,
      quarantine: createQuarantine(work.advanced, { folder: work.runFolder, world: io.world }),
      reading: createLimit(readersOf(work)),
      warn,
    };
    await syncAll(tools, streams, stop);
    if (tools.quarantine.count > 0) warn(`${tools.quarantine.count} rows were refused and kept in quarantine`);
  } finally {
    end();
    for (const session of closing.toReversed()) await session.close();
  }
  const progress = meter.snapshot();
  io.progress(progress);
  return { warnings, progress };
}

async function syncAll(tools: RunTools, streams: readonly ResolvedStream[], stop: AbortController): Promise<void> {
  const atOnce = createLimit(readersOf(tools.work));
  const works = streams.map(
    (stream) => () =>
      atOnce(async () => {
        tools.signal.throwIfAborted();
        await syncStream(tools, stream);
      }),
  );
  await allOrFirstCause(works, (cause) => {
    tools.io.log({ level: 'debug', message: `the other streams stop: ${toFailure(cause).message}` });
    stop.abort(cause);
  });
}

function readersOf({ advanced, source }: SyncWork): number {
  const configured = (source.config as { max_threads?: unknown } | null)?.max_threads;
  const wanted = advanced.max_threads ?? (typeof configured === 'number' ? configured : DEFAULT_READERS);
  return Math.max(1, Math.min(64, Math.trunc(wanted)));
}

/** The selected streams that can be synced; the others are skipped with a warning. Throws when none is left. */
function resolveAll(
  work: SyncWork,
  discovered: readonly DiscoveredStream[],
  warn: (message: string) => void,
): ResolvedStream[] {
  const present = new Map(discovered.map((stream) => [streamId(stream), stream]));
  const entries = new Map(work.catalog.streams.map((entry) => [streamId(entry.stream), entry]));
  const resolved: ResolvedStream[] = [];
  let selected = 0;
  for (const [namespace, selections] of Object.entries(work.catalog.selected_streams)) {
    for (const selection of selections.filter((candidate) => candidate.disabled !== true)) {
      selected++;
      const id = streamId({ namespace, name: selection.stream_name });
      const entry = entries.get(id);
      const stream = present.get(id);
      try {
        if (!entry) throw new Failure('object_missing', `stream ${id} is selected but not in the catalog`);
        if (!stream) throw new Failure('object_missing', `stream ${id} is not in the source any more`);
        resolved.push(resolveStream({ selection, entry }, stream));
      } catch (error) {
        // A wrong partition pattern would write files to wrong places for good: that ends the run before reading.
        if (selection.partition_regex && toFailure(error).message.includes('has no column')) throw error;
        warn(`skipped: ${toFailure(error).message}`);
      }
    }
  }
  if (resolved.length > 0) return resolved;
  throw new Failure('object_missing', selected === 0 ? 'no stream is selected' : 'no selected stream can be synced');
}

/** Sends progress, and ends the attempt when nothing moves or memory runs out. Answers how to stop watching. */
function watch({
  work,
  io,
  meter,
  stop,
}: {
  work: SyncWork;
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
    if (limit !== undefined && progress.memoryBytes > limit * 1024 * 1024) {
      const advice = 'Raise memory_mb of the job or lower max_threads; the next attempt resumes.';
      stop.abort(new Failure('worker_lost', `the sync needs more memory than its ${limit} MB`, { advice }));
    }
  }, PROGRESS_MS);
  return () => clearInterval(timer);
}
