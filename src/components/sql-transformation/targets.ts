import { meaningfulTokens, nameOf, type Token } from './tokens.ts';

/** What a statement changes, as its text says it. */
export interface Target {
  /** `INSERT`, `CREATE`, … */
  readonly verb: string;
  /** `TABLE`, `VIEW`, `SCHEMA`, … */
  readonly kind: string;
  /** Parts of the name, as they are meant: `["shop", "orders"]`. */
  readonly name: readonly string[];
  /** The name as it is written, without blanks. */
  readonly text: string;
  /** The new name of `ALTER … RENAME TO`. */
  readonly renamedTo?: string;
}

const INTO_TABLES: Readonly<Record<string, readonly string[]>> = {
  INSERT: ['OR', 'REPLACE', 'IGNORE', 'INTO'],
  UPDATE: ['ONLY'],
  DELETE: ['FROM', 'ONLY'],
  TRUNCATE: ['TABLE', 'ONLY'],
  MERGE: ['INTO', 'ONLY'],
};
const OF_OBJECTS = new Set(['CREATE', 'ALTER', 'DROP', 'COMMENT']);
const KINDS = new Set([
  'TABLE',
  'VIEW',
  'SCHEMA',
  'SEQUENCE',
  'TYPE',
  'MACRO',
  'FUNCTION',
  'INDEX',
  'COLUMN',
  'TRIGGER',
]);
const CONDITION = ['IF', 'NOT', 'EXISTS', 'CONCURRENTLY', 'ONLY'];

/**
 * What the statement inserts into, updates, creates, drops, … by its text: behind `WITH` too, not inside of brackets.
 * Undefined when it changes nothing, or when the text does not say it plainly.
 */
export function findTarget(sql: string): Target | undefined {
  const tokens = [...outsideOfBrackets(meaningfulTokens(sql))];
  const at = startOf(tokens);
  const verb = wordAt(tokens, at);
  const fillers = INTO_TABLES[verb];
  if (fillers !== undefined) return readName(tokens, skip(tokens, at + 1, fillers), { verb, kind: 'TABLE' });
  if (!OF_OBJECTS.has(verb)) return undefined;
  const kindAt = tokens.findIndex((token, place) => place > at && token.kind === 'word' && KINDS.has(upper(token)));
  if (kindAt === -1) return undefined;
  const kind = wordAt(tokens, kindAt);
  const nameAt = kind === 'INDEX' && verb === 'CREATE' ? indexedAt(tokens, kindAt) : kindAt + 1;
  return readName(tokens, skip(tokens, nameAt, CONDITION), { verb, kind });
}

/** Where the statement itself begins: behind the queries of its WITH. */
function startOf(tokens: readonly Token[]): number {
  if (wordAt(tokens, 0) !== 'WITH') return 0;
  const at = tokens.findIndex(
    (token, place) => place > 0 && token.kind === 'word' && (upper(token) in INTO_TABLES || upper(token) === 'SELECT'),
  );
  return at === -1 ? tokens.length : at;
}

/** `CREATE INDEX … ON table` changes the table. */
function indexedAt(tokens: readonly Token[], from: number): number {
  const on = tokens.findIndex((token, place) => place > from && token.kind === 'word' && upper(token) === 'ON');
  return on === -1 ? tokens.length : on + 1;
}

function readName(tokens: readonly Token[], from: number, rest: Pick<Target, 'verb' | 'kind'>): Target | undefined {
  const parts: Token[] = [];
  for (let at = from; tokens[at] && isName(tokens[at]!); at += 2) {
    parts.push(tokens[at]!);
    if (tokens[at + 1]?.text !== '.') break;
  }
  if (parts.length === 0) return undefined;
  const [rename, to, fresh] = tokens.slice(from + 2 * parts.length - 1);
  const isRenamed = rest.verb === 'ALTER' && rename && to && upper(rename) === 'RENAME' && upper(to) === 'TO';
  return {
    ...rest,
    name: parts.map(nameOf),
    text: parts.map(({ text }) => text).join('.'),
    ...(isRenamed && fresh && { renamedTo: nameOf(fresh) }),
  };
}

function skip(tokens: readonly Token[], from: number, words: readonly string[]): number {
  let at = from;
  // A word that a dot follows is a name.
  while (words.includes(wordAt(tokens, at)) && tokens[at + 1]?.text !== '.') at++;
  return at;
}

function* outsideOfBrackets(tokens: readonly Token[]): Generator<Token> {
  let depth = 0;
  for (const token of tokens) {
    if (token.text === '(') depth++;
    else if (token.text === ')') depth--;
    else if (depth === 0) yield token;
  }
}

function wordAt(tokens: readonly Token[], at: number): string {
  const token = tokens[at];
  return token?.kind === 'word' ? upper(token) : '';
}

function upper({ text }: Token): string {
  return text.toUpperCase();
}

function isName({ kind }: Token): boolean {
  return kind === 'word' || kind === 'quoted';
}
