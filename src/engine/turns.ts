import { transact } from './context.ts';
import type { AfterCommit, EngineContext } from './context.ts';

/** Ends of one run that go into one transaction. */
const BATCH = 50;

type Work<T> = (commit: AfterCommit) => Promise<T>;

/** Ends of tasks by their run. */
export interface Turns {
  /** Runs `work` in a transaction, perhaps together with others of the same run. */
  take<T>(runId: string, work: Work<T>): Promise<T>;
}

interface Waiting {
  readonly work: Work<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * The ends of tasks of one run all need the lock of its row. Here they wait for each other without holding a connection,
 * and those that have gathered meanwhile share one transaction and one wait for the disk.
 */
export function createTurns(context: EngineContext): Turns {
  const lines = new Map<string, Waiting[]>();
  const serve = async (runId: string, line: Waiting[]): Promise<void> => {
    while (line.length > 0) await finish(context, line.splice(0, BATCH));
    lines.delete(runId);
  };
  return {
    take<T>(runId: string, work: Work<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        const waiting: Waiting = { work, resolve: resolve as (value: unknown) => void, reject };
        const line = lines.get(runId);
        if (line !== undefined) return void line.push(waiting);
        const first = [waiting];
        lines.set(runId, first);
        void serve(runId, first);
      });
    },
  };
}

/** All in one transaction; if that fails and there are several, each in its own, so that one cannot spoil the others. */
async function finish(context: EngineContext, batch: readonly Waiting[]): Promise<void> {
  try {
    const results = await transact(context, async (commit) => {
      const values: unknown[] = [];
      for (const { work } of batch) values.push(await work(commit));
      return values;
    });
    for (const [index, one] of batch.entries()) one.resolve(results[index]);
  } catch (error) {
    if (batch.length === 1) return batch[0]!.reject(error);
    for (const one of batch) await finish(context, [one]);
  }
}
