import type { ChangeStream, ConnectorContext } from '../../kit/index.ts';
import type { Query, Relation } from '../catalog.ts';
import { chooseReadings, findRelation } from '../selection.ts';
import type { WireColumn } from '../wire/decoder.ts';
import { prepareFilter } from './filter.ts';
import type { ChangeTable, ColumnFacts } from './table.ts';
import { readerOf } from './cells.ts';
import type { LookUpTypes } from './types.ts';

interface Preparing {
  readonly query: Query;
  readonly lookUp: LookUpTypes;
  readonly log: ConnectorContext['log'];
}

/** Reads the catalog's part of the table. Failures as `findRelation` and `chooseReadings`. */
export async function prepareTable(index: number, stream: ChangeStream, using: Preparing): Promise<ChangeTable> {
  const { selection } = stream;
  const relation = await findRelation(using.query, selection);
  const chosen = chooseReadings(relation, selection, using.log);
  const fields = chosen.map(({ name, reading }, at): WireColumn => ({
    wire: reading.wire,
    column: selection.columns[at]?.column ?? { name, type: reading.type, nullable: true },
  }));
  const facts = await readColumnFacts(using.query, relation);
  const filter = await prepareFilter(using.query, { relation, facts, filter: selection.filter });
  const own = selection.primaryKey.map((name) => chosen.findIndex((column) => column.name === name));
  const needed = [...fields, ...filter.map(({ field }) => field)];
  const types = await using.lookUp(needed.map(({ column }) => facts.get(column.name) ?? { oid: 25, modifier: -1 }));
  const readers = needed.map((field, at) => types[at] && readerOf(types[at], field));
  return {
    index,
    stream,
    relation,
    chosen,
    fields,
    keys: own.length > 0 && own.every((at) => at >= 0) ? own : fields.map((_, at) => at),
    generated: new Set([...facts.values()].filter(({ isGenerated }) => isGenerated).map(({ name }) => name)),
    filter,
    readsBinary: readers.every((reader) => !reader || (reader.binary !== undefined && reader.print !== undefined)),
  };
}

async function readColumnFacts(query: Query, { oid }: Relation): Promise<ReadonlyMap<string, ColumnFacts>> {
  const rows = await query(
    `select a.attname, a.atttypid, a.atttypmod, a.attgenerated <> '', pg_catalog.format_type(a.atttypid, -1)
       || case when a.attcollation not in (0, t.typcollation)
          then pg_catalog.format(' collate %I.%I', s.nspname, c.collname) else '' end
     from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
     left join pg_catalog.pg_collation c on c.oid = a.attcollation
     left join pg_catalog.pg_namespace s on s.oid = c.collnamespace
     where a.attrelid = ${Math.trunc(Number(oid))} and a.attnum > 0 and not a.attisdropped`,
  );
  return new Map(
    rows.map(([name, type, modifier, generated, cast]) => [
      name ?? '',
      {
        name: name ?? '',
        oid: Number(type),
        modifier: Number(modifier),
        isGenerated: generated === 't',
        cast: cast ?? '',
      },
    ]),
  );
}
