import type { Query } from '../catalog.ts';
import type { TypeFacts } from '../types.ts';

/** A type as a column of the log has it: its number and modifier. */
export interface TypeName {
  readonly oid: number;
  readonly modifier: number;
}

/** `TypeFacts`, and of an array those of its elements. */
export interface LogTypeFacts extends TypeFacts {
  readonly element: ElementFacts | undefined;
}

export interface ElementFacts {
  readonly schema: string;
  readonly name: string;
  readonly category: string;
  /** `pg_type.typtype`: b = base, e = enum, c = composite, d = domain. */
  readonly kind: string;
}

/** Looks up types once each; domains are resolved to what they stand on. */
export type LookUpTypes = (names: readonly TypeName[]) => Promise<readonly LogTypeFacts[]>;

const UNKNOWN: LogTypeFacts = { schema: '', name: '', category: 'U', modifier: -1, element: undefined };

export function createTypeLookup(query: Query): LookUpTypes {
  const known = new Map<string, LogTypeFacts>();
  const word = ({ oid, modifier }: TypeName): string => `${oid}:${modifier}`;
  return async (names) => {
    const missing = names.filter((name) => !known.has(word(name)));
    if (missing.length > 0) {
      const found = await readTypes(query, missing);
      for (const [at, name] of missing.entries()) known.set(word(name), found.get(at) ?? UNKNOWN);
    }
    return names.map((name) => known.get(word(name)) ?? UNKNOWN);
  };
}

async function readTypes(query: Query, names: readonly TypeName[]): Promise<Map<number, LogTypeFacts>> {
  const values = names.map(({ oid, modifier }, at) => `(${at}, ${Math.trunc(oid)}, ${Math.trunc(modifier)})`);
  const rows = await query(
    `with recursive chain (n, oid, kind, modifier) as (
       select w.n, t.oid, t.typtype, w.modifier
       from (values ${values.join(', ')}) w (n, oid, modifier) join pg_catalog.pg_type t on t.oid = w.oid::pg_catalog.oid
       union all
       select c.n, t.oid, t.typtype, case when d.typtypmod >= 0 then d.typtypmod else c.modifier end
       from chain c join pg_catalog.pg_type d on d.oid = c.oid join pg_catalog.pg_type t on t.oid = d.typbasetype
       where c.kind = 'd')
     select c.n, s.nspname, t.typname, t.typcategory, c.modifier, es.nspname, e.typname, e.typcategory, e.typtype
     from chain c
     join pg_catalog.pg_type t on t.oid = c.oid join pg_catalog.pg_namespace s on s.oid = t.typnamespace
     left join pg_catalog.pg_type e on t.typcategory = 'A' and e.oid = t.typelem
     left join pg_catalog.pg_namespace es on es.oid = e.typnamespace
     where c.kind <> 'd'`,
  );
  return new Map(
    rows.map(([n, schema, name, category, modifier, ...element]) => {
      const [of, named, sort, kind] = element.map((text) => text ?? '');
      const facts: LogTypeFacts = {
        schema: schema ?? '',
        name: name ?? '',
        category: category ?? 'U',
        modifier: Number(modifier),
        element: kind ? { schema: of ?? '', name: named ?? '', category: sort ?? '', kind } : undefined,
      };
      return [Number(n), facts];
    }),
  );
}
