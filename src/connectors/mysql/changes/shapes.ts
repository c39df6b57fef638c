import type { Relation } from '../catalog.ts';

/**
 * How the tables looked when this session saw them. A log that does not name its columns may hold rows from before a
 * column was dropped; they can be read as long as the shape of that time is remembered.
 */
export interface Shapes {
  remember(relation: Relation): void;
  /** The newest first. */
  of(namespace: string, name: string): readonly Relation[];
}

const MOST_OF_A_TABLE = 4;

export function createShapes(): Shapes {
  const shapes = new Map<string, readonly Relation[]>();
  const keyOf = (namespace: string, name: string): string => `${namespace}\n${name}`;
  const printed = ({ columns }: Relation): string =>
    columns.map(({ name, sourceType, charset }) => `${name} ${sourceType} ${charset}`).join('\n');
  return {
    remember(relation) {
      const key = keyOf(relation.namespace, relation.name);
      const others = (shapes.get(key) ?? []).filter((known) => printed(known) !== printed(relation));
      shapes.set(key, [relation, ...others].slice(0, MOST_OF_A_TABLE));
    },
    of: (namespace, name) => shapes.get(keyOf(namespace, name)) ?? [],
  };
}
