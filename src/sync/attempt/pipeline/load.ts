import type { Chunk, CommitUnit, CursorBound, LoadPlan } from '../../../connectors/kit/index.ts';
import type { ColumnBatch } from '../../../columns/index.ts';
import { createDecorator } from '../decorate/index.ts';
import type { Decorated } from '../decorate/index.ts';
import type { BoundaryTracker } from './boundary.ts';
import { shapeOf } from './checkpoint.ts';
import type { LoadProgress, SyncCheckpoint } from './checkpoint.ts';
import type { StreamWork } from './context.ts';
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
    rows: 0,
    quarantined: 0,
    begunAt: work.tools.io.world.now().toISOString(),
  };
}

export interface Load {
  readonly start: LoadProgress;
  /** Incremental: what bounds the load, and who remembers the rows at the bound. */
  readonly upTo?: CursorBound;
  readonly boundary?: BoundaryTracker;
  /** What goes into each checkpoint besides the load's progress. */
  details(): Partial<SyncCheckpoint>;
}

/** Reads every chunk still to do, each into files of its own and one commit. Answers the load as it ended. */
export async function loadChunks(work: StreamWork, load: Load): Promise<LoadProgress> {
  const { tools, progress } = work;
  let now = load.start;
  progress.chunks_total = now.total;
  progress.chunks_done = now.total - now.todo.length;
  const stop = new AbortController();
  const signal = AbortSignal.any([tools.signal, stop.signal]);
  const chunkDone = (chunk: Chunk, rows: number, refused: number): LoadProgress => ({
    ...now,
    todo: now.todo.filter((other) => other !== chunk),
    rows: now.rows + rows,
    quarantined: now.quarantined + refused,
  });
  const works = now.todo.map(
    (chunk) => () =>
      tools.reading(async () => {
        signal.throwIfAborted();
        const before = progress.quarantined;
        const unit = work.table.beginUnit();
        try {
          await readChunk(work, { chunk, unit, signal, load });
          tools.io.world.reach('sync.chunk-read');
          const refused = progress.quarantined - before;
          const { rows } = unit;
          if (rows > 0) await commitChunk(() => chunkDone(chunk, rows, refused), unit);
          else await unit.abort();
          now = chunkDone(chunk, rows, refused);
          progress.chunks_done++;
          const place = `chunk ${progress.chunks_done} of ${progress.chunks_total}`;
          tools.io.log({ level: 'info', message: `${work.stream.id}: ${place} done, ${rows} rows` });
        } catch (error) {
          await unit.abort();
          throw error;
        }
      }),
  );
  async function commitChunk(next: () => LoadProgress, unit: CommitUnit): Promise<void> {
    const durable = await work.ledger.commit(
      () => ({ ...load.details(), load: next() }),
      (checkpoint) => unit.commit(now.effect, checkpoint),
    );
    progress.inserted += durable.rows;
    tools.meter.committed(durable.rows);
  }
  await allOrFirstCause(works, (cause) => stop.abort(cause));
  return now;
}

interface ReadWork {
  readonly chunk: Chunk;
  readonly unit: CommitUnit;
  readonly signal: AbortSignal;
  readonly load: Load;
}

async function readChunk(work: StreamWork, { chunk, unit, signal, load }: ReadWork): Promise<void> {
  const { tools, stream } = work;
  const decorator = createDecorator(stream, { operation: 'r', world: tools.io.world });
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
    });
  } finally {
    tools.meter.readerEnded();
  }
}

/** `marks` tells which rows of the source's batch are left (1), where some are not. */
export interface BatchDecorator {
  decorate(batch: ColumnBatch, marks?: Uint8Array): Decorated;
}

/** Fits the batch to the table, decorates and writes it, and samples it. */
export async function writeBatch(
  work: StreamWork,
  unit: CommitUnit,
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

export function refuse(work: StreamWork, row: { column: string; reason: string; key: string }): void {
  work.tools.quarantine.refuse(work.stream.id, row);
  work.progress.quarantined++;
}
