import type { DuckDBConnection } from '@duckdb/node-api';
import { Failure } from '../../errors.ts';
import { LAKE } from './lake-names.ts';
import type { StagedTable } from './work.ts';

/**
 * Makes the table readable as `lake.<database>.<table>`: its files by the field ids of their columns, without deleted rows.
 * The view holds the mark in a condition that is always true.
 */
export async function showLakeTable(connection: DuckDBConnection, table: StagedTable, mark: string): Promise<void> {
  const { database, table: name } = table.name;
  const schema = `${LAKE}.${quoteName(database)}`;
  await connection.run(`create schema if not exists ${schema}`);
  const view = `${schema}.${quoteName(name)}`;
  const columns = table.columns.map((column) => quoteName(column.name)).join(', ');
  if (table.files.length === 0) {
    const empty = table.columns.map((column) => `null::${column.type} as ${quoteName(column.name)}`).join(', ');
    await connection.run(`create view ${view} as select ${empty} where ${quoteText(mark)} = ''`);
    return;
  }
  await refuseUnnumberedFiles(connection, table);
  const fields = table.columns.map(
    ({ fieldId, name: column, type }) =>
      `${fieldId}: {name: ${quoteText(column)}, type: ${quoteText(type)}, default_value: null}`,
  );
  const scan = `read_parquet([${table.files.map(quoteText).join(', ')}], schema = map {${fields.join(', ')}}, filename = '__file', file_row_number = true)`;
  await connection.run(
    `create view ${view} as select ${columns} from ${scan} where ${quoteText(mark)} <> '' ${await hideDeletedRows(connection, table)}`,
  );
}

async function hideDeletedRows(connection: DuckDBConnection, table: StagedTable): Promise<string> {
  if (table.deletes === null) return '';
  const deleted = `${LAKE}."__deleted"."${table.name.database.replaceAll('"', '""')}.${table.name.table.replaceAll('"', '""')}"`;
  await connection.run(`create schema if not exists ${LAKE}."__deleted"`);
  const columns = "columns = {'file': 'varchar', 'row': 'bigint'}";
  await connection.run(
    `create table ${deleted} as from read_csv(${quoteText(table.deletes)}, header = false, delim = ',', quote = '', escape = '', ${columns})`,
  );
  return `and not exists (select 1 from ${deleted} d where d.file = "__file" and d.row = file_row_number)`;
}

/** Columns are found by their ids; in a file without any, all values would seem to be null. */
async function refuseUnnumberedFiles(connection: DuckDBConnection, { files, name }: StagedTable): Promise<void> {
  const found = await connection.runAndReadAll(
    `select 1 from parquet_schema([${files.map(quoteText).join(', ')}]) group by file_name having count(field_id) = 0 limit 1`,
  );
  if (found.currentRowCount === 0) return;
  throw new Failure(
    'configuration_invalid',
    `${LAKE}.${name.database}.${name.table} has data files whose columns carry no field ids; they cannot be read here`,
  );
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
