/** Files that are ended, moved or removed at once: on S3 each waits for the store. */
const AT_ONCE = 4;

/** Does the work for each item, a few at a time. After the first failure no more is begun, and what runs is awaited. */
export async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const some = async (): Promise<void> => {
    try {
      while (next < items.length) await work(items[next++]!);
    } finally {
      next = items.length;
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, some));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
