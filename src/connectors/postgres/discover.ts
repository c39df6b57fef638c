import type { Column } from '../../columns/index.ts';
import type { ConnectorContext, DiscoveredStream, SourceColumn, SyncMode } from '../kit/index.ts';
import { readRelations, type Query, type Relation } from './catalog.ts';
import type { PostgresConfig } from './config.ts';
import { quoteText } from './select.ts';

const NAMED_IN_LOG = 20;

/**
 * Streams of the database: tables, partitioned tables (not their partitions), views, materialized views and foreign tables
 * outside the system's schemas. What the user may not read is left out and named in the log.
 */
export async function discoverStreams(
  query: Query,
  { schemas, changes }: Pick<PostgresConfig, 'schemas' | 'changes'>,
  log: ConnectorContext['log'],
): Promise<DiscoveredStream[]> {
  const limit = schemas.length === 0 ? '' : ` and n.nspname in (${schemas.map(quoteText).join(', ')})`;
  const relations = await readRelations(
    query,
    `not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'${limit}`,
  );
  reportMissing(relations, schemas, log);
  return relations.filter((relation) => relation.readable).map((relation) => toStream(relation, changes !== undefined));
}

function toStream(relation: Relation, hasChanges: boolean): DiscoveredStream {
  const columns = relation.columns.map(({ name, sourceType, nullable, reading }): SourceColumn => {
    const column: Column = { name, type: reading.type, nullable };
    return { name, sourceType, column, orderable: reading.orderable };
  });
  const names = new Set(relation.columns.map((column) => column.name));
  const modes: SyncMode[] = ['full_refresh'];
  if (columns.some((column) => column.orderable)) modes.push('incremental');
  // Only what is stored here as a table is in the log.
  if (hasChanges && (relation.kind === 'r' || relation.kind === 'p')) modes.push('cdc', 'strict_cdc');
  return {
    namespace: relation.namespace,
    name: relation.name,
    columns,
    // A key of which we may not read every column identifies nothing.
    primaryKey: relation.primaryKey.every((name) => names.has(name)) ? relation.primaryKey : [],
    modes,
  };
}

function reportMissing(relations: readonly Relation[], schemas: readonly string[], log: ConnectorContext['log']): void {
  const unreadable = relations.filter((relation) => !relation.readable);
  for (const { namespace, name } of unreadable.slice(0, NAMED_IN_LOG)) {
    log({
      level: 'warn',
      message: `no right to read "${namespace}.${name}": left out (grant select on it to include it)`,
    });
  }
  if (unreadable.length > NAMED_IN_LOG) {
    log({ level: 'warn', message: `${unreadable.length - NAMED_IN_LOG} more tables are left out for want of rights` });
  }
  const found = new Set(relations.map((relation) => relation.namespace));
  for (const schema of schemas) {
    if (!found.has(schema)) log({ level: 'warn', message: `the schema "${schema}" has no tables, or does not exist` });
  }
}
