import type { DuckDBConnection } from '@duckdb/node-api';
import { OWN_SCHEMA } from './refusals.ts';
import type { SqlResult, SqlWork } from './work.ts';

const TABLE = 'ended_runs';
const ENDED = `${OWN_SCHEMA}.${TABLE}`;
const COLUMNS = 'task,ended,result';
const MASK = '********';
/** Shorter ones would turn ordinary words into masks. */
const SHORTEST_SECRET = 4;

/** What the transaction of this task answered, if an earlier attempt has committed it. */
export async function findEnded(connection: DuckDBConnection, task: string): Promise<SqlResult | undefined> {
  if ((await describe(connection)) !== 'ours') return undefined;
  const found = await connection.runAndReadAll(`select result from ${ENDED} where task = $1`, [task]);
  const text = found.getRows()[0]?.[0];
  return text === undefined ? undefined : (JSON.parse(String(text)) as SqlResult);
}

/**
 * Part of the transaction: a task that is executed again after a crash finds that it has ended. Made anew where people
 * have dropped or replaced it: the note of a task is written after its statements, and until the task has ended no other
 * run has the database, so none that is still needed can be lost.
 */
export async function noteEnd(connection: DuckDBConnection, work: SqlWork, end: Ended): Promise<void> {
  const there = await describe(connection);
  if (there !== 'ours') {
    await connection.run(`create schema if not exists ${OWN_SCHEMA}`);
    if (there !== 'none') await connection.run(`drop ${there} ${ENDED}`);
    await connection.run(`create table ${ENDED} (task varchar, ended timestamp, result varchar)`);
  }
  await connection.run(`delete from ${ENDED} where ended < current_timestamp::timestamp - interval 7 day`);
  await connection.run(`insert into ${ENDED} values ($1, current_timestamp::timestamp, $2)`, [
    end.task,
    withoutSecrets(JSON.stringify(end.result), work),
  ]);
}

interface Ended {
  readonly task: string;
  readonly result: SqlResult;
}

/** `ours`: as `noteEnd` makes it; `none`; else what stands in its place. */
async function describe(connection: DuckDBConnection): Promise<'ours' | 'none' | 'table' | 'view'> {
  const found = await connection.runAndReadAll(
    `select any_value(t.table_type), string_agg(c.column_name, ',' order by c.ordinal_position)
     from information_schema.tables t join information_schema.columns c
       using (table_catalog, table_schema, table_name)
     where t.table_catalog = current_database() and t.table_schema = $1 and t.table_name = $2 having count(*) > 0`,
    [OWN_SCHEMA, TABLE],
  );
  const [type, columns] = found.getRows()[0] ?? [];
  if (type === undefined || type === null) return 'none';
  if (type === 'VIEW') return 'view';
  return columns === COLUMNS ? 'ours' : 'table';
}

/** Others may read the notes; values of secret variables that a statement answered are not for them. */
function withoutSecrets(text: string, { variables }: SqlWork): string {
  const secrets = variables
    .filter(([, value, isSecret]) => isSecret && typeof value === 'string' && value.length >= SHORTEST_SECRET)
    .map(([, value]) => JSON.stringify(value).slice(1, -1))
    .toSorted((one, other) => other.length - one.length);
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, MASK), text);
}
