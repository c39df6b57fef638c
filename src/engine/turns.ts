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

/** How ends of tasks of one run are applied; both answer in their order. */
export interface EndRules<End, Outcome> {
  readonly apply: (commit: AfterCommit, ends: readonly End[]) => Promise<readonly Outcome[]>;
  /** In a statement that is a transaction of its own; undefined, and nothing is done, when it takes more than that. */
  readonly applyAlone: (ends: readonly End[]) => Promise<readonly Outcome[] | undefined>;
}

interface Waiting<End> {
  readonly item: { readonly work: Work<unknown> } | { readonly end: End };
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * The ends of tasks of one run all need the lock of its row. Here they wait for each other without holding a connection,
 * and those that have gathered meanwhile share one transaction and one wait for the disk.
 */
export function createTurns<End, Outcome>(context: EngineContext, rules: EndRules<End, Outcome>): Turns<End, Outcome> {
  const lines = new Map<string, Waiting<End>[]>();
  const finish = async (batch: readonly Waiting<End>[]): Promise<void> => {
    try {
      const ends = batch.flatMap(({ item }) => ('end' in item ? [item.end] : []));
      const alone = ends.length === batch.length ? await rules.applyAlone(ends) : undefined;
      const results = alone ?? (await transact(context, (commit) => finishAll(commit, batch, rules)));
      for (const [place, one] of batch.entries()) one.resolve(results[place]);
    } catch (error) {
      if (batch.length === 1) return batch[0]!.reject(error);
      // Each in its own, so that one cannot spoil the others.
      for (const one of batch) await finish([one]);
    }
  };
  const serve = async (runId: string, line: Waiting<End>[]): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    while (line.length > 0) await finish(line.splice(0, BATCH));
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
  batch: readonly Waiting<End>[],
  rules: EndRules<End, Outcome>,
): Promise<readonly unknown[]> {
  const values = new Map<Waiting<End>, unknown>();
  for (const one of batch) if ('work' in one.item) values.set(one, await one.item.work(commit));
  const ending = batch.flatMap((one) => ('end' in one.item ? [{ one, end: one.item.end }] : []));
  const ends = ending.map(({ end }) => end);
  const outcomes = ends.length === 0 ? [] : await rules.apply(commit, ends);
  for (const [place, { one }] of ending.entries()) values.set(one, outcomes[place]);
  return batch.map((one) => values.get(one));
}
