export { openJdbcCatalog } from './jdbc.ts';
export type { JdbcCatalogOptions, OwnedCatalog } from './jdbc.ts';
export { createSqlCatalog } from './sql.ts';
export type { SqlCatalogOptions, SqlQuery, SqlResult } from './sql.ts';
export { createPointerTables, loadTable } from './pointers.ts';
export type { PointerPorts } from './pointers.ts';
export { UnknownOutcome } from './tables.ts';
export type { TableCatalog, TableCommit } from './tables.ts';
export type { CatalogEntry, CatalogPort, TableName } from './port.ts';
