import type { Chunk, CommitUnit, LoadPlan, RefusedRow } from '../../../connectors/kit/index.ts';
import type { ColumnBatch } from '../../../columns/index.ts';
import { createDecorator } from '../decorate/index.ts';
import type { Decorated } from '../decorate/index.ts';
import { shapeOf } from './checkpoint.ts';
import type { LoadProgress, SyncCheckpoint } from './checkpoint.ts';
import type { RunTools, StreamWork } from './context.ts';
import type { Course, Load, Tally } from './course.ts';
import type { Quarantine } from './quarantine.ts';
import { allOrFirstCause } from './limit.ts';

/** A stream's chunk is about this big in the source. */
export const CHUNK_BYTES = 512 * 1024 * 1024;
export const BATCH = { batchRows: 65_536, batchBytes: 16 * 1024 * 1024 } as const;
const CONTINUE_WITHIN_MS = 24 * 3600_000;

/** The unfinished load of a checkpoint, when it may go on: same shape, same source table, less than a day old. */
export function continuable(
  work: StreamWork,
  checkpoint: SyncCheckpoint | undefined,
  plan: LoadPlan,
): LoadProgress | undefined {
  const load = checkpoint?.mode === work.stream.mode ? checkpoint.load : undefined;
  if (!load || load.generation !== plan.generation || load.shape !== shapeOf(work.stream)) return undefined;
  const age = work.tools.io.world.now().getTime() - Date.parse(load.begunAt);
  return age < CONTINUE_WITHIN_MS ? load : undefined;
}

/** True when the chunks read so far and those to be read now show one state of the source, deleted rows aside. */
export async function isStillTrue(work: StreamWork, load: LoadProgress): Promise<boolean> {
  return load.changeMark !== null && work.tools.source.isUnchangedSince(work.stream.selection, load.changeMark);
}

export function beginLoad(work: StreamWork, plan: LoadPlan, effect: LoadProgress['effect']): LoadProgress {
  return {
    generation: plan.generation,
    changeMark: plan.changeMark,
    shape: shapeOf(work.stream),
    effect,
    todo: plan.chunks,
    total: plan.chunks.length,
    ...(plan.estimatedBytes === undefined ? {} : { bytes: plan.estimatedBytes }),
    rows: 0,
    quarantined: 0,
    ...(plan.isCountedByChunks === true ? { counted: 0 } : {}),
    begunAt: work.tools.io.world.now().toISOString(),
  };
}

/**
 * Plans a load of the stream. Where other tasks may help to read it, parts are smaller: so many that all of them end at
 * about the same time, whatever each of them takes.
 */
export async function planLoad(work: Pick<StreamWork, 'tools' | 'stream'>): Promise<LoadPlan> {
  const { source, signal, sharing } = work.tools;
  const plan = (targetBytes: number): Promise<LoadPlan> =>
    source.planLoad(work.stream.selection, { targetBytes, signal });
  const usual = await plan(sharing?.chunkBytes ?? CHUNK_BYTES);
  const smaller = source.shareMoment ? sharing?.smallerChunks(usual.chunks.length) : undefined;
  return smaller === undefined ? usual : plan(smaller);
}

/** Reads every chunk still to do, each into files of its own and one commit. Answers the load as it ended. */
export async function loadChunks(work: StreamWork, load: Load): Promise<LoadProgress> {
  const { tools } = work;
  const course = beginCourse(work, load);
  if (tools.sharing) {
    await tools.sharing.load(work, load, course);
    return course.now;
  }
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const works = load.start.todo.map((chunk) => () => tools.reading(() => course.read(chunk, signal)));
  await allOrFirstCause(works, (cause) => stop.abort(cause));
  return course.now;
}

function beginCourse(work: StreamWork, load: Load): Course {
  const { tools, progress } = work;
  let now = load.start;
  progress.chunks_total = now.total;
  progress.chunks_done = now.total - now.todo.length;
  const chunkDone = (chunk: Chunk, rows: number, { refused, counted }: Tally): LoadProgress => {
    const { counted: before, ...rest } = now;
    return {
      ...rest,
      todo: now.todo.filter((other) => other !== chunk),
      rows: now.rows + rows,
      quarantined: now.quarantined + refused,
      ...(before === undefined || counted === undefined ? {} : { counted: before + counted }),
    };
  };
  async function finish(chunk: Chunk, unit: CommitUnit, tally: Tally): Promise<void> {
    const { rows } = unit;
    const next = (): LoadProgress => chunkDone(chunk, rows, tally);
    if (rows === 0) {
      await unit.abort();
      now = next();
    } else {
      const durable = await work.ledger.commit(
        () => ({ ...load.details(), load: next() }),
        async (checkpoint) => {
          const committed = await unit.commit(now.effect, checkpoint);
          // Before the next commit has its turn, whose checkpoint builds on this one.
          now = next();
          return committed;
        },
      );
      progress.inserted += durable.rows;
      tools.meter.committed(durable.rows);
    }
    progress.chunks_done++;
    const place = `chunk ${progress.chunks_done} of ${progress.chunks_total}`;
    tools.io.log({ level: 'info', message: `${work.stream.id}: ${place} done, ${rows} rows` });
  }
  return {
    get now() {
      return now;
    },
    finish,
    async read(chunk, signal) {
      signal.throwIfAborted();
      const unit = work.table.beginUnit();
      try {
        const boundary = load.boundary?.fork();
        const tally = await readChunk(work, { chunk, unit, signal, load: { upTo: load.upTo, boundary } });
        tools.io.world.reach('sync.chunk-read');
        if (boundary) load.boundary!.merge(boundary.boundary);
        await finish(chunk, unit, tally);
      } catch (error) {
        await unit.abort();
        throw error;
      }
    },
  };
}

/** What reading rows into a unit needs of a stream's work. */
export type ReadingWork = Pick<StreamWork, 'stream' | 'sampler' | 'fit' | 'progress'> & {
  readonly tools: Pick<RunTools, 'io' | 'signal' | 'source' | 'meter' | 'quarantine'>;
};

export interface ReadChunkWork {
  readonly chunk: Chunk;
  readonly unit: Pick<CommitUnit, 'write'>;
  readonly signal: AbortSignal;
  readonly load: Pick<Load, 'upTo' | 'boundary'>;
}

/** Reads a chunk's rows into the unit. */
export async function readChunk(reading: ReadingWork, { chunk, unit, signal, load }: ReadChunkWork): Promise<Tally> {
  const { work, refused } = countRefused(reading);
  const { tools, stream } = work;
  const decorator = createDecorator(stream, { operation: 'r', world: tools.io.world });
  let counted: number | undefined;
  tools.meter.readerStarted();
  try {
    await tools.source.readChunk(stream.selection, {
      ...BATCH,
      chunk,
      upTo: load.upTo,
      signal,
      sink: async (batch) => {
        load.boundary?.collect(batch, decorator.identify(batch));
        await writeBatch(work, unit, { batch, decorator });
      },
      refuse: (row) => refuse(work, row),
      counted: (rows) => (counted = rows),
    });
    return { refused: refused(), counted };
  } finally {
    tools.meter.readerEnded();
  }
}

/** The same work, which also counts the rows refused from now on: other chunks are read at the same time. */
function countRefused(reading: ReadingWork): { work: ReadingWork; refused: () => number } {
  const { quarantine } = reading.tools;
  let count = 0;
  const counted: Quarantine = {
    add: quarantine.add,
    get count() {
      return quarantine.count;
    },
    refuse(stream, row) {
      quarantine.refuse(stream, row);
      count++;
    },
  };
  return { work: { ...reading, tools: { ...reading.tools, quarantine: counted } }, refused: () => count };
}

/** `marks` tells which rows of the source's batch are left (1), where some are not. */
export interface BatchDecorator {
  decorate(batch: ColumnBatch, marks?: Uint8Array): Decorated;
}

/** Fits the batch to the table, decorates and writes it, and samples it. */
export async function writeBatch(
  work: ReadingWork,
  unit: Pick<CommitUnit, 'write'>,
  { batch: source, decorator }: { batch: ColumnBatch; decorator: BatchDecorator },
): Promise<void> {
  work.tools.signal.throwIfAborted();
  const { batch, marks } = work.fit?.(source, (row) => refuse(work, row)) ?? { batch: source };
  if (batch.rows === 0) return;
  const decorated = decorator.decorate(batch, marks);
  const picked = work.sampler.take(batch, decorated.batch);
  const place = await unit.write(decorated.batch);
  work.sampler.keep(picked, place);
  work.tools.meter.read(batch);
  work.progress.rows += batch.rows;
}

export function refuse(work: ReadingWork, row: RefusedRow): void {
  work.tools.quarantine.refuse(work.stream.id, row);
  work.progress.quarantined++;
}
