import { transact } from './context.ts';
import type { AfterCommit, EngineContext } from './context.ts';

/** Ends of one run that go into one transaction. */
const BATCH = 50;

type Work<T> = (commit: AfterCommit) => Promise<T>;

/** Ends of tasks by their run. `End` is one of a task that did its work: those that come together are one statement. */
export interface Turns<End, Outcome> {
  /** Runs `work` in a transaction, perhaps together with others of the same run. */
  take<T>(runId: string, work: Work<T>): Promise<T>;
  end(runId: string, end: End): Promise<Outcome>;
}

/** Applies ends of tasks of one run; answers in their order. */
export type ApplyEnds<End, Outcome> = (
  commit: AfterCommit,
  runId: string,
  ends: readonly End[],
) => Promise<readonly Outcome[]>;

interface Waiting<End> {
  readonly item: { readonly work: Work<unknown> } | { readonly end: End };
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * The ends of tasks of one run all need the lock of its row. Here they wait for each other without holding a connection,
 * and those that have gathered meanwhile share one transaction and one wait for the disk.
 */
export function createTurns<End, Outcome>(
  context: EngineContext,
  applyEnds: ApplyEnds<End, Outcome>,
): Turns<End, Outcome> {
  const lines = new Map<string, Waiting<End>[]>();
  const finish = async (runId: string, batch: readonly Waiting<End>[]): Promise<void> => {
    try {
      const results = await transact(context, (commit) => finishAll(commit, runId, { batch, applyEnds }));
      for (const [place, one] of batch.entries()) one.resolve(results[place]);
    } catch (error) {
      if (batch.length === 1) return batch[0]!.reject(error);
      // Each in its own, so that one cannot spoil the others.
      for (const one of batch) await finish(runId, [one]);
    }
  };
  const serve = async (runId: string, line: Waiting<End>[]): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    while (line.length > 0) await finish(runId, line.splice(0, BATCH));
    lines.delete(runId);
  };
  const add = (runId: string, item: Waiting<End>['item']): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const waiting = { item, resolve, reject };
      const line = lines.get(runId);
      if (line !== undefined) return void line.push(waiting);
      const first = [waiting];
      lines.set(runId, first);
      void serve(runId, first);
    });
  return {
    take: <T>(runId: string, work: Work<T>) => add(runId, { work }) as Promise<T>,
    end: (runId, end) => add(runId, { end }) as Promise<Outcome>,
  };
}

async function finishAll<End, Outcome>(
  commit: AfterCommit,
  runId: string,
  { batch, applyEnds }: { readonly batch: readonly Waiting<End>[]; readonly applyEnds: ApplyEnds<End, Outcome> },
): Promise<readonly unknown[]> {
  const values = new Map<Waiting<End>, unknown>();
  for (const one of batch) if ('work' in one.item) values.set(one, await one.item.work(commit));
  const ending = batch.flatMap((one) => ('end' in one.item ? [{ one, end: one.item.end }] : []));
  if (ending.length > 0) {
    const outcomes = await applyEnds(
      commit,
      runId,
      ending.map(({ end }) => end),
    );
    for (const [place, { one }] of ending.entries()) values.set(one, outcomes[place]);
  }
  return batch.map((one) => values.get(one));
}
