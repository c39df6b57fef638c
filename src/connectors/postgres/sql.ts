import type { SqlOutcome, SqlSession, SqlValue } from '../kit/index.ts';
import type { PostgresConfig } from './config.ts';
import { connect, type Connection, type ResultColumn, type TextRow } from './connect.ts';

/** Commands whose count is one of changed rows. */
const CHANGES = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY']);

/** A server that finds its client gone ends the statement; one that cannot ends it after a day. */
const SETTINGS = ['default_transaction_read_only = off', "statement_timeout = '24h'"];
const WATCHES_CLIENTS_SINCE = 140_000;

/** Connects for statements that may write. */
export async function openSqlSession(config: PostgresConfig, signal: AbortSignal): Promise<SqlSession> {
  const connection = await connect(config, signal);
  const watch = connection.serverVersion >= WATCHES_CLIENTS_SINCE ? ["client_connection_check_interval = '10s'"] : [];
  await connection.query([...SETTINGS, ...watch].map((setting) => `set ${setting}`).join(';'));
  const control = async (sql: string): Promise<void> => void (await connection.query(sql));
  return {
    run: (statement) => run(connection, statement),
    begin: () => control('begin'),
    commit: () => control('commit'),
    rollback: () => control('rollback'),
    findTable: (name) => findTable(connection, name),
    abandon: () => connection.abandon(),
    close: () => connection.close(),
  };
}

async function findTable(
  connection: Connection,
  name: string,
): Promise<{ namespace: string; name: string } | undefined> {
  let found: { namespace: string; name: string } | undefined;
  await connection.stream({
    text: `select space.nspname, class.relname
      from pg_catalog.pg_class class join pg_catalog.pg_namespace space on space.oid = class.relnamespace
      where class.oid = pg_catalog.to_regclass($1) and class.relpersistence <> 't' and class.relkind in ('r', 'p', 'f', 'm')`,
    values: [name],
    row: ([namespace, table]) => (found = { namespace: String(namespace), name: String(table) }),
  });
  return found;
}

async function run(
  connection: Connection,
  { text, values, row }: Parameters<SqlSession['run']>[0],
): Promise<SqlOutcome> {
  const bound = values.map((value) => (value === null ? null : String(value)));
  const end = await connection.stream({
    text,
    values: bound,
    row: (cells, columns) =>
      row(
        columns.map(({ name }) => name),
        toValues(cells, columns),
      ),
  });
  return { rowsAffected: CHANGES.has(end.command) ? end.rowCount : 0, answersRows: end.answersRows };
}

const BOOLEAN = 16;
const INTEGERS = new Set([20, 21, 23, 26]);
const FLOATS = new Set([700, 701]);

function toValues(cells: TextRow, columns: readonly ResultColumn[]): SqlValue[] {
  return cells.map((text, at) => (text === null ? null : toValue(text, columns[at]?.dataTypeID ?? 0)));
}

/** What JSON cannot hold exactly stays text: large integers, numerics, infinities, and every other type. */
function toValue(text: string, type: number): SqlValue {
  if (type === BOOLEAN) return text === 't';
  if (INTEGERS.has(type)) return Number.isSafeInteger(Number(text)) ? Number(text) : text;
  if (FLOATS.has(type)) return Number.isFinite(Number(text)) ? Number(text) : text;
  return text;
}
