import type { Selectable } from 'kysely';
import type { Database, Queryable } from '../../store/index.ts';
import type { UserRow } from '../rows.ts';
import type { Role } from '../types.ts';

export async function countUsers(db: Queryable): Promise<number> {
  const row = await db
    .selectFrom('users')
    .select((select) => select.fn.countAll().as('total'))
    .executeTakeFirstOrThrow();
  return Number(row.total);
}

export async function listUserRows(db: Queryable, page: { limit: number; offset: number }): Promise<UserRow[]> {
  const rows = await db.selectFrom('users').selectAll().orderBy('id').limit(page.limit).offset(page.offset).execute();
  return rows.map(toUserRow);
}

export async function findUserByName(db: Queryable, username: string): Promise<UserRow | undefined> {
  const row = await db.selectFrom('users').selectAll().where('username', '=', username).executeTakeFirst();
  return row && toUserRow(row);
}

export async function findUserEmail(db: Queryable, id: number): Promise<string | undefined> {
  const row = await db.selectFrom('users').select('email').where('id', '=', id).executeTakeFirst();
  return row?.email;
}

/** Locks the user until the transaction ends. */
export async function lockUser(tx: Queryable, id: number): Promise<UserRow | undefined> {
  const row = await tx.selectFrom('users').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  return row && toUserRow(row);
}

/** Locks every administrator, in one order for all callers, so that two of them cannot both be the last but one. */
export async function lockAdminIds(tx: Queryable): Promise<number[]> {
  const rows = await tx
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .orderBy('id')
    .forUpdate()
    .execute();
  return rows.map((row) => Number(row.id));
}

interface NewUserRow {
  readonly username: string;
  readonly email: string;
  readonly role: Role;
  readonly passwordHash: string;
}

/** A duplicate user name or e-mail breaks `users_username_unique` or `users_email_unique`. */
export async function insertUser(db: Queryable, user: NewUserRow): Promise<UserRow> {
  const { passwordHash, ...rest } = user;
  const row = await db
    .insertInto('users')
    .values({ ...rest, password_hash: passwordHash })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toUserRow(row);
}

/** Inserts only while the name and the e-mail are free; undefined when another process was first. */
export async function insertUserIfNew(db: Queryable, user: NewUserRow): Promise<UserRow | undefined> {
  const { passwordHash, ...rest } = user;
  const row = await db
    .insertInto('users')
    .values({ ...rest, password_hash: passwordHash })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
  return row && toUserRow(row);
}

export async function changeUser(tx: Queryable, id: number, change: Partial<NewUserRow>): Promise<UserRow> {
  const { passwordHash, ...rest } = change;
  const row = await tx
    .updateTable('users')
    .set((set) => ({ ...rest, ...(passwordHash && { password_hash: passwordHash }), updated_at: set.fn('now') }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toUserRow(row);
}

export async function renewPasswordHash(db: Queryable, user: UserRow, passwordHash: string): Promise<void> {
  await db
    .updateTable('users')
    .set({ password_hash: passwordHash })
    .where('id', '=', user.id)
    // A password that was changed meanwhile is not undone.
    .where('password_hash', '=', user.passwordHash)
    .execute();
}

/** Its sessions and tokens go with it. */
export async function removeUser(tx: Queryable, id: number): Promise<void> {
  await tx.deleteFrom('users').where('id', '=', id).execute();
}

function toUserRow(row: Selectable<Database['users']>): UserRow {
  return {
    id: Number(row.id),
    username: row.username,
    email: row.email,
    role: row.role,
    passwordHash: row.password_hash,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
