export interface BatchSettings<Item, Result> {
  /** Items of one call at most. */
  readonly size: number;
  /** Does all or nothing; answers in the order of the items. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Makes one call of those that come in the same turn of the event loop or while another is under way. When a call of
 * several fails, each is done on its own, so that one cannot spoil the others.
 */
export function createBatches<Item, Result>(settings: BatchSettings<Item, Result>): (item: Item) => Promise<Result> {
  const line: Waiting<Item, Result>[] = [];
  let isServing = false;
  const serve = async (): Promise<void> => {
    isServing = true;
    await new Promise((resolve) => setImmediate(resolve));
    while (line.length > 0) await runAll(settings, line.splice(0, settings.size));
    isServing = false;
  };
  return (item) =>
    new Promise((resolve, reject) => {
      line.push({ item, resolve, reject });
      if (!isServing) void serve();
    });
}

async function runAll<Item, Result>(
  settings: BatchSettings<Item, Result>,
  batch: readonly Waiting<Item, Result>[],
): Promise<void> {
  try {
    const results = await settings.run(batch.map(({ item }) => item));
    for (const [place, one] of batch.entries()) one.resolve(results[place]!);
  } catch (error) {
    if (batch.length === 1) return batch[0]!.reject(error);
    for (const one of batch) await runAll(settings, [one]);
  }
}
