import { CompiledQuery } from 'kysely';
import { createSqlCatalog, type CatalogPort } from '../lakehouse/index.ts';
import type { Queryable } from '../store/index.ts';

/** The built-in table catalog of a project, in the tables of our own store; inside the caller's transaction, if it is one. */
export function catalogIn(db: Queryable, project: string): CatalogPort {
  return createSqlCatalog({
    catalogName: project,
    async query(text, values) {
      const result = await db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...values]));
      const changed = result.numAffectedRows;
      return { rows: result.rows, rowCount: changed === undefined ? result.rows.length : Number(changed) };
    },
  });
}
