import type { Connectors } from '../../connectors/index.ts';
import type { LogLine } from '../../connectors/kit/index.ts';
import type { CatalogEntry, CatalogPort, TableName } from '../../lakehouse/index.ts';
import type { World } from '../../world.ts';
import type { SyncProgress } from '../types.ts';
import type { Question } from './work.ts';

/** What the work inside a child sees of the process around it. */
export interface ChildIo {
  readonly world: World;
  readonly connectors: Connectors;
  readonly signal: AbortSignal;
  log(line: LogLine): void;
  progress(value: SyncProgress): void;
  ask(question: Question): Promise<unknown>;
}

/** The built-in catalog, reached through the parent; a swap there holds only while the attempt owns its work. */
export function askedCatalog(io: Pick<ChildIo, 'ask'>): CatalogPort {
  return {
    // IPC turns `undefined` into null.
    load: async (name) => ((await io.ask({ ask: 'catalog.load', name })) ?? undefined) as CatalogEntry | undefined,
    swap: async (name, { expected, next }) => (await io.ask({ ask: 'catalog.swap', name, expected, next })) as boolean,
    drop: async (name) => (await io.ask({ ask: 'catalog.drop', name })) as boolean,
    list: async (database) => (await io.ask({ ask: 'catalog.list', database })) as readonly TableName[],
  };
}

/** Answers the catalog questions out of a catalog; undefined for questions of another sort. */
export function answerFromCatalog(catalog: CatalogPort, question: Question): Promise<unknown> | undefined {
  switch (question.ask) {
    case 'catalog.load':
      return catalog.load(question.name);
    case 'catalog.swap':
      return catalog.swap(question.name, { expected: question.expected, next: question.next });
    case 'catalog.drop':
      return catalog.drop(question.name);
    case 'catalog.list':
      return catalog.list(question.database);
    default:
      return undefined;
  }
}
