import type { EngineContext } from './context.ts';
import { appendLines } from './tables/log.ts';
import type { NewLines } from './tables/log.ts';

/** Lines that one statement stores, in bytes; a single batch may have more. */
const LARGEST_BYTES = 4 * 1024 * 1024;

/** Stores lines of the runs of one worker. */
export interface LineStore {
  /** Resolves when the lines are stored; with false, and nothing is stored, when the log would become too large. */
  append(batch: NewLines): Promise<boolean>;
}

interface Waiting {
  readonly batch: NewLines;
  resolve(isStored: boolean): void;
  reject(error: unknown): void;
}

/**
 * Attempts that write at the same time, most of all those of one run, would wait for each other at the head of its log,
 * each for its own write to the disk. Here what has come while a statement was under way goes into the next one.
 */
export function createLineStore(context: Pick<EngineContext, 'store'>, limitBytes: number): LineStore {
  const line: Waiting[] = [];
  let isServing = false;
  const serve = async (): Promise<void> => {
    isServing = true;
    while (line.length > 0) await storeAll(context, takeSome(line), limitBytes);
    isServing = false;
  };
  return {
    append: (batch) =>
      new Promise((resolve, reject) => {
        line.push({ batch, resolve, reject });
        if (!isServing) void serve();
      }),
  };
}

function takeSome(line: Waiting[]): readonly Waiting[] {
  let bytes = 0;
  const past = line.findIndex(({ batch }, place) => (bytes += batch.bytes) > LARGEST_BYTES && place > 0);
  return line.splice(0, past === -1 ? line.length : past);
}

/** All in one statement; those that it could not store, each in its own, so that one cannot spoil the others. */
async function storeAll(
  context: Pick<EngineContext, 'store'>,
  some: readonly Waiting[],
  limitBytes: number,
): Promise<void> {
  const byRun = Map.groupBy(some, ({ batch }) => batch.runId);
  // One order for all workers: else two could wait for each other's heads of logs.
  const merged = [...byRun.values()]
    .map((ofRun) => mergeLines(ofRun.map(({ batch }) => batch)))
    .toSorted((one, other) => (one.runId < other.runId ? -1 : 1));
  let stored: ReadonlySet<string>;
  try {
    stored = await appendLines(context.store.db, merged, limitBytes);
  } catch (error) {
    if (some.length === 1) return some[0]!.reject(error);
    stored = new Set();
  }
  for (const one of some) {
    if (stored.has(one.batch.runId)) one.resolve(true);
    else if (some.length === 1) one.resolve(false);
    else await storeAll(context, [one], limitBytes);
  }
}

/** Lines of one run as one. */
function mergeLines(batches: readonly NewLines[]): NewLines {
  const sum = (read: (batch: NewLines) => number): number => batches.reduce((total, batch) => total + read(batch), 0);
  return {
    runId: batches[0]!.runId,
    content: batches.map(({ content }) => content).join(''),
    bytes: sum((batch) => batch.bytes),
    visible: sum((batch) => batch.visible),
  };
}
