/** Lower case, every character that is no letter or digit becomes `_`: the spelling of destination names. */
export function reformat(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '_');
}

/** `reformat` of each name; a name that is taken already gets `_2`, `_3`, … in the order given. */
export function uniqueNames(names: readonly string[], reserved: readonly string[] = []): string[] {
  const taken = new Set(reserved);
  return names.map((name) => {
    const base = reformat(name);
    let candidate = base;
    for (let n = 2; taken.has(candidate); n++) candidate = `${base}_${n}`;
    taken.add(candidate);
    return candidate;
  });
}

/** `prefix_database:namespace`; without a prefix there is no leading underscore. The colon becomes `_` on write. */
export function destinationDatabase(parts: { prefix: string; database: string; namespace: string }): string {
  const head = [parts.prefix, parts.database].filter((part) => part !== '').map(reformat);
  return `${head.join('_')}:${reformat(parts.namespace)}`;
}

/** The database's name as tables carry it. */
export function writtenDatabase(destination: string): string {
  return destination.replaceAll(':', '_');
}

/** `namespace.name`, or only the name where there is no namespace. */
export function streamId(stream: { readonly namespace: string; readonly name: string }): string {
  return stream.namespace === '' ? stream.name : `${stream.namespace}.${stream.name}`;
}

/** Groups by namespace, in order of appearance. A namespace may be called `__proto__` or `constructor`. */
export function byNamespace<T>(pairs: Iterable<readonly [namespace: string, item: T]>): Record<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const [namespace, item] of pairs) {
    const group = groups.get(namespace);
    if (group) group.push(item);
    else groups.set(namespace, [item]);
  }
  return Object.fromEntries(groups);
}

/** Columns that every synced table carries besides those of the source. */
export const ADDED_COLUMNS = ['_olake_id', '_olake_timestamp', '_op_type'] as const;

/** Time of the commit at the source; carried by the tables of streams that are read from a change log. */
export const COMMIT_TIME_COLUMN = '_cdc_timestamp';
