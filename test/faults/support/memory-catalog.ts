import type { CatalogEntry, CatalogPort, TableName } from '../../../src/lakehouse/index.ts';

/** A catalog of tables that survives the crash of an attempt, and can go back to what it was. */
export interface MemoryCatalog extends CatalogPort {
  copy(): ReadonlyMap<string, CatalogEntry>;
  replace(entries: ReadonlyMap<string, CatalogEntry>): void;
}

export function createMemoryCatalog(): MemoryCatalog {
  let entries = new Map<string, CatalogEntry>();
  const key = (name: TableName): string => `${name.database}.${name.table}`;
  return {
    copy: () => new Map(entries),
    replace(kept) {
      entries = new Map(kept);
    },
    load: async (name) => entries.get(key(name)),
    async swap(name, { expected, next }) {
      const now = entries.get(key(name))?.metadataLocation ?? null;
      if (now !== expected) return false;
      entries.set(key(name), { metadataLocation: next, previousMetadataLocation: expected });
      return true;
    },
    drop: async (name) => entries.delete(key(name)),
    list: async () =>
      [...entries.keys()].map((text) => ({ database: text.split('.')[0]!, table: text.split('.')[1]! })),
  };
}
