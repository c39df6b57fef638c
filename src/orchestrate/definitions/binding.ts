import { checkBinds, checkDirects, checkManagesTokens, type StorageToken } from '../../access/index.ts';
import type { Deliverer } from '../../engine/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Scope } from '../types.ts';
import { refuse } from './input/fields.ts';
import type { DefinitionContext } from './context.ts';
import { isActedWith, isInUse, wasMade, type StoredOrchestration } from './tables.ts';
import type { BoundToken } from './types.ts';

const LONGEST_DESCRIPTION = 255;

/** Throws `forbidden` unless the caller may have a token made for an orchestration. */
export function checkMakesTokens(scope: Scope): void {
  checkManagesTokens(scope.caller.token, 'have a token made for an orchestration');
}

/** The token that an orchestration is to act with: it lives, is no run token, and the caller may bind it. */
export async function checkToken(rooms: DefinitionContext, scope: Scope, id: number): Promise<void> {
  const { token: own } = scope.caller;
  const token = id === own.id ? own : await rooms.tokens.get(id);
  if (token === undefined || token.project !== scope.project || token.kind === 'run') {
    throw refuse('tokenId', `token ${id} does not exist`);
  }
  checkBinds(own, token);
  if (isOver(token)) throw refuse('tokenId', `token ${id} is not valid any more`);
}

/** Throws `forbidden` when tasks would call, with the bound token, components that the caller may not. */
export async function checkDirecting(
  rooms: Pick<DefinitionContext, 'tokens'>,
  tx: Transaction,
  { scope, tokenId }: { readonly scope: Scope; readonly tokenId: number },
): Promise<void> {
  const bound = (await rooms.tokens.describe([tokenId], tx)).get(tokenId);
  if (bound !== undefined) checkDirects(scope.caller.token, bound);
}

export async function makeToken(
  rooms: DefinitionContext,
  tx: Transaction,
  { scope, name }: { readonly scope: Scope; readonly name: string },
): Promise<number> {
  const description = [...`Orchestrator ${name}`].slice(0, LONGEST_DESCRIPTION).join('');
  const token = await rooms.tokens.createForOrchestration(tx, scope.caller.token, description);
  return token.id;
}

/**
 * Revokes what was made for an orchestration when it gets a new token: at once, or, where a running job acts with it, when
 * that has ended. One that is bound no more, but that others use by now, is left to them.
 */
export async function revokeFormer(
  rooms: DefinitionContext,
  tx: Transaction,
  { tokenId, ownTokenId }: StoredOrchestration,
): Promise<void> {
  if (ownTokenId === null || (ownTokenId !== tokenId && (await isInUse(tx, ownTokenId)))) return;
  await revokeUnlessRunning(rooms, tx, { tokenId: ownTokenId, round: 1 });
}

/** Topic of the outbox: a token that was replaced while a job ran with it. */
export const REPLACED = 'orchestration-token-replaced';

const LOOK_AGAIN_MS = 15_000;

interface Replaced {
  readonly tokenId: number;
  /** How often it was looked at. */
  readonly round: number;
}

async function revokeUnlessRunning(
  { engine, tokens, world }: Pick<OrchestrateRooms, 'engine' | 'tokens' | 'world'>,
  tx: Transaction,
  { tokenId, round }: Replaced,
): Promise<void> {
  if (!(await isActedWith(tx, tokenId))) return tokens.revoke(tx, tokenId);
  await engine.publish(tx, {
    key: `${REPLACED}/${tokenId}/${round}`,
    topic: REPLACED,
    payload: { tokenId, round: round + 1 },
    dueAt: new Date(world.now().getTime() + LOOK_AGAIN_MS),
  });
}

/** Looks again whether a replaced token may end. */
export function createReplacedTokenEnding(
  rooms: Pick<OrchestrateRooms, 'store' | 'engine' | 'tokens' | 'world'>,
): Deliverer {
  return ({ payload }) => rooms.store.transaction((tx) => revokeUnlessRunning(rooms, tx, payload as Replaced));
}

/** Revokes the tokens of a deleted orchestration that were made for one, unless others use them. */
export async function revokeOfDeleted(
  rooms: Pick<OrchestrateRooms, 'tokens'>,
  tx: Transaction,
  tokens: { readonly tokenId: number; readonly ownTokenId: number | null },
): Promise<void> {
  const ids = new Set([tokens.tokenId, ...(tokens.ownTokenId === null ? [] : [tokens.ownTokenId])]);
  for (const id of ids) {
    const isMade = id === tokens.ownTokenId || (await wasMade(tx, id));
    if (isMade && !(await isInUse(tx, id))) await rooms.tokens.revoke(tx, id);
  }
}

/** How a bound token is shown; one that nobody knows any more keeps its number. */
export function showToken(id: number, token: StorageToken | undefined): BoundToken {
  return { id, description: token?.description ?? `Token ${id}`, isDisabled: token === undefined || isOver(token) };
}

function isOver(token: StorageToken): boolean {
  return token.isDisabled || token.isExpired;
}
