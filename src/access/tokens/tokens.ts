import { Failure } from '../../errors.ts';
import type { Credentials } from '../credentials.ts';
import { expireRunTokens, insertRunToken, removeEndedRunTokens } from '../tables/run-tokens.ts';
import { findShown, insertTokenRow, revokeTokens, selectTokens, trimEndedTokens } from '../tables/storage-tokens.ts';
import { findUserEmail } from '../tables/users.ts';
import { createChanges } from './change.ts';
import { createGround, NO_RIGHTS, sha256, type Ground, type TokenRoom } from './ground.ts';
import type { StorageTokens } from './types.ts';

const LONGEST_TEXT = 255;
const MOST_ENDED = 100_000;

type Finding = Pick<StorageTokens, 'identify' | 'masterOf' | 'get' | 'describe' | 'list'>;
type ForRuns = Pick<StorageTokens, 'revoke' | 'createForOrchestration' | 'mintRun' | 'endRun'>;

/** The tokens of the orchestrator's project. `purge` removes what has ended long ago. */
export function createStorageTokens(
  room: TokenRoom & { readonly credentials: Pick<Credentials, 'authenticate'> },
): StorageTokens & { purge(): Promise<void> } {
  const ground = createGround(room);
  return {
    ...createFinding(ground, room.credentials),
    ...createChanges(ground),
    ...createForRuns(ground),
    async purge() {
      await removeEndedRunTokens(room.store.db);
      await trimEndedTokens(room.store.db, MOST_ENDED);
    },
  };
}

function createFinding({ store, project, read, get }: Ground, credentials: Pick<Credentials, 'authenticate'>): Finding {
  const masterOf: Finding['masterOf'] = async ({ userId, username }) => {
    const find = async () => (await selectTokens(store.db, { project, masterOf: userId }, read))[0];
    const found = await find();
    if (found !== undefined) return found;
    const description = (await findUserEmail(store.db, userId)) ?? username;
    await insertTokenRow(store.db, { ...MASTER, project, userId, description });
    const made = await find();
    if (made === undefined) throw new Failure('unauthenticated', 'Invalid StorageApi Token');
    return made;
  };
  return {
    masterOf,
    async identify(text) {
      if (text === '' || text.length > LONGEST_TEXT) return undefined;
      // Costs no question to the database when the text is of another form.
      const principal = await credentials.authenticate({ cookies: [], tokens: [text] });
      if (principal !== null) return masterOf(principal);
      const token = await findShown(store.pool, sha256(text), read);
      return token === undefined || token.isDisabled || token.project !== project ? undefined : token;
    },
    get: (id) => get(store.db, id),
    async describe(ids, db = store.db) {
      const wanted = [...new Set(ids)].filter(Number.isSafeInteger);
      const tokens = wanted.length === 0 ? [] : await selectTokens(db, { ids: wanted, alsoRevoked: true }, read);
      return new Map(tokens.map((token) => [token.id, token]));
    },
    list: (wanted) => selectTokens(store.db, { project: wanted }, read),
  };
}

function createForRuns({ newText, get, insert }: Ground): ForRuns {
  return {
    revoke: (tx, id) => revokeTokens(tx, { id }),
    async createForOrchestration(tx, by, description) {
      const { componentAccess } = by;
      const flags = { canManageBuckets: true, canReadAllFileUploads: true };
      const row = { ...NO_RIGHTS, ...flags, kind: 'orchestration', description, componentAccess } as const;
      return (await get(tx, await insert(tx, by, row)))!;
    },
    async mintRun(tx, boundId, { runId, isRestricted }) {
      const bound = await get(tx, boundId);
      if (bound === undefined || bound.isExpired || bound.isDisabled) {
        throw new Failure('forbidden', `Orchestration token ${boundId} is not valid`);
      }
      const text = newText(boundId);
      await insertRunToken(tx, { hash: sha256(text), tokenId: boundId, runId, isRestricted });
      return text;
    },
    endRun: expireRunTokens,
  };
}

const MASTER = {
  ...NO_RIGHTS,
  kind: 'user',
  isMaster: true,
  canManageBuckets: true,
  canManageTokens: true,
  canReadAllFileUploads: true,
  canPurgeTrash: true,
  creatorId: null,
} as const;
