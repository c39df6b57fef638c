import { sql, type SqlBool } from 'kysely';
import { keepPlan, type Queryable, type Store } from '../../store/index.ts';
import type { StorageToken } from '../tokens/types.ts';
import type { Role } from '../types.ts';

/** A token as stored, with its user if there still is one. */
interface Row {
  readonly id: string | number;
  readonly project: string;
  readonly kind: 'user' | 'orchestration';
  readonly user_id: string | number;
  readonly role: Role | null;
  readonly username: string | null;
  readonly description: string;
  readonly is_master: boolean;
  readonly can_manage_buckets: boolean;
  readonly can_manage_tokens: boolean;
  readonly can_read_all_file_uploads: boolean;
  readonly can_purge_trash: boolean;
  readonly bucket_permissions: Readonly<Record<string, unknown>>;
  readonly component_access: readonly string[];
  readonly creator_id: string | number | null;
  readonly creator_description: string | null;
  readonly created_at: Date;
  readonly refreshed_at: Date | null;
  readonly expires_at: Date | null;
  readonly is_expired: boolean;
  readonly is_revoked: boolean;
}

interface ShownRow extends Row {
  readonly is_restricted: boolean | null;
  readonly run_expires_at: Date | null;
}

const TOKEN = `t.id, t.project, t.kind, t.user_id, u.role, u.username, t.description, t.is_master, t.can_manage_buckets,
  t.can_manage_tokens, t.can_read_all_file_uploads, t.can_purge_trash, t.bucket_permissions, t.component_access,
  t.creator_id, c.description as creator_description, t.created_at, t.refreshed_at, t.expires_at,
  coalesce(t.expires_at <= now(), false) as is_expired, t.revoked_at is not null as is_revoked`;

const JOINS = `left join users u on u.id = t.user_id left join storage_token c on c.id = t.creator_id`;

// Runs for every request: fixed text, and one probe of an index for each sort of text.
const SHOWN = `with shown as (
  select id as token_id, null::boolean as is_restricted, null::timestamptz as run_expires_at
  from storage_token where token_hash = $1
  union all
  select token_id, is_restricted, expires_at from storage_run_token
  where token_hash = $1 and (expires_at is null or expires_at > now())
)
select ${TOKEN}, shown.is_restricted, shown.run_expires_at
from shown join storage_token t on t.id = shown.token_id ${JOINS}
where t.revoked_at is null and (t.expires_at is null or t.expires_at > now())`;

type Reader = (row: Row) => StorageToken;

/** The valid token that a text of this hash stands for; a run token is its bound token of the kind `run`. */
export async function findShown(pool: Store['pool'], hash: Buffer, read: Reader): Promise<StorageToken | undefined> {
  const row = (await pool.query<ShownRow>(SHOWN, [hash])).rows[0];
  if (row === undefined) return undefined;
  const token = read(row);
  if (row.is_restricted === null) return token;
  const ends = [token.expires, row.run_expires_at].filter((end) => end !== null);
  const expires = ends.length === 0 ? null : new Date(Math.min(...ends.map(Number)));
  return { ...token, kind: 'run', expires, isRestricted: row.is_restricted };
}

/**
 * How rows become tokens: a user that is gone takes the rights of its tokens along, and so does the bootstrap token
 * when there is none (`bootstrapName` null). A viewer's tokens have no right to change anything.
 */
export function createReader(bootstrapName: string | null): Reader {
  return (row) => {
    const userId = Number(row.user_id);
    const isBootstrap = userId === 0 && bootstrapName !== null;
    const role = isBootstrap ? 'admin' : (row.role ?? 'viewer');
    const mayChange = role !== 'viewer';
    const creatorId = row.creator_id === null ? null : Number(row.creator_id);
    return {
      id: Number(row.id),
      project: row.project,
      kind: row.kind,
      userId,
      role,
      username: isBootstrap ? bootstrapName : (row.username ?? ''),
      description: row.description,
      isMaster: row.is_master,
      canManageBuckets: row.can_manage_buckets && mayChange,
      canManageTokens: row.can_manage_tokens && mayChange,
      canReadAllFileUploads: row.can_read_all_file_uploads,
      canPurgeTrash: row.can_purge_trash && mayChange,
      bucketPermissions: row.bucket_permissions,
      componentAccess: row.component_access,
      created: row.created_at,
      refreshed: row.refreshed_at,
      expires: row.expires_at,
      isExpired: row.is_expired,
      isDisabled: row.is_revoked || (row.role === null && !isBootstrap),
      creator: creatorId === null ? null : { id: creatorId, description: row.creator_description ?? '' },
      isRestricted: false,
    };
  };
}

interface Wanted {
  readonly ids?: readonly number[];
  readonly project?: string;
  readonly masterOf?: number;
  /** Else living ones only. */
  readonly alsoRevoked?: true;
}

/** Tokens by ascending id. */
export async function selectTokens(db: Queryable, wanted: Wanted, read: Reader): Promise<StorageToken[]> {
  const conditions = [
    ...(wanted.ids ? [sql<SqlBool>`t.id = any(${[...wanted.ids]}::bigint[])`] : []),
    ...(wanted.project === undefined ? [] : [sql<SqlBool>`t.project = ${wanted.project}`]),
    ...(wanted.masterOf === undefined ? [] : [sql<SqlBool>`t.is_master and t.user_id = ${wanted.masterOf}`]),
    ...(wanted.alsoRevoked ? [] : [sql<SqlBool>`t.revoked_at is null`]),
  ];
  const { rows } =
    await sql<Row>`${wanted.ids ? keepPlan : sql``}select ${sql.raw(TOKEN)} from storage_token t ${sql.raw(JOINS)}
    where ${sql.join(conditions, sql` and `)} order by t.id`.execute(db);
  return rows.map(read);
}

/** Locks the living token until the transaction ends; false when there is none. */
export async function lockToken(tx: Queryable, id: number): Promise<boolean> {
  const row = await tx
    .selectFrom('storage_token')
    .select('id')
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  return row !== undefined;
}

export interface TokenRow {
  readonly project: string;
  readonly kind: 'user' | 'orchestration';
  readonly userId: number;
  readonly description: string;
  readonly isMaster?: boolean;
  readonly canManageBuckets: boolean;
  readonly canManageTokens: boolean;
  readonly canReadAllFileUploads: boolean;
  readonly canPurgeTrash: boolean;
  readonly bucketPermissions: Readonly<Record<string, unknown>>;
  readonly componentAccess: readonly string[];
  readonly creatorId: number | null;
  readonly expiresInSeconds?: number;
  /** It ends no later than its creator. */
  readonly endsWithCreator?: true;
}

/** Answers the id; undefined when it is a second master of its user. */
export async function insertTokenRow(db: Queryable, token: TokenRow): Promise<number | undefined> {
  const { expiresInSeconds: seconds, endsWithCreator, creatorId } = token;
  const ownEnd = seconds === undefined ? sql`null` : sql`(now() + make_interval(secs => ${seconds}))`;
  const creatorEnd = endsWithCreator ? sql`(select expires_at from storage_token where id = ${creatorId})` : sql`null`;
  const row = await db
    .insertInto('storage_token')
    .values({
      project: token.project,
      kind: token.kind,
      user_id: token.userId,
      description: token.description,
      is_master: token.isMaster ?? false,
      can_manage_buckets: token.canManageBuckets,
      can_manage_tokens: token.canManageTokens,
      can_read_all_file_uploads: token.canReadAllFileUploads,
      can_purge_trash: token.canPurgeTrash,
      bucket_permissions: JSON.stringify(token.bucketPermissions),
      component_access: JSON.stringify(token.componentAccess),
      creator_id: creatorId,
      expires_at: sql<Date>`least(${ownEnd}::timestamptz, ${creatorEnd}::timestamptz)`,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return row && Number(row.id);
}

export type TokenChange = Partial<Pick<TokenRow, 'description' | 'bucketPermissions' | 'componentAccess'>>;

export async function changeToken(tx: Queryable, id: number, change: TokenChange): Promise<void> {
  const { description, bucketPermissions, componentAccess } = change;
  const values = {
    ...(description !== undefined && { description }),
    ...(bucketPermissions && { bucket_permissions: JSON.stringify(bucketPermissions) }),
    ...(componentAccess && { component_access: JSON.stringify(componentAccess) }),
  };
  if (Object.keys(values).length === 0) return;
  await tx.updateTable('storage_token').set(values).where('id', '=', id).execute();
}

/** Gives the token its text; the former one is worth nothing any more. */
export async function setText(tx: Queryable, id: number, text: { hash: Buffer; isNew: boolean }): Promise<void> {
  const refreshed = text.isNew ? {} : { refreshed_at: sql<Date>`now()` };
  await tx
    .updateTable('storage_token')
    .set({ token_hash: text.hash, ...refreshed })
    .where('id', '=', id)
    .execute();
}

export async function revokeTokens(tx: Queryable, which: { id: number } | { userId: number }): Promise<void> {
  const query = tx
    .updateTable('storage_token')
    .set({ revoked_at: sql<Date>`now()` })
    .where('revoked_at', 'is', null);
  // Those of orchestrations stay in sight, without effect: somebody has to see why their jobs fail.
  await (
    'id' in which
      ? query.where('id', '=', which.id)
      : query.where('user_id', '=', which.userId).where('kind', '=', 'user')
  ).execute();
}

export async function renameMaster(tx: Queryable, userId: number, description: string): Promise<void> {
  await tx
    .updateTable('storage_token')
    .set({ description })
    .where('user_id', '=', userId)
    .where('is_master', '=', true)
    .execute();
}

/** Living tokens that people made. */
export async function countTokens(db: Queryable, project: string): Promise<number> {
  const row = await db
    .selectFrom('storage_token')
    .select((select) => select.fn.countAll().as('total'))
    .where('project', '=', project)
    .where('revoked_at', 'is', null)
    .where('kind', '=', 'user')
    .executeTakeFirstOrThrow();
  return Number(row.total);
}

/** Keeps the newest `most` of those that have ended. */
export async function trimEndedTokens(db: Queryable, most: number): Promise<void> {
  const oldest = db
    .selectFrom('storage_token')
    .select('id')
    .where('revoked_at', 'is not', null)
    .orderBy('id', 'desc')
    .offset(most);
  await db.deleteFrom('storage_token').where('id', 'in', oldest).execute();
}
