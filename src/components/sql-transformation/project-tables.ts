import type { DuckDBConnection } from '@duckdb/node-api';
import { readExactRows } from './exact-rows.ts';
import { OWN_SCHEMA } from './refusals.ts';

/** A table of the database of the project. */
export interface ProjectTable {
  readonly schema: string;
  readonly name: string;
  /** Another one under the same name has another. */
  readonly oid: string;
}

/** `schema.table`. */
export function keyOf({ schema, name }: ProjectTable): string {
  return `${schema}.${name}`;
}

/**
 * The table that a name of one to three parts means; undefined for views, temporary tables, tables of the lake, our own
 * notes, and where more than one could be meant.
 */
export async function findTable(
  connection: DuckDBConnection,
  name: readonly string[],
): Promise<ProjectTable | undefined> {
  const [table, schema, database] = name.toReversed();
  if (table === undefined || name.length > 3) return undefined;
  const found = await connection.run(
    `select schema_name, table_name, table_oid::varchar, temporary from duckdb_tables()
     where lower(table_name) = lower($1) and schema_name <> '${OWN_SCHEMA}'
       and (temporary or database_name = current_database())
       and case when $3 <> '' then lower(database_name) = lower($3) and lower(schema_name) = lower($2)
         when $2 <> '' then lower(schema_name) = lower($2) or lower(database_name) = lower($2) and schema_name = 'main'
         else schema_name = 'main' end`,
    [table, schema ?? '', database ?? ''],
  );
  const { rows } = await readExactRows(found);
  const [row] = rows;
  if (row === undefined || rows.length > 1 || row[3] === true) return undefined;
  return { schema: String(row[0]), name: String(row[1]), oid: String(row[2]) };
}

/** Names and types, in their order. */
export async function readColumns(
  connection: DuckDBConnection,
  { schema, name }: ProjectTable,
): Promise<readonly { readonly name: string; readonly type: string }[]> {
  const found = await connection.run(
    `select column_name, data_type from duckdb_columns()
     where database_name = current_database() and schema_name = $1 and table_name = $2 order by column_index`,
    [schema, name],
  );
  const { rows } = await readExactRows(found);
  return rows.map(([column, type]) => ({ name: String(column), type: String(type) }));
}
