import type { BatchSink } from '../../kit/index.ts';
import { createDecoder, type BatchLimits, type Decoder, type WireColumn } from './decoder.ts';

/** Two decoders that take turns: one is filled while the sink works on the other. */
export interface Batches {
  current(): Decoder;
  /** Gives the current batch to the sink and makes the other current; false while the sink still holds the other. */
  handOver(): boolean;
  /** Waits for the sink, gives it what remains, waits again. */
  flush(): Promise<void>;
}

interface BatchWork {
  readonly columns: readonly WireColumn[];
  readonly limits: BatchLimits;
  readonly sink: BatchSink;
  /** The sink has answered: the batch it held can be filled again. */
  readonly onFree: () => void;
  readonly onFailure: (error: unknown) => void;
}

export function createBatches(work: BatchWork): Batches {
  const create = (): Decoder => createDecoder(work.columns, work.limits);
  let current = create();
  // Small tables never need the second one.
  let other: Decoder | undefined;
  let sinking: Promise<void> | undefined;

  const give = async (decoder: Decoder): Promise<void> => {
    await work.sink({ rows: decoder.rows, columns: decoder.vectors() });
    decoder.reset();
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
      current = other ?? create();
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
