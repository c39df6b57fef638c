import type { ColumnVector } from '../../columns/index.ts';
import type { BatchSink } from './source.ts';

/** Decodes rows into buffers of its own, until they are full. */
export interface BatchFiller {
  readonly rows: number;
  vectors(): readonly ColumnVector[];
  /** Its buffers may be filled again. */
  reset(): void;
}

/** Two fillers that take turns: one is filled while the sink works on the other. */
export interface Batches<Filler extends BatchFiller> {
  current(): Filler;
  /** Gives the current batch to the sink and makes the other current; false while the sink still holds the other. */
  handOver(): boolean;
  /** Waits for the sink, gives it what remains, waits again. */
  flush(): Promise<void>;
}

interface BatchWork<Filler extends BatchFiller> {
  readonly create: () => Filler;
  readonly sink: BatchSink;
  /** The sink has answered: the batch it held can be filled again. */
  readonly onFree: () => void;
  readonly onFailure: (error: unknown) => void;
}

export function createBatches<Filler extends BatchFiller>(work: BatchWork<Filler>): Batches<Filler> {
  let current = work.create();
  // Small tables never need the second one.
  let other: Filler | undefined;
  let sinking: Promise<void> | undefined;

  const give = async (filler: Filler): Promise<void> => {
    await work.sink({ rows: filler.rows, columns: filler.vectors() });
    filler.reset();
  };
  const watch = async (given: Promise<void>): Promise<void> => {
    try {
      await given;
    } catch (error) {
      work.onFailure(error);
      return;
    }
    sinking = undefined;
    work.onFree();
  };
  return {
    current: () => current,
    handOver() {
      if (sinking) return false;
      const full = current;
      current = other ?? work.create();
      other = full;
      sinking = give(full);
      void watch(sinking);
      return true;
    },
    async flush() {
      await sinking;
      if (current.rows > 0) await give(current);
    },
  };
}
