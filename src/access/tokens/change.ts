import { Failure } from '../../errors.ts';
import type { Transaction } from '../../store/index.ts';
import { insertAudit } from '../tables/audit.ts';
import { changeToken, countTokens, revokeTokens, setText } from '../tables/storage-tokens.ts';
import { checkNewToken } from './check.ts';
import { NO_RIGHTS, sha256, type Ground, type NewRow } from './ground.ts';
import { checkCreates, checkReplaces, checkTakes, rightsOf } from './rights.ts';
import type { NewStorageToken, StorageToken, StorageTokens, TokenScope } from './types.ts';

const MOST_TOKENS = 1000;

/** Making, changing and ending tokens, each within the rights of who does it and with a note in the audit. */
export function createChanges(ground: Ground): Pick<StorageTokens, 'create' | 'update' | 'refresh' | 'remove'> {
  const { store, project, get, hold } = ground;

  async function giveText(tx: Transaction, id: number, isNew: boolean) {
    const secret = ground.newText(id);
    await setText(tx, id, { hash: sha256(secret), isNew });
    return { token: (await get(tx, id))!, secret };
  }

  const note = (tx: Transaction, { actor }: TokenScope, { action, id }: { action: string; id: number }) =>
    insertAudit(tx, { ...actor, action: `${action} token`, project, subject: `token/${id}` });

  return {
    create: (by, token) =>
      store.transaction(async (tx) => {
        const row = newRow(by.token, token);
        if ((await countTokens(tx, project)) >= MOST_TOKENS) {
          throw new Failure('conflict', `There are ${MOST_TOKENS} tokens already: delete some that nobody uses`);
        }
        const id = await ground.insert(tx, by.token, row);
        await note(tx, by, { action: 'create', id });
        return giveText(tx, id, true);
      }),
    update: (by, id, change) =>
      store.transaction(async (tx) => {
        const token = await hold(tx, id);
        checkReplaces(by.token, token, change);
        checkNewToken({ description: token.description, ...change });
        await changeToken(tx, id, change);
        await note(tx, by, { action: 'update', id });
        return (await get(tx, id))!;
      }),
    refresh: (by, id) =>
      store.transaction(async (tx) => {
        checkTakes(by.token, await hold(tx, id));
        await note(tx, by, { action: 'refresh', id });
        return giveText(tx, id, false);
      }),
    remove: (by, id, check) =>
      store.transaction(async (tx) => {
        checkReplaces(by.token, await hold(tx, id), {});
        await check(tx);
        await note(tx, by, { action: 'delete', id });
        await revokeTokens(tx, { id });
      }),
  };
}

/** What is stored of a new token; without the right to manage tokens, a copy of its maker. */
function newRow(by: StorageToken, token: NewStorageToken): NewRow {
  const { description, expiresInSeconds } = token;
  const given = by.canManageTokens ? { ...NO_RIGHTS, ...token } : { ...NO_RIGHTS, ...rightsOf(by) };
  // Empty would mean all of them.
  const componentAccess = given.componentAccess.length > 0 ? given.componentAccess : by.componentAccess;
  const row = {
    ...given,
    kind: 'user',
    componentAccess,
    description,
    expiresInSeconds,
    endsWithCreator: true,
  } as const;
  checkCreates(by, row);
  checkNewToken(row);
  return row;
}
