import { sql } from 'kysely';
import type { Queryable } from '../../../store/index.ts';

/** Settings of a project; undefined when none were ever written. */
export async function findSettings(queryable: Queryable, project: string) {
  return queryable
    .selectFrom('project_settings')
    .select(['id', 'webhook_alert_url'])
    .where('project', '=', project)
    .executeTakeFirst();
}

/** Writes the settings of a project, whether there were some or not; answers the id. */
export async function putSettings(
  queryable: Queryable,
  row: { readonly project: string; readonly webhook_alert_url: string; readonly updated_by: string },
): Promise<number> {
  const written = await queryable
    .insertInto('project_settings')
    .values({ ...row, created_by: row.updated_by })
    .onConflict((conflict) =>
      conflict.column('project').doUpdateSet({
        webhook_alert_url: row.webhook_alert_url,
        updated_by: row.updated_by,
        updated_at: sql<Date>`clock_timestamp()`,
      }),
    )
    .returning('id')
    .executeTakeFirstOrThrow();
  return written.id;
}
