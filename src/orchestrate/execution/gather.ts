/**
 * Reads by keys, of which those that are asked for in one turn of the event loop share one read: tasks of a phase begin
 * together and ask for the same.
 */
export function gather<K, V>(
  read: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>,
): (key: K) => Promise<V | undefined> {
  let asked: Set<K> | undefined;
  let answer: Promise<ReadonlyMap<K, V>>;
  return async (key) => {
    if (asked === undefined) {
      const keys = new Set<K>();
      asked = keys;
      answer = new Promise((resolve) => setImmediate(resolve)).then(() => {
        asked = undefined;
        return read([...keys]);
      });
    }
    asked.add(key);
    return (await answer).get(key);
  };
}
