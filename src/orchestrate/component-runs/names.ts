import type { StorageTokens } from '../../access/index.ts';
import type { TokenName } from './types.ts';

/** The tokens with these ids, also those that are revoked; ids of nobody are left out. */
export async function nameTokens(
  tokens: Pick<StorageTokens, 'describe'>,
  ids: readonly number[],
): Promise<ReadonlyMap<number, TokenName>> {
  const wanted = [...new Set(ids)].filter((id) => id > 0);
  if (wanted.length === 0) return new Map();
  return tokens.describe(wanted);
}

/** A token that nobody knows any more keeps its number. */
export function nameOf(names: ReadonlyMap<number, TokenName>, id: number): TokenName {
  return { id, description: names.get(id)?.description ?? '' };
}
