import { type Selectable, sql } from 'kysely';
import type { Database, Queryable } from '../../../store/index.ts';
import type { ConnectionKind, JsonForm, Page, Paging } from '../types.ts';

export type ConnectionRow = Selectable<Database['connection']>;

export interface ConnectionKey {
  readonly project: string;
  readonly kind: ConnectionKind;
}

export interface ConnectionValues {
  readonly name: string;
  readonly type: string;
  readonly canonical_type: string;
  readonly version: string;
  readonly sealed_config: string;
  readonly shown_config: string;
  readonly config_form: JsonForm;
  readonly updated_by: string;
}

/** Inserts a live row and answers its id; undefined when a live row of that name is there. */
export async function insertConnection(
  queryable: Queryable,
  row: ConnectionKey & ConnectionValues & { readonly place: string },
): Promise<number | undefined> {
  const inserted = await queryable
    .insertInto('connection')
    .values({ ...row, created_by: row.updated_by })
    .onConflict((conflict) => conflict.columns(['project', 'kind', 'name']).where('deleted_at', 'is', null).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted && inserted.id;
}

/** A live row by id; locked until the transaction ends when `lock` is true. */
export async function findConnection(
  queryable: Queryable,
  key: ConnectionKey & { readonly id: number; readonly lock?: boolean },
): Promise<ConnectionRow | undefined> {
  const query = live(queryable, key).where('id', '=', key.id);
  return (key.lock ? query.forUpdate() : query).executeTakeFirst();
}

/** A live row of any project. */
export async function findConnectionById(
  queryable: Queryable,
  kind: ConnectionKind,
  id: number,
): Promise<ConnectionRow | undefined> {
  return queryable
    .selectFrom('connection')
    .selectAll()
    .where('kind', '=', kind)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst();
}

/** The live row of that name; locked until the transaction ends when `lock` is true. */
export async function findConnectionByName(
  queryable: Queryable,
  key: ConnectionKey & { readonly name: string; readonly lock?: boolean },
): Promise<ConnectionRow | undefined> {
  const query = live(queryable, key).where('name', '=', key.name);
  return (key.lock ? query.forUpdate() : query).executeTakeFirst();
}

/** Replaces the values of a row. Renaming onto a live name violates the unique index. */
export async function updateConnection(queryable: Queryable, id: number, values: ConnectionValues): Promise<void> {
  await queryable
    .updateTable('connection')
    .set({ ...values, updated_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute();
}

/** Marks a row deleted; its name is free again. */
export async function markConnectionDeleted(queryable: Queryable, id: number, by: string): Promise<void> {
  await queryable
    .updateTable('connection')
    .set({ deleted_at: sql<Date>`clock_timestamp()`, updated_by: by })
    .where('id', '=', id)
    .execute();
}

/** Live rows, newest change first. */
export async function listConnections(queryable: Queryable, key: ConnectionKey & Paging): Promise<Page<ConnectionRow>> {
  let query = live(queryable, key).orderBy('updated_at', 'desc').orderBy('id', 'desc').offset(key.offset);
  if (key.limit !== undefined) query = query.limit(key.limit);
  const items = await query.execute();
  if (key.limit === undefined && key.offset === 0) return { items, total: items.length };
  const counted = await live(queryable, key)
    .clearSelect()
    .select(sql<string>`count(*)`.as('total'))
    .executeTakeFirst();
  return { items, total: Number(counted?.total ?? 0) };
}

function live(queryable: Queryable, key: ConnectionKey) {
  return queryable
    .selectFrom('connection')
    .selectAll()
    .where('project', '=', key.project)
    .where('kind', '=', key.kind)
    .where('deleted_at', 'is', null);
}
