import type { Column } from '../../columns/index.ts';
import type { ConnectorContext, DiscoveredStream, SourceColumn, SyncMode } from '../kit/index.ts';
import { readRelations, type Query, type Relation } from './catalog.ts';
import type { MysqlConfig } from './config.ts';

const NAMED_IN_LOG = 20;

interface DiscoverContext {
  readonly log: ConnectorContext['log'];
  /** Hears of each table as it is now. */
  readonly onRelation?: (relation: Relation) => void;
}

/** Streams of the database: its tables and views. What the user may not read is left out and named in the log. */
export async function discoverStreams(
  query: Query,
  config: MysqlConfig,
  context: DiscoverContext,
): Promise<DiscoveredStream[]> {
  const { log, onRelation } = context;
  const relations = await readRelations(query, config.database);
  const unreadable = relations.filter((relation) => !isReadable(relation));
  for (const { namespace, name } of unreadable.slice(0, NAMED_IN_LOG)) {
    log({
      level: 'warn',
      message: `no right to read "${namespace}.${name}": left out (grant select on it to include it)`,
    });
  }
  if (unreadable.length > NAMED_IN_LOG) {
    log({ level: 'warn', message: `${unreadable.length - NAMED_IN_LOG} more tables are left out for want of rights` });
  }
  for (const relation of relations) onRelation?.(relation);
  return relations.filter(isReadable).map((relation) => toStream(relation, config.wantsChanges));
}

export function isReadable(relation: Relation): boolean {
  return relation.columns.some((column) => column.readable);
}

function toStream(relation: Relation, wantsChanges: boolean): DiscoveredStream {
  const readable = relation.columns.filter((column) => column.readable);
  const columns = readable.map(({ name, sourceType, nullable, reading }): SourceColumn => {
    const column: Column = { name, type: reading.type, nullable };
    return { name, sourceType, column, orderable: reading.orderable };
  });
  const names = new Set(readable.map((column) => column.name));
  const modes: SyncMode[] = ['full_refresh'];
  if (columns.some((column) => column.orderable)) modes.push('incremental');
  if (wantsChanges && relation.isTable) modes.push('cdc', 'strict_cdc');
  return {
    namespace: relation.namespace,
    name: relation.name,
    columns,
    // A key of which we may not read every column identifies nothing.
    primaryKey: relation.primaryKey.every((name) => names.has(name)) ? relation.primaryKey : [],
    modes,
  };
}
