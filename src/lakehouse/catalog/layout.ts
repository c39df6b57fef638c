import type { SqlQuery } from './sql.ts';

const createTables = [
  `CREATE TABLE IF NOT EXISTS iceberg_tables (
     catalog_name VARCHAR(255) NOT NULL,
     table_namespace VARCHAR(255) NOT NULL,
     table_name VARCHAR(255) NOT NULL,
     metadata_location VARCHAR(1000),
     previous_metadata_location VARCHAR(1000),
     iceberg_type VARCHAR(5),
     PRIMARY KEY (catalog_name, table_namespace, table_name))`,
  `CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
     catalog_name VARCHAR(255) NOT NULL,
     namespace VARCHAR(255) NOT NULL,
     property_key VARCHAR(255) NOT NULL,
     property_value VARCHAR(1000),
     PRIMARY KEY (catalog_name, namespace, property_key))`,
];

/**
 * Makes the tables of the JDBC layout in a database that is not ours, where they are missing. Answers whether
 * `iceberg_tables` has the column `iceberg_type`, which layouts of older engines lack.
 */
export async function prepareJdbcLayout(query: SqlQuery): Promise<{ readonly hasTypeColumn: boolean }> {
  const has = async (column: string, table: string): Promise<boolean> => {
    try {
      await query(`SELECT ${column} FROM ${table} WHERE 1 = 0`, []);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  };
  if (!(await has('catalog_name', 'iceberg_tables'))) await query(createTables[0]!, []);
  if (!(await has('catalog_name', 'iceberg_namespace_properties'))) await query(createTables[1]!, []);
  return { hasTypeColumn: await has('iceberg_type', 'iceberg_tables') };
}

/** Missing table or column, in the words of PostgreSQL and SQLite. */
function isMissing(error: unknown): boolean {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  return code === '42P01' || code === '42703' || /no such (table|column)/.test(message ?? '');
}
