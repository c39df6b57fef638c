import type { CatalogEntry, CatalogPort, TableName } from './port.ts';

export interface SqlResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly rowCount: number | null;
}

/** Runs one statement with `$1`-style parameters. */
export type SqlQuery = (text: string, values: readonly (string | null)[]) => Promise<SqlResult>;

export interface SqlCatalogOptions {
  /** Throws when the lease is lost; the catalog adds nothing to its failures. */
  readonly query: SqlQuery;
  readonly catalogName: string;
  /** False for tables laid out before views existed, without the column `iceberg_type`. Default true. */
  readonly hasTypeColumn?: boolean;
}

/**
 * A table catalog in the public JDBC layout (`iceberg_tables`, `iceberg_namespace_properties`), so that the SQL and JDBC
 * catalogs of other engines read and write the same rows. A swap is one UPDATE that names the expected location.
 */
export function createSqlCatalog(options: SqlCatalogOptions): CatalogPort {
  const { query, catalogName } = options;
  const typed = options.hasTypeColumn ?? true;
  const onlyTables = typed ? ` AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)` : '';
  const oneTable = `WHERE catalog_name = $1 AND table_namespace = $2 AND table_name = $3${onlyTables}`;

  async function insert(name: TableName, location: string): Promise<boolean> {
    await query(
      `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
       VALUES ($1, $2, 'exists', 'true') ON CONFLICT DO NOTHING`,
      [catalogName, name.database],
    );
    const columns = 'catalog_name, table_namespace, table_name, metadata_location';
    const result = await query(
      typed
        ? `INSERT INTO iceberg_tables (${columns}, iceberg_type) VALUES ($1, $2, $3, $4, 'TABLE') ON CONFLICT DO NOTHING`
        : `INSERT INTO iceberg_tables (${columns}) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
      [catalogName, name.database, name.table, location],
    );
    return result.rowCount === 1;
  }

  return {
    async load(name) {
      const result = await query(
        `SELECT metadata_location, previous_metadata_location FROM iceberg_tables ${oneTable}`,
        [catalogName, name.database, name.table],
      );
      const row = result.rows[0];
      return row?.['metadata_location'] ? entryOf(row) : undefined;
    },
    async swap(name, { expected, next }) {
      if (expected === null) return insert(name, next);
      const result = await query(
        `UPDATE iceberg_tables SET metadata_location = $4, previous_metadata_location = $5
         ${oneTable} AND metadata_location = $5`,
        [catalogName, name.database, name.table, next, expected],
      );
      return result.rowCount === 1;
    },
    async drop(name) {
      const result = await query(`DELETE FROM iceberg_tables ${oneTable}`, [catalogName, name.database, name.table]);
      return result.rowCount === 1;
    },
    async list(database) {
      const where = database === undefined ? '' : ' AND table_namespace = $2';
      const result = await query(
        `SELECT table_namespace, table_name FROM iceberg_tables WHERE catalog_name = $1${where}${onlyTables}
         ORDER BY table_namespace, table_name`,
        database === undefined ? [catalogName] : [catalogName, database],
      );
      return result.rows.map((row) => ({ database: String(row['table_namespace']), table: String(row['table_name']) }));
    },
  };
}

function entryOf(row: Readonly<Record<string, unknown>>): CatalogEntry {
  const previous = row['previous_metadata_location'];
  return {
    metadataLocation: String(row['metadata_location']),
    previousMetadataLocation: previous === null || previous === undefined ? null : String(previous),
  };
}
