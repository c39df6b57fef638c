import type { ChangeStream, ConnectorContext } from '../../kit/index.ts';
import type { Query, Relation } from '../catalog.ts';
import { chooseReadings, findRelation, type ChosenColumn } from '../selection.ts';
import type { WireColumn } from '../wire/decoder.ts';
import { prepareFilter, type FilterTest } from './filter.ts';
import { readerOf } from './cells.ts';
import type { LookUpTypes } from './types.ts';

/** A stream whose changes are read, with its table as the catalog has it now. */
export interface ChangeTable {
  /** Index into the streams of the read. */
  readonly index: number;
  readonly stream: ChangeStream;
  readonly relation: Relation;
  /** The selected columns in order: how they are asked for, and how they lie in a row. */
  readonly chosen: readonly ChosenColumn[];
  readonly fields: readonly WireColumn[];
  /** Fields that identify a row: the primary key, or all of them where there is none. */
  readonly keys: readonly number[];
  /** Columns that the server computes; the log may leave them out. */
  readonly generated: ReadonlySet<string>;
  readonly filter: readonly FilterTest[];
  /** False when a selected column has a type whose binary form is not read here. */
  readonly readsBinary: boolean;
}

/** A column as the log and the filter need it. */
export interface ColumnFacts {
  readonly name: string;
  readonly oid: number;
  readonly modifier: number;
  readonly isGenerated: boolean;
  /** The type without its modifier, and the collation that differs from the type's own, ready for a cast. */
  readonly cast: string;
}

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
