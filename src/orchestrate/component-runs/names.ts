import type { StorageTokens } from '../../access/index.ts';
import type { RunView } from '../../engine/index.ts';
import type { TokenName } from './types.ts';

const TOKEN = /^token (\d{1,15})$/;

/** How a token stands in a run as who made or ended it; `tokenIn` reads it. */
export function writeToken(id: number): string {
  return `token ${id}`;
}

/** Undefined when it was somebody else: a user of another face, a task, a tick. */
function tokenIn(text: string): number | undefined {
  const [, id] = TOKEN.exec(text) ?? [];
  return id === undefined ? undefined : Number(id);
}

/** The tokens that runs act with, and those that ended them. */
export function tokensOf(runs: readonly RunView[]): readonly number[] {
  return runs.flatMap(({ labels, cancelledBy }) => {
    const ending = cancelledBy === null ? undefined : tokenIn(cancelledBy);
    return [Number(labels['token'] ?? 0), ...(ending === undefined ? [] : [ending])];
  });
}

/** Who ended a run (`RunView.cancelledBy`). */
export function endingOf(names: ReadonlyMap<number, TokenName>, cancelledBy: string): TokenName {
  const id = tokenIn(cancelledBy);
  return id === undefined ? { id: 0, description: cancelledBy } : nameOf(names, id);
}

/** The tokens with these ids, also those that are revoked; ids of nobody are left out. */
export async function nameTokens(
  tokens: Pick<StorageTokens, 'describe'>,
  ids: readonly number[],
): Promise<ReadonlyMap<number, TokenName>> {
  const wanted = [...new Set(ids)].filter((id) => id > 0);
  if (wanted.length === 0) return new Map();
  return new Map([...(await tokens.describe(wanted))].map(([id, { description }]) => [id, { id, description }]));
}

/** A token that nobody knows any more keeps its number. */
export function nameOf(names: ReadonlyMap<number, TokenName>, id: number): TokenName {
  return { id, description: names.get(id)?.description ?? '' };
}
