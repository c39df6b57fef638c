import type { Queryable } from '../../store/index.ts';
import type { AuditEntry } from '../types.ts';

export async function insertAudit(db: Queryable, entry: AuditEntry): Promise<void> {
  await db
    .insertInto('audit')
    .values({
      // The bootstrap token is no row of the users table.
      user_id: entry.principal?.userId || null,
      username: entry.principal?.username ?? '',
      face: entry.face,
      action: entry.action,
      project: entry.project ?? null,
      subject: entry.subject,
      request_id: entry.requestId ?? null,
    })
    .execute();
}

/** Keeps the newest `most` entries. */
export async function trimAudit(db: Queryable, most: number): Promise<void> {
  const tables = db;
  await tables
    .deleteFrom('audit')
    .where('id', '<=', tables.selectFrom('audit').select('id').orderBy('id', 'desc').offset(most).limit(1))
    .execute();
}
