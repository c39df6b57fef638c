/**
 * An integer kept exactly: a number while it is safe, a bigint beyond 2^53. Ids of ours are always safe; ids that other
 * engines wrote may not be, and must survive a read and write of the metadata unchanged.
 */
export type ExactInteger = number | bigint;

/** The canonical form, so that `===` compares: safe integers are numbers, the others bigints. */
export function exactInteger(value: number | bigint): ExactInteger {
  if (typeof value === 'number') return value;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}

type SourceAwareParse = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

const parseWithSource = JSON.parse as SourceAwareParse;
const rawJson = (JSON as unknown as { readonly rawJSON: (text: string) => unknown }).rawJSON;

/** JSON whose integers beyond 2^53 become bigints instead of losing digits. */
export function parseExactJson(text: string): unknown {
  return parseWithSource(text, (_key, value, context) => {
    const unsafe = typeof value === 'number' && !Number.isSafeInteger(value);
    return unsafe && context.source && /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
  });
}

/** The opposite of `parseExactJson`. */
export function formatExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? rawJson(part.toString()) : part));
}
