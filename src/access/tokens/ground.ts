import { createHash } from 'node:crypto';
import { Failure } from '../../errors.ts';
import type { Queryable, Store, Transaction } from '../../store/index.ts';
import type { World } from '../../world.ts';
import { createReader, insertTokenRow, lockToken, selectTokens, type TokenRow } from '../tables/storage-tokens.ts';
import type { StorageToken } from './types.ts';

const SECRET_BYTES = 20;

/** What all parts of the tokens stand on. */
export interface Ground {
  readonly store: Store;
  readonly project: string;
  readonly read: ReturnType<typeof createReader>;
  /** A new text of a token. */
  newText(id: number): string;
  get(db: Queryable, id: number): Promise<StorageToken | undefined>;
  /** Locks it first: nobody else changes it between a check and what follows. */
  hold(tx: Transaction, id: number): Promise<StorageToken>;
  /** A new token of the maker's user. */
  insert(tx: Transaction, by: StorageToken, row: NewRow): Promise<number>;
}

export type NewRow = Omit<TokenRow, 'project' | 'userId' | 'creatorId'>;

export interface TokenRoom {
  readonly store: Store;
  readonly world: World;
  readonly project: string;
  /** Null when no bootstrap token is configured. */
  readonly bootstrapName: string | null;
}

export function createGround({ store, world, project, bootstrapName }: TokenRoom): Ground {
  const read = createReader(bootstrapName);
  const get: Ground['get'] = async (db, id) =>
    Number.isSafeInteger(id) ? (await selectTokens(db, { ids: [id], project }, read))[0] : undefined;
  return {
    store,
    project,
    read,
    get,
    newText: (id) => `${project}-${id}-${world.random(SECRET_BYTES).toString('hex')}`,
    async hold(tx, id) {
      const token = Number.isSafeInteger(id) && (await lockToken(tx, id)) ? await get(tx, id) : undefined;
      if (token === undefined) throw new Failure('not_found', `Token ${id} not found`);
      return token;
    },
    async insert(tx, by, row) {
      return (await insertTokenRow(tx, { ...row, project, userId: by.userId, creatorId: by.id }))!;
    },
  };
}

/** Rights that a token may have: none of them. */
export const NO_RIGHTS = {
  canManageBuckets: false,
  canManageTokens: false,
  canReadAllFileUploads: false,
  canPurgeTrash: false,
  bucketPermissions: {},
  componentAccess: [],
} as const;

export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
