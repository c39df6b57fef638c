import type { Chunk } from '../../../connectors/kit/index.ts';
import { describeTable } from '../pipeline/context.ts';
import type { Sharing, StreamWork } from '../pipeline/context.ts';
import type { Course, Load } from '../pipeline/course.ts';
import { createLanes } from './lanes.ts';
import type { Lanes } from './lanes.ts';
import type { Claim, LoadView, SealedChunk, SharedSpec, ShareQuestion, SharingSettings } from './types.ts';

/** Chunks per process that make all of them end at about the same time. */
const CHUNKS_EACH = 5;
const SMALLEST_SHARE = 8;
/** What is left of a load, when it is worth the start of other processes at once. */
const LARGE_BYTES = 512 * 1024 * 1024;

/**
 * Shares the loads of a run among at most `processes` processes, this one included, each of which reads one chunk at a
 * time. This one commits, reads as well, and waits for none of the others: it takes their chunks when they are gone.
 */
export function createSharing(processes: number, { chunkBytes, afterMs }: SharingSettings): Sharing {
  return {
    chunkBytes,
    smallerChunks(count) {
      if (count < 2 || count >= processes * CHUNKS_EACH) return undefined;
      return Math.ceil(chunkBytes * Math.max(1 / SMALLEST_SHARE, count / (processes * CHUNKS_EACH)));
    },
    load: (work, load, course) => readLoad({ work, load, course, processes, afterMs }),
  };
}

interface Sharer {
  readonly work: StreamWork;
  readonly load: Load;
  readonly course: Course;
  readonly processes: number;
  readonly afterMs: number;
}

/** A chunk to be read here. `done` comes after its commit. */
interface Taken {
  readonly chunk: Chunk;
  done?(): Promise<void>;
}

/** Reads here first, so that a load that ends soon bothers nobody; what is left then, or large from the start, is shared. */
async function readLoad(sharer: Sharer): Promise<void> {
  const { work, load, course } = sharer;
  let rest: readonly Chunk[] = load.start.todo;
  const takeOwn = async (): Promise<Taken | undefined> => {
    const [chunk, ...others] = rest;
    rest = others;
    return chunk && { chunk };
  };
  let take = takeOwn;
  const lanes = createLanes(work.tools, async (signal) => {
    const taken = await take();
    if (!taken) return;
    await course.read(taken.chunk, signal);
    await taken.done?.();
  });
  try {
    if (!isLarge(load)) await readAlone(sharer, lanes, () => rest.length);
    const spec = rest.length < 2 ? undefined : await describeLoad(work, load);
    if (spec) {
      const chunks = rest;
      const id = (await ask(work, { ask: 'share.begin', spec, chunks, readers: sharer.processes - 1 })) as string;
      work.tools.io.world.reach('share.begun');
      take = () => takeShared(work, id, chunks);
      await readTogether(sharer, lanes, { id, chunks });
    } else await readAlone({ ...sharer, afterMs: Number.MAX_SAFE_INTEGER }, lanes, () => rest.length);
  } catch (error) {
    // What a lane failed with comes before what followed from it.
    throw lanes.stop(error);
  } finally {
    await lanes.ended();
    work.tools.meter.elsewhere(work.stream.id, []);
  }
}

function isLarge({ start }: Load): boolean {
  return ((start.bytes ?? 0) * start.todo.length) / Math.max(1, start.total) >= LARGE_BYTES;
}

/** Until the time is over, or everything is read. */
async function readAlone({ work, processes, afterMs }: Sharer, lanes: Lanes, left: () => number): Promise<void> {
  const { world } = work.tools.io;
  const end = world.elapsed() + afterMs;
  while (world.elapsed() < end && (left() > 0 || lanes.busy > 0)) {
    lanes.signal.throwIfAborted();
    lanes.open(Math.min(left(), processes - lanes.busy));
    await lanes.pause();
  }
  lanes.signal.throwIfAborted();
}

/** Undefined when the source cannot show its moment to other sessions. */
async function describeLoad(work: StreamWork, load: Load): Promise<SharedSpec | undefined> {
  const { tools, stream, table } = work;
  const moment = await tools.source.shareMoment?.({ signal: tools.signal });
  if (moment === undefined || moment === null) return undefined;
  const upTo = load.upTo && { upTo: load.upTo };
  return { stream, table: describeTable(tools.work, stream), ticket: table.ticket, moment, ...upTo };
}

interface Shared {
  readonly id: string;
  readonly chunks: readonly Chunk[];
}

async function readTogether(sharer: Sharer, lanes: Lanes, shared: Shared): Promise<void> {
  const { work, processes, afterMs } = sharer;
  const { world } = work.tools.io;
  const begun = world.elapsed();
  for (;;) {
    lanes.signal.throwIfAborted();
    const view = (await ask(work, { ask: 'share.look', load: shared.id })) as LoadView;
    showElsewhere(work, view);
    for (const sealed of view.sealed) await commitSealed(sharer, shared, sealed);
    if (view.remaining === view.sealed.length && lanes.busy === 0) break;
    // Chunks that are begun here while readers start would be missing there: a second lane waits for them a while.
    const missing = world.elapsed() - begun < afterMs ? 1 : processes - view.readers;
    lanes.open(Math.min(view.open, Math.max(1, missing) - lanes.busy));
    if (view.sealed.length === 0) await lanes.pause();
  }
  await ask(work, { ask: 'share.end', load: shared.id });
}

async function takeShared(work: StreamWork, id: string, chunks: readonly Chunk[]): Promise<Taken | undefined> {
  const claim = (await ask(work, { ask: 'share.claim', load: id })) as Claim | null;
  if (!claim) return undefined;
  const { number } = claim;
  return { chunk: chunks[number]!, done: async () => void (await ask(work, { ask: 'share.done', load: id, number })) };
}

/** Commits what a reader handed over, as if it had been read here. */
async function commitSealed(
  { work, load, course }: Sharer,
  { id, chunks }: Shared,
  { number, handOver }: SealedChunk,
): Promise<void> {
  const { tools, table, progress, sampler, stream } = work;
  const { sealed, quarantined, counted, boundary } = handOver;
  const unit = await table.adoptUnit(sealed);
  try {
    tools.io.world.reach('share.adopted');
    tools.quarantine.add(stream.id, quarantined);
    progress.quarantined += quarantined;
    if (boundary) load.boundary?.merge(boundary);
    await course.finish(chunks[number]!, unit, { refused: quarantined, counted });
  } catch (error) {
    await unit.abort();
    throw error;
  }
  progress.rows += sealed.rows;
  tools.meter.handedOver(handOver.bytesRead);
  sampler.absorb(handOver.samples, handOver.batches);
  await ask(work, { ask: 'share.done', load: id, number });
  tools.io.world.reach('share.noted');
}

function showElsewhere({ tools, stream }: StreamWork, { elsewhere }: LoadView): void {
  const chunks = elsewhere.map(({ isBeingRead, progress }) => ({ isBeingRead, ...progress }));
  tools.meter.elsewhere(stream.id, chunks);
}

async function ask({ tools }: StreamWork, question: ShareQuestion): Promise<unknown> {
  return tools.io.ask(question);
}
