import type { EngineContext } from './context.ts';
import { createWaiter } from './signals.ts';
import { readEndedRuns } from './tables/read.ts';
import { toRunView } from './tables/rows.ts';
import type { RunView } from './types.ts';

const POLL_MS = 1000;

/** Who waits for the end of which run; one statement looks for all of them. */
export interface ChildWatch {
  /** Resolves with the run once it is terminal, with undefined when there is none; rejects as `Attempt.childEnded`. */
  ended(runId: string, until?: AbortSignal): Promise<RunView | undefined>;
  stop(): Promise<void>;
}

type Settle = (run: RunView | undefined) => void;

/**
 * Looks for the ends of runs in bulk: at once for those that a signal names, each second for all. A thousand waiting
 * tasks cost one statement a second, and one per burst of ends.
 */
export function startChildWatch(context: EngineContext): ChildWatch {
  const waiting = new Map<string, Set<Settle>>();
  const named = new Set<string>();
  const waiter = createWaiter();
  let isStopped = false;
  let looking: Promise<void> | undefined;

  const stopListening = context.signals.on('run', (runId) => {
    if (!waiting.has(runId)) return;
    named.add(runId);
    waiter.wake();
  });
  const look = async (): Promise<void> => {
    let polledAt = context.world.elapsed();
    while (waiting.size > 0 && !isStopped) {
      const isPollDue = context.world.elapsed() - polledAt >= POLL_MS;
      if (isPollDue) polledAt = context.world.elapsed();
      const runIds = isPollDue ? [...waiting.keys()] : [...named];
      named.clear();
      if (runIds.length > 0) await settle(runIds).catch((error: unknown) => report(error));
      if (named.size === 0) await waiter.wait(POLL_MS);
    }
    looking = undefined;
  };
  const report = (error: unknown): void => {
    context.log('warn', 'the ends of child runs could not be read; trying again', { error: String(error) });
  };
  const settle = async (runIds: readonly string[]): Promise<void> => {
    const found = await readEndedRuns(context.store.db, runIds);
    const ends = new Map(found.ended.map((row) => [row.id, toRunView(row)]));
    const living = new Set(found.living);
    for (const runId of runIds) {
      if (living.has(runId)) continue;
      for (const resolve of waiting.get(runId) ?? []) resolve(ends.get(runId));
      waiting.delete(runId);
    }
  };
  return {
    ended(runId, until) {
      return new Promise((resolve, reject) => {
        if (until?.aborted) return reject(until.reason as Error);
        const settles = waiting.get(runId) ?? new Set();
        const forget = (): void => {
          settles.delete(resolveRun);
          if (settles.size === 0 && waiting.get(runId) === settles) waiting.delete(runId);
          reject(until!.reason as Error);
        };
        const resolveRun: Settle = (run) => {
          until?.removeEventListener('abort', forget);
          resolve(run);
        };
        until?.addEventListener('abort', forget, { once: true });
        waiting.set(runId, settles.add(resolveRun));
        named.add(runId);
        waiter.wake();
        looking ??= look();
      });
    },
    async stop() {
      isStopped = true;
      stopListening();
      waiter.wake();
      await looking;
    },
  };
}
