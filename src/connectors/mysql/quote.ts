import { Failure } from '../../errors.ts';

/** A name as an identifier. */
export function quoteName(name: string): string {
  if (name.includes('\0')) throw new Failure('object_missing', 'a name must not hold a NUL character');
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A text as a literal. Sessions run with NO_BACKSLASH_ESCAPES: a backslash is an ordinary character. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
