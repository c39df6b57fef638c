import { readingOf, type Reading, type TypeFacts } from './types.ts';
import type { TextRow } from './connect.ts';

export type Query = (sql: string) => Promise<readonly TextRow[]>;

/** `pg_class.relkind` of what can be read: table, partitioned table, view, materialized view, foreign table. */
export type RelationKind = 'r' | 'p' | 'v' | 'm' | 'f';

export interface RelationColumn {
  readonly name: string;
  /** The type as the server prints it. */
  readonly sourceType: string;
  readonly nullable: boolean;
  readonly reading: Reading;
}

/** A table or view as the catalog describes it, with the columns that we may read. */
export interface Relation {
  readonly oid: string;
  readonly namespace: string;
  readonly name: string;
  readonly kind: RelationKind;
  readonly rowSecurity: boolean;
  readonly readable: boolean;
  readonly columns: readonly RelationColumn[];
  readonly primaryKey: readonly string[];
}

/**
 * Reads every relation that the condition (over `c` = pg_class, `n` = pg_namespace) selects, with columns in order and primary
 * key in key order. Four queries, whatever the number of tables.
 */
export async function readRelations(query: Query, condition: string): Promise<Relation[]> {
  const rows = await query(
    `select c.oid, n.nspname, c.relname, c.relkind, c.relrowsecurity,
       coalesce(has_schema_privilege(n.oid, 'usage') and has_any_column_privilege(c.oid, 'select'), false)
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and (${condition})
     order by n.nspname collate "C", c.relname collate "C"`,
  );
  const oids = rows.map((row) => row[0] ?? '');
  if (oids.length === 0) return [];
  const columns = await readColumns(query, oids);
  const keys = await readKeys(query, oids);
  return rows.map(([oid, namespace, name, kind, rowSecurity, readable]) => ({
    oid: oid ?? '',
    namespace: namespace ?? '',
    name: name ?? '',
    kind: kind as RelationKind,
    rowSecurity: rowSecurity === 't',
    readable: readable === 't',
    columns: columns.get(oid ?? '') ?? [],
    primaryKey: keys.get(oid ?? '') ?? [],
  }));
}

async function readColumns(query: Query, oids: readonly string[]): Promise<Map<string, RelationColumn[]>> {
  const rows = await query(
    `select a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod, a.attnotnull
     from pg_catalog.pg_attribute a
     where a.attrelid = any (${oidList(oids)}) and a.attnum > 0 and not a.attisdropped
       and coalesce(has_column_privilege(a.attrelid, a.attnum, 'select'), false)
     order by a.attrelid, a.attnum`,
  );
  const types = await readTypes(query, new Set(rows.map((row) => row[3] ?? '')));
  const columns = new Map<string, RelationColumn[]>();
  for (const [relation, name, sourceType, type, modifier, notNull] of rows) {
    const { facts, notNull: domainNotNull } = resolve(types, type ?? '', Number(modifier));
    const list = columns.get(relation ?? '') ?? [];
    list.push({
      name: name ?? '',
      sourceType: sourceType ?? '',
      nullable: notNull !== 't' && !domainNotNull,
      reading: readingOf(facts),
    });
    columns.set(relation ?? '', list);
  }
  return columns;
}

interface TypeRow {
  readonly schema: string;
  readonly name: string;
  readonly category: string;
  /** Of a domain: what it stands on, with its modifier. */
  readonly base: { readonly oid: string; readonly modifier: number } | undefined;
  readonly notNull: boolean;
}

/** The given types and all domains with what they stand on. */
async function readTypes(query: Query, oids: ReadonlySet<string>): Promise<Map<string, TypeRow>> {
  const rows = await query(
    `select t.oid, n.nspname, t.typname, t.typcategory, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull
     from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
     where t.oid = any (${oidList([...oids])}) or t.typtype = 'd'
       or t.oid in (select typbasetype from pg_catalog.pg_type where typtype = 'd')`,
  );
  return new Map(
    rows.map(([oid, schema, name, category, kind, base, modifier, notNull]) => [
      oid ?? '',
      {
        schema: schema ?? '',
        name: name ?? '',
        category: category ?? '',
        base: kind === 'd' ? { oid: base ?? '', modifier: Number(modifier) } : undefined,
        notNull: kind === 'd' && notNull === 't',
      },
    ]),
  );
}

/** Follows domains down to the type that the values have; the innermost modifier is the one that holds. */
function resolve(types: ReadonlyMap<string, TypeRow>, oid: string, modifier: number) {
  let type = types.get(oid);
  let held = modifier;
  let notNull = false;
  while (type?.base) {
    notNull ||= type.notNull;
    held = type.base.modifier >= 0 ? type.base.modifier : held;
    type = types.get(type.base.oid);
  }
  const facts: TypeFacts = {
    schema: type?.schema ?? '',
    name: type?.name ?? '',
    category: type?.category ?? 'U',
    modifier: held,
  };
  return { facts, notNull };
}

async function readKeys(query: Query, oids: readonly string[]): Promise<Map<string, string[]>> {
  const rows = await query(
    `select i.indrelid, a.attname
     from pg_catalog.pg_index i
     cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
     join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
     where i.indisprimary and k.place <= i.indnkeyatts and i.indrelid = any (${oidList(oids)})
     order by i.indrelid, k.place`,
  );
  const keys = new Map<string, string[]>();
  for (const [relation, name] of rows) {
    const key = keys.get(relation ?? '') ?? [];
    key.push(name ?? '');
    keys.set(relation ?? '', key);
  }
  return keys;
}

function oidList(oids: readonly string[]): string {
  return `'{${oids.map(Number).join(',')}}'::pg_catalog.oid[]`;
}
