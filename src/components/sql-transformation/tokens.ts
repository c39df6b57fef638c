export type TokenKind = 'space' | 'comment' | 'text' | 'quoted' | 'word' | 'number' | 'variable' | 'symbol';

/** A piece of a statement; all pieces together are the statement. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const SPACE = /\s+/y;
const LINE_COMMENT = /--[^\n]*/y;
const NUMBER = /\d[\w.]*/y;
const VARIABLE = /:[A-Za-z_]\w*/y;
const DOLLAR_QUOTE = /\$([A-Za-z_]\w*)?\$/y;
const TEXT = /'(?:[^']|'')*'?/y;
const ESCAPED_TEXT = /[eE]'(?:[^'\\]|\\[^]|'')*'?/y;
const QUOTED = /"(?:[^"]|"")*"?/y;

/**
 * Cuts SQL into pieces as PostgreSQL and DuckDB do: strings (with escapes, between dollars), quoted names, comments (also
 * nested), words. `:name` is a variable unless a colon goes before it, as in a cast. What is not closed reaches to the end.
 */
export function* readTokens(sql: string): Generator<Token> {
  let at = 0;
  while (at < sql.length) {
    const token = tokenAt(sql, at);
    yield token;
    at += token.text.length;
  }
}

function tokenAt(sql: string, at: number): Token {
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(sql)?.[0];
  };
  const found = (kind: TokenKind, text: string | undefined): Token | undefined =>
    text === undefined ? undefined : { kind, text };
  return (
    found('space', take(SPACE)) ??
    found('comment', take(LINE_COMMENT) ?? blockComment(sql, at)) ??
    found('text', take(TEXT) ?? take(ESCAPED_TEXT) ?? dollarQuoted(sql, at, take(DOLLAR_QUOTE))) ??
    found('quoted', take(QUOTED)) ??
    found('word', take(WORD)) ??
    found('number', take(NUMBER)) ??
    found('symbol', sql.startsWith('::', at) || sql.startsWith(':=', at) ? sql.slice(at, at + 2) : undefined) ??
    found('variable', take(VARIABLE)) ?? { kind: 'symbol', text: String.fromCodePoint(sql.codePointAt(at)!) }
  );
}

function blockComment(sql: string, start: number): string | undefined {
  if (!sql.startsWith('/*', start)) return undefined;
  let depth = 0;
  for (let at = start; at < sql.length; at++) {
    if (sql.startsWith('/*', at)) {
      depth++;
      at++;
    } else if (sql.startsWith('*/', at)) {
      depth--;
      at++;
      if (depth === 0) return sql.slice(start, at + 1);
    }
  }
  return sql.slice(start);
}

function dollarQuoted(sql: string, start: number, mark: string | undefined): string | undefined {
  if (mark === undefined) return undefined;
  const end = sql.indexOf(mark, start + mark.length);
  return sql.slice(start, end === -1 ? sql.length : end + mark.length);
}

/** Without spaces and comments. */
export function meaningfulTokens(sql: string): Token[] {
  return [...readTokens(sql)].filter(({ kind }) => kind !== 'space' && kind !== 'comment');
}

/** The first word of a statement in capitals; empty when it begins with none. */
export function firstWord(sql: string): string {
  const first = meaningfulTokens(sql).find(({ text }) => text !== '(');
  return first?.kind === 'word' ? first.text.toUpperCase() : '';
}

/** The name that a word or a quoted name stands for. */
export function nameOf({ kind, text }: Token): string {
  return kind === 'quoted' ? text.slice(1, -1).replaceAll('""', '"') : text;
}

/** The line, counted from 1, in which a second statement begins; undefined when there is only one. */
export function lineOfSecond(sql: string): number | undefined {
  let at = 0;
  let hasEnded = false;
  for (const { kind, text } of readTokens(sql)) {
    const isSpace = kind === 'space' || kind === 'comment';
    if (hasEnded && !isSpace && text !== ';') return sql.slice(0, at).split('\n').length;
    if (kind === 'symbol' && text === ';') hasEnded = true;
    at += text.length;
  }
  return undefined;
}
