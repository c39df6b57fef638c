import type { TextRow } from './connect.ts';
import { quoteText } from './quote.ts';
import { readingOf, type Reading, type TypeFacts } from './types.ts';

export type Query = (sql: string) => Promise<readonly TextRow[]>;

export interface RelationColumn {
  readonly name: string;
  /** The type as it was declared. */
  readonly sourceType: string;
  readonly nullable: boolean;
  readonly facts: TypeFacts;
  /** Lower case; empty for types without characters. */
  readonly charset: string;
  readonly collation: string;
  /** Characters or bytes that a value may have; 0 where that means nothing. */
  readonly length: number;
  readonly readable: boolean;
  readonly reading: Reading;
}

/** A table or view as the catalog describes it, with the columns that we may see, in the order of the table. */
export interface Relation {
  readonly namespace: string;
  readonly name: string;
  readonly isTable: boolean;
  /** When the table was made or last rebuilt, as the server prints it; empty where it does not say. */
  readonly created: string;
  readonly estimatedRows: number;
  readonly bytes: number;
  readonly columns: readonly RelationColumn[];
  readonly primaryKey: readonly string[];
}

const TABLE_KINDS = "('BASE TABLE', 'SYSTEM VERSIONED')";

/** Tables and views of a database, or the one of the given name. Three queries, whatever their number. */
export async function readRelations(query: Query, database: string, name?: string): Promise<Relation[]> {
  const named = name === undefined ? '' : ` and table_name = ${quoteText(name)}`;
  const scope = `table_schema = ${quoteText(database)}${named}`;
  const tables = await query(
    `select table_schema, table_name, table_type in ${TABLE_KINDS}, create_time, table_rows, data_length
     from information_schema.tables where ${scope} and table_type in ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
     order by binary table_name`,
  );
  if (tables.length === 0) return [];
  const columns = await readColumns(query, scope);
  const keys = await readKeys(query, scope);
  // Names are compared without regard to case in SQL; here they must be the same.
  return tables
    .filter((row) => row[0] === database && (name === undefined || row[1] === name))
    .map(([namespace, table, isTable, created, rows, bytes]) => ({
      namespace: namespace ?? '',
      name: table ?? '',
      isTable: isTable === '1',
      created: created ?? '',
      estimatedRows: Number(rows ?? 0),
      bytes: Number(bytes ?? 0),
      columns: columns.get(table ?? '') ?? [],
      primaryKey: keys.get(table ?? '') ?? [],
    }));
}

async function readColumns(query: Query, scope: string): Promise<Map<string, RelationColumn[]>> {
  const rows = await query(
    `select table_name, column_name, data_type, column_type, is_nullable, character_set_name,
       coalesce(character_maximum_length, 0), coalesce(numeric_precision, 0), coalesce(numeric_scale, 0), privileges, collation_name
     from information_schema.columns where ${scope} order by binary table_name, ordinal_position`,
  );
  const columns = new Map<string, RelationColumn[]>();
  for (const [
    table,
    name,
    type,
    declared,
    nullable,
    charset,
    length,
    precision,
    scale,
    privileges,
    collation,
  ] of rows) {
    const facts: TypeFacts = {
      name: (type ?? '').toLowerCase(),
      declared: declared ?? '',
      precision: Number(precision),
      scale: Number(scale),
    };
    const list = columns.get(table ?? '') ?? [];
    list.push({
      name: name ?? '',
      sourceType: declared ?? '',
      nullable: nullable === 'YES',
      facts,
      charset: (charset ?? '').toLowerCase(),
      collation: collation ?? '',
      length: Number(length),
      readable: (privileges ?? '').includes('select'),
      reading: readingOf(facts),
    });
    columns.set(table ?? '', list);
  }
  return columns;
}

async function readKeys(query: Query, scope: string): Promise<Map<string, string[]>> {
  const rows = await query(
    `select table_name, column_name from information_schema.statistics
     where ${scope} and index_name = 'PRIMARY' order by table_name, seq_in_index`,
  );
  const keys = new Map<string, string[]>();
  for (const [table, name] of rows) {
    const key = keys.get(table ?? '') ?? [];
    key.push(name ?? '');
    keys.set(table ?? '', key);
  }
  return keys;
}
