import type { TableName } from '../../lakehouse/index.ts';
import { meaningfulTokens, nameOf, type Token } from './tokens.ts';

/** The database under which statements see the tables of the lakehouse. */
export const LAKE = 'lake';

/** What statements may name without saying so: a view or a macro, with the SQL that it stands for. */
export interface Definition {
  readonly name: string;
  readonly sql: string;
}

/** The tables `lake.<database>.<table>` that the statements name, themselves or through views and macros. */
export function findLakeNames(statements: readonly string[], definitions: readonly Definition[]): TableName[] {
  const found = new Map<string, TableName>();
  const pending = [...statements];
  const open = new Set(definitions);
  for (let sql = pending.pop(); sql !== undefined; sql = pending.pop()) {
    const tokens = meaningfulTokens(sql);
    for (const name of namesIn(tokens)) found.set(JSON.stringify([name.database, name.table]), name);
    const words = new Set(tokens.filter(isName).map((token) => nameOf(token).toLowerCase()));
    for (const definition of open) {
      if (!words.has(definition.name.toLowerCase())) continue;
      open.delete(definition);
      pending.push(definition.sql);
    }
  }
  return [...found.values()];
}

function* namesIn(tokens: readonly Token[]): Generator<TableName> {
  for (const [at, token] of tokens.entries()) {
    const [dot, database, secondDot, table] = tokens.slice(at + 1, at + 5);
    if (!isName(token) || nameOf(token).toLowerCase() !== LAKE || tokens[at - 1]?.text === '.') continue;
    if (dot?.text !== '.' || secondDot?.text !== '.' || !database || !table) continue;
    if (isName(database) && isName(table)) yield { database: nameOf(database), table: nameOf(table) };
  }
}

function isName({ kind }: Token): boolean {
  return kind === 'word' || kind === 'quoted';
}
