import type { PoolClient } from 'pg';

export interface TableShape {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
}

export interface SequenceValue {
  readonly name: string;
  /** What it gives out next. */
  readonly next: string;
}

/** Ours and the queue's; partitions are part of their parent, computed columns of their row. */
const TABLES = `
  select n.nspname as schema, c.relname as name,
    json_agg(quote_ident(a.attname) order by a.attname collate "C") as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  where n.nspname in ('public', 'pgboss') and c.relkind in ('r', 'p') and not c.relispartition
    and c.relname <> 'store_migration'
  group by 1, 2 order by n.nspname collate "C", c.relname collate "C"`;

const REFERENCES = `
  select distinct f.relnamespace::regnamespace || '.' || f.relname as from, t.relnamespace::regnamespace || '.' || t.relname as to
  from pg_constraint k join pg_class f on f.oid = k.conrelid join pg_class t on t.oid = k.confrelid
  where k.contype = 'f' and k.conparentid = 0 and f.oid <> t.oid`;

export const labelOf = ({ schema, name }: { schema: string; name: string }): string => `${schema}.${name}`;

export function quoted({ schema, name }: TableShape): string {
  return `"${schema}"."${name.replaceAll('"', '""')}"`;
}

/** Every table that a backup holds, each after those it refers to. */
export async function readTables(client: PoolClient): Promise<readonly TableShape[]> {
  const open = (await client.query<TableShape & { columns: string[] }>(TABLES)).rows;
  const references = (await client.query<{ from: string; to: string }>(REFERENCES)).rows;
  const ordered: TableShape[] = [];
  while (open.length > 0) {
    const waits = (table: TableShape): boolean =>
      references.some(({ from, to }) => from === labelOf(table) && open.some((other) => labelOf(other) === to));
    const index = open.findIndex((table) => !waits(table));
    if (index < 0) throw new Error(`tables refer to each other in a circle: ${open.map(labelOf).join(', ')}`);
    ordered.push(...open.splice(index, 1));
  }
  return ordered;
}

/** Read after the tables: a value given out since is skipped, never given out twice. */
export async function readSequences(client: PoolClient): Promise<readonly SequenceValue[]> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(sequencename) as name from pg_sequences
     where schemaname in ('public', 'pgboss') order by 1`,
  );
  const values: SequenceValue[] = [];
  for (const { name } of rows) {
    const found = await client.query<{ next: string }>(
      `select (case when is_called then last_value + seqincrement else last_value end)::text as next
       from ${name}, pg_sequence where seqrelid = $1::regclass`,
      [name],
    );
    values.push({ name, next: found.rows[0]!.next });
  }
  return values;
}

export interface SchemaVersion {
  readonly migrations: readonly { readonly number: number; readonly name: string; readonly checksum: string }[];
  /** Of the queue's own tables; null when they are not installed. */
  readonly queue: number | null;
}

export async function readVersion(client: PoolClient): Promise<SchemaVersion> {
  const migrations = await client.query<SchemaVersion['migrations'][number]>(
    'select number, name, checksum from store_migration order by number',
  );
  const known = await client.query<{ there: boolean }>(`select to_regclass('pgboss.version') is not null as there`);
  if (!known.rows[0]?.there) return { migrations: migrations.rows, queue: null };
  const queue = await client.query<{ version: number }>('select version from pgboss.version');
  return { migrations: migrations.rows, queue: queue.rows[0]?.version ?? null };
}
