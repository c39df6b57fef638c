/** At most `most` pieces of work at once, first come first served. */
export function createLimit(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => queue.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = queue.shift();
      // The place is handed over, not freed: nobody can slip in between.
      if (next) next();
      else running--;
    }
  };
}

/**
 * Runs all; when one fails, `stop` is called with the cause, the others are waited for, and the first cause is thrown.
 */
export async function allOrFirstCause(
  works: readonly (() => Promise<void>)[],
  stop: (cause: unknown) => void,
): Promise<void> {
  let failed = false;
  let first: unknown;
  const guarded = works.map(async (work) => {
    try {
      await work();
    } catch (error) {
      if (failed) return;
      failed = true;
      first = error;
      stop(error);
    }
  });
  await Promise.all(guarded);
  if (failed) throw first;
}
