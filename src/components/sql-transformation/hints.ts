import { Failure } from '../../errors.ts';
import type { Lake } from './database.ts';
import { findLakeNames, LAKE } from './lake-names.ts';
import { lakeIsReadOnly } from './refusals.ts';
import type { StagedTable } from './work.ts';

const MISSING_COLUMN = /Referenced column "([^"]+)" not found|does not have a column named "([^"]+)"/;

/** What the database said against a statement, with what it cannot know: how lake tables are read and that they are not written. */
export function explainError(thrown: unknown, sql: string, lake: Lake): unknown {
  if (thrown instanceof Failure || !(thrown instanceof Error)) return thrown;
  const message = thrown.message.replace(/^Failed to extract statements: /, '');
  if (message.includes(`on database "${LAKE}" which is attached in read-only mode`)) return lakeIsReadOnly();
  const [, bare, qualified] = MISSING_COLUMN.exec(message) ?? [];
  const missing = bare ?? qualified;
  const raw = missing === undefined ? [] : rawTables(sql, lake);
  if (missing === undefined || raw.length === 0) return new Error(message, { cause: thrown });
  const names = raw.map(({ name }) => `${LAKE}.${name.database}.${name.table}`).join(', ');
  const path = `data->>'${missing.replaceAll("'", "''")}'`;
  return new Error(
    `${message}\n\n${names} keeps each row as JSON in the column "data", because normalization is off for its stream. Write ${path} for the text of a field (cast it for other types), or turn normalization on in the job and sync again.`,
    { cause: thrown },
  );
}

/** Tables that the statement names, itself or through views, and that have one column besides those that a sync adds. */
function rawTables(sql: string, { tables, definitions }: Lake): readonly StagedTable[] {
  const named = new Set(findLakeNames([sql], definitions).map(wordOf));
  return tables.filter(({ name, columns }) => {
    const own = columns.filter((column) => !column.name.startsWith('_'));
    return named.has(wordOf(name)) && own.length === 1 && own[0]?.name === 'data' && own[0].type === 'VARCHAR';
  });
}

function wordOf({ database, table }: StagedTable['name']): string {
  return JSON.stringify([database.toLowerCase(), table.toLowerCase()]);
}
