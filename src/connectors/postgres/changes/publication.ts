import { Failure } from '../../../errors.ts';
import type { ConnectorContext, StreamSelection } from '../../kit/index.ts';
import type { Query } from '../catalog.ts';
import { quoteName, quoteRelation, quoteText } from '../select.ts';
import { remedied } from './remedy.ts';

interface Publication {
  readonly name: string;
  readonly isForAll: boolean;
  readonly publishes: readonly string[];
  readonly isViaRoot: boolean;
}

const ACTIONS = ['insert', 'update', 'delete', 'truncate'];

export async function findPublication(query: Query, name: string): Promise<Publication | undefined> {
  const rows = await query(
    `select p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
       coalesce(pg_catalog.to_jsonb(p) ->> 'pubviaroot', 'false')
     from pg_catalog.pg_publication p where p.pubname = ${quoteText(name)}`,
  );
  const [row] = rows;
  if (!row) return undefined;
  return {
    name,
    isForAll: row[0] === 't',
    publishes: ACTIONS.filter((_, at) => row[at + 1] === 't'),
    isViaRoot: row[5] === 'true',
  };
}

export function requirePublication(found: Publication | undefined, name: string, tables: readonly StreamSelection[]) {
  if (!found) {
    const list = tables.length === 0 ? '"schema"."table", …' : tables.map(quoteRelation).join(', ');
    throw remedied(
      'object_missing',
      `the publication "${name}" does not exist`,
      `Run: CREATE PUBLICATION ${quoteName(name)} FOR TABLE ${list} (or FOR ALL TABLES)`,
    );
  }
  const missing = ACTIONS.filter((action) => !found.publishes.includes(action));
  if (missing.length > 0) {
    throw remedied(
      'configuration_invalid',
      `the publication "${name}" does not publish ${missing.join(' and ')}`,
      `Run: ALTER PUBLICATION ${quoteName(name)} SET (publish = '${ACTIONS.join(', ')}')`,
    );
  }
  return found;
}

interface PublishedTable {
  readonly stream: StreamSelection;
  readonly kind: string;
  readonly isPublished: boolean;
  readonly hasRowFilter: boolean;
  /** Null = all columns. */
  readonly columns: readonly string[] | null;
  /** Tables that hold rows of it and do not tell which row an update or a delete meant. */
  readonly unidentified: readonly string[];
}

/** Throws a failure that names the first table whose changes the publication cannot bring, and the remedy. */
export async function checkTables(
  query: Query,
  publication: Publication,
  using: { streams: readonly StreamSelection[]; log: ConnectorContext['log'] },
): Promise<void> {
  const tables = await Promise.all(using.streams.map((stream) => describe(query, publication, stream)));
  const unpublished = tables.filter(({ isPublished, kind }) => !isPublished && (kind === 'r' || kind === 'p'));
  for (const { stream, kind } of tables) requireTable(stream, kind, publication);
  if (unpublished.length > 0) {
    const names = unpublished.map(({ stream }) => quoteRelation(stream)).join(', ');
    throw remedied(
      'object_missing',
      `the publication "${publication.name}" lacks ${names}`,
      `Run: ALTER PUBLICATION ${quoteName(publication.name)} ADD TABLE ${names}`,
    );
  }
  for (const table of tables) {
    requireColumns(table, publication);
    requireIdentity(table);
    if (table.hasRowFilter) {
      const message = `the publication "${publication.name}" publishes only some rows of ${quoteRelation(table.stream)}: changes of the others are not read`;
      using.log({ level: 'warn', message });
    }
  }
}

function requireTable(stream: StreamSelection, kind: string, { name, isViaRoot }: Publication): void {
  if (kind === '') throw new Failure('object_missing', `${quoteRelation(stream)} does not exist`);
  if (kind !== 'r' && kind !== 'p') {
    throw remedied(
      'configuration_invalid',
      `${quoteRelation(stream)} is no table: its changes are in no log`,
      'Choose full_refresh or incremental for it.',
    );
  }
  if (kind === 'p' && !isViaRoot) {
    const reason = `the publication "${name}" brings changes of ${quoteRelation(stream)} under the names of its partitions`;
    throw remedied(
      'configuration_invalid',
      reason,
      `Run: ALTER PUBLICATION ${quoteName(name)} SET (publish_via_partition_root = true)`,
    );
  }
}

function requireColumns({ stream, columns }: PublishedTable, { name }: Publication): void {
  if (columns === null) return;
  const missing = stream.columns.map((column) => column.name).filter((column) => !columns.includes(column));
  if (missing.length === 0) return;
  const table = quoteRelation(stream);
  throw remedied(
    'configuration_invalid',
    `the publication "${name}" leaves out ${missing.map(quoteName).join(', ')} of ${table}`,
    `Deselect them, or run: ALTER PUBLICATION ${quoteName(name)} DROP TABLE ${table}; ALTER PUBLICATION ${quoteName(name)} ADD TABLE ${table}`,
  );
}

function requireIdentity({ stream, unidentified }: PublishedTable): void {
  const [first] = unidentified;
  if (first === undefined) return;
  const identity = stream.primaryKey.length > 0 ? 'DEFAULT' : 'FULL';
  throw remedied(
    'configuration_invalid',
    `the log does not say which rows of ${first} are updated and deleted: its replica identity does not cover ${stream.primaryKey.length > 0 ? 'the primary key' : 'a table without a primary key'}`,
    `Run: ${unidentified.map((table) => `ALTER TABLE ${table} REPLICA IDENTITY ${identity}`).join('; ')}`,
  );
}

async function describe(query: Query, publication: Publication, stream: StreamSelection): Promise<PublishedTable> {
  const literals = [publication.name, stream.namespace, stream.name].map(quoteText);
  const rows = await query(
    `select c.oid, c.relkind,
       exists (select from pg_catalog.pg_publication_tables t
         where t.pubname = ${literals[0]} and t.schemaname = n.nspname and t.tablename = c.relname),
       (select pg_catalog.to_jsonb(r) ->> 'prqual' is not null from pg_catalog.pg_publication_rel r
         join pg_catalog.pg_publication p on p.oid = r.prpubid
         where p.pubname = ${literals[0]} and r.prrelid = c.oid),
       (select case when pg_catalog.to_jsonb(r) ->> 'prattrs' is null then null else (
           select pg_catalog.json_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = c.oid
             and (pg_catalog.to_jsonb(r) -> 'prattrs') @> pg_catalog.to_jsonb(a.attnum)) end
         from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p on p.oid = r.prpubid
         where p.pubname = ${literals[0]} and r.prrelid = c.oid)
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = ${literals[1]} and c.relname = ${literals[2]}`,
  );
  const [oid, kind, isPublished, hasRowFilter, columns] = rows[0] ?? [];
  return {
    stream,
    kind: kind ?? '',
    isPublished: isPublished === 't',
    hasRowFilter: hasRowFilter === 't',
    columns: columns == null ? null : (JSON.parse(columns) as string[]),
    unidentified: oid == null ? [] : await findUnidentified(query, stream, { oid, kind: kind ?? '' }),
  };
}

/** The table, or those of its partitions, whose replica identity does not cover the key of the stream. */
async function findUnidentified(query: Query, stream: StreamSelection, { oid, kind }: { oid: string; kind: string }) {
  const from =
    kind === 'p'
      ? `(select relid from pg_catalog.pg_partition_tree(${Math.trunc(Number(oid))}) where isleaf) t (relid)`
      : `(values (${Math.trunc(Number(oid))}::pg_catalog.oid)) t (relid)`;
  const rows = await query(
    `select n.nspname, c.relname, c.relreplident, coalesce((
       select pg_catalog.json_agg(a.attname) from pg_catalog.pg_index i
       join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey::int2[])
       where i.indrelid = c.oid and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident end), '[]')
     from ${from} join pg_catalog.pg_class c on c.oid = t.relid join pg_catalog.pg_namespace n on n.oid = c.relnamespace`,
  );
  return rows
    .filter(([, , identity, columns]) => {
      if (identity === 'f') return false;
      const covered = new Set(JSON.parse(columns ?? '[]') as string[]);
      return stream.primaryKey.length === 0 || stream.primaryKey.some((name) => !covered.has(name));
    })
    .map(([namespace, name]) => quoteRelation({ namespace: namespace ?? '', name: name ?? '' }));
}
