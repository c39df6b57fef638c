import type { StatementEvent } from './events.ts';

export interface TableReference {
  readonly namespace: string;
  /** Undefined for all tables of the database. */
  readonly name: string | undefined;
}

/**
 * What a statement of the log means to a reader of rows.
 * `emptied`: rows went, or came, without the log saying which. `replaced`: another table bears the name now, or none.
 * `changes`: a statement that changed rows and is logged as text, which nobody can follow.
 */
export interface StatementMeaning {
  readonly kind:
    | 'begin'
    | 'commit'
    | 'rollback'
    | 'savepoint'
    | 'altered'
    | 'emptied'
    | 'replaced'
    | 'changes'
    | 'other';
  readonly tables: readonly TableReference[];
}

const NAME = '(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|[^\\s.,;()`"]+)';
const TABLE = `${NAME}(?:\\s*\\.\\s*${NAME})?`;
const LIST = `${TABLE}(?:\\s*,\\s*${TABLE})*`;

const ALTER = '^alter\\s+(?:online\\s+|offline\\s+|ignore\\s+)*table\\s+(?:if\\s+exists\\s+)?';

/** Parts of `ALTER TABLE` that take rows away or bring some without saying which. */
const SWEEPING = '(?:truncate|drop|exchange|convert)\\s+(?:partition|table)\\b|(?:import|discard)\\s+tablespace\\b';
const RENAMING = 'rename\\s+(?!column\\b|index\\b|key\\b)';

/** The first that fits decides. Tables are the first group; `RENAME` is looked at as a whole. */
const SHAPES: readonly (readonly [StatementMeaning['kind'], RegExp])[] = [
  ['begin', /^(?:begin|start transaction|xa (?:start|begin))\b/i],
  ['commit', /^(?:commit|xa commit)\b/i],
  ['savepoint', /^(?:savepoint|release savepoint)\b/i],
  ['rollback', /^rollback\b/i],
  ['emptied', new RegExp(`${ALTER}(${TABLE})[\\s,][\\s\\S]*?\\b(?:${SWEEPING})`, 'i')],
  ['replaced', new RegExp(`${ALTER}(${TABLE})[\\s,][\\s\\S]*?\\b${RENAMING}`, 'i')],
  [
    'altered',
    new RegExp(`^alter\\s+(?:online\\s+|offline\\s+|ignore\\s+)*table\\s+(?:if\\s+exists\\s+)?(${TABLE})`, 'i'),
  ],
  ['emptied', new RegExp(`^truncate\\s+(?:table\\s+)?(${TABLE})`, 'i')],
  ['replaced', new RegExp(`^drop\\s+table\\s+(?:if\\s+exists\\s+)?(${LIST})`, 'i')],
  ['replaced', new RegExp(`^drop\\s+(?:database|schema)\\s+(?:if\\s+exists\\s+)?(?<database>${NAME})`, 'i')],
  ['replaced', new RegExp(`^create\\s+or\\s+replace\\s+table\\s+(${TABLE})`, 'i')],
  ['replaced', new RegExp(`^rename\\s+tables?\\s+(?:if\\s+exists\\s+)?(.+)$`, 'is')],
  ['changes', new RegExp(`^(?:insert|replace)\\b.*?\\binto\\s+(${TABLE})`, 'is')],
  ['changes', new RegExp(`^(?:insert|replace)\\s+(?:ignore\\s+)?(${TABLE})`, 'is')],
  ['changes', new RegExp(`^update\\s+(?:low_priority\\s+|ignore\\s+)*(${LIST})`, 'is')],
  ['changes', new RegExp(`^delete\\b.*?\\bfrom\\s+(${LIST})`, 'is')],
  ['changes', new RegExp(`^load\\s+data\\b.*?\\binto\\s+table\\s+(${TABLE})`, 'is')],
];

/** Reads a statement of the log. Comments before it are passed over. */
export function readStatement({ schema, text }: StatementEvent): StatementMeaning {
  const plain = withoutComments(text);
  for (const [kind, shape] of SHAPES) {
    const match = shape.exec(plain);
    if (!match) continue;
    const database = match.groups?.['database'];
    if (database !== undefined) return { kind, tables: [{ namespace: unquote(database), name: undefined }] };
    return { kind, tables: match[1] === undefined ? [] : tablesOf(match[1], schema) };
  }
  return { kind: 'other', tables: [] };
}

function withoutComments(text: string): string {
  let rest = text.trimStart();
  for (;;) {
    // What MySQL alone shall read, `/*!40000 … */`, is part of the statement.
    const next = rest
      .replace(/^\/\*![0-9]*/, ' ')
      .replace(/^\/\*(?!!)[\s\S]*?\*\//, '')
      .replace(/^(?:--\s|#)[^\n]*(?:\n|$)/, '')
      .trimStart();
    if (next === rest) return rest.replace(/\/\*(?!!)[\s\S]*?\*\//g, ' ');
    rest = next;
  }
}

function tablesOf(list: string, schema: string): TableReference[] {
  const parts = new RegExp(`(${NAME})(?:\\s*\\.\\s*(${NAME}))?`, 'g');
  return [...list.matchAll(parts)].map(([, first = '', second]) =>
    second === undefined
      ? { namespace: schema, name: unquote(first) }
      : { namespace: unquote(first), name: unquote(second) },
  );
}

function unquote(name: string): string {
  const quote = name[0];
  if (quote !== '`' && quote !== '"') return name;
  return name.slice(1, -1).replaceAll(quote + quote, quote);
}
