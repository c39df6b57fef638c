import type { Pool } from 'pg';

export interface Column {
  readonly name: string;
  /** As PostgreSQL writes it, e.g. `character varying(255)`. */
  readonly type: string;
  readonly isNotNull: boolean;
  /** The expression of the default, or of a generated column. */
  readonly fallback: string | null;
  readonly identity: 'always' | 'by default' | null;
  readonly isComputed: boolean;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Definitions, each with its name. */
  readonly constraints: readonly { readonly name: string; readonly definition: string }[];
  /** Whole statements, without those that a constraint makes. */
  readonly indexes: readonly string[];
}

export interface Catalog {
  readonly sequences: readonly string[];
  readonly tables: readonly Table[];
}

const COLUMNS = `
  select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    a.attnotnull as "isNotNull", pg_get_expr(d.adbin, d.adrelid) as fallback,
    case a.attidentity when 'a' then 'always' when 'd' then 'by default' end as identity,
    a.attgenerated <> '' as "isComputed"
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
  order by c.relname collate "C", a.attnum`;

/** Not-null constraints (which PostgreSQL 18 lists and 15 does not) stand at their columns. */
const CONSTRAINTS = `
  select c.relname as table, k.conname as name, pg_get_constraintdef(k.oid) as definition
  from pg_constraint k join pg_class c on c.oid = k.conrelid
  where c.relnamespace = 'public'::regnamespace and not c.relispartition and k.contype <> 'n'
  order by c.relname collate "C", position(k.contype::text in 'pufcx'), k.conname collate "C"`;

const INDEXES = `
  select c.relname as table, pg_get_indexdef(i.indexrelid) as statement
  from pg_index i join pg_class c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
  where c.relnamespace = 'public'::regnamespace and not c.relispartition
    and not exists (select 1 from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
  order by c.relname collate "C", x.relname collate "C"`;

/** Sequences that stand alone; those of identity columns belong to their columns. */
const SEQUENCES = `
  select c.relname as name from pg_class c
  where c.relkind = 'S' and c.relnamespace = 'public'::regnamespace
    and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0)
  order by c.relname collate "C"`;

/** Reads the live schema `public`, in an order that depends on nothing but its content. */
export async function readCatalog(pool: Pool): Promise<Catalog> {
  const columns = (await pool.query<Column & { table: string }>(COLUMNS)).rows;
  const constraints = (await pool.query<{ table: string; name: string; definition: string }>(CONSTRAINTS)).rows;
  const indexes = (await pool.query<{ table: string; statement: string }>(INDEXES)).rows;
  const sequences = (await pool.query<{ name: string }>(SEQUENCES)).rows.map((row) => row.name);
  const names = [...new Set(columns.map((column) => column.table))];
  const tables = names.map((name) => ({
    name,
    columns: columns.filter((column) => column.table === name),
    constraints: constraints.filter((constraint) => constraint.table === name),
    indexes: indexes.filter((index) => index.table === name).map((index) => index.statement),
  }));
  return { sequences, tables };
}
