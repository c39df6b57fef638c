import { DuckDBInstance, StatementType, type DuckDBConnection, type DuckDBPreparedStatement } from '@duckdb/node-api';
import type { SqlValue } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import { findLakeNames, LAKE } from './lake-names.ts';
import { showLakeTable } from './lake-views.ts';
import { readExactRows } from './exact-rows.ts';
import { createResult, failureAt, type ResultBuilder } from './result.ts';
import { bindVariables, type Variables } from './variables.ts';
import type { EmbeddedPlace, SqlResult, SqlWork, StagedTable } from './work.ts';
import type { TableName } from '../../lakehouse/index.ts';

export interface EmbeddedPorts {
  /** Brings the files of lake tables within reach; names that are no tables are left out. */
  askTables(names: readonly TableName[]): Promise<readonly StagedTable[]>;
  /** Told how the running statement is ended. */
  onCancel(cancel: () => void): void;
}

/** What statements may be. All others reach files, settings, extensions, other databases, or end the transaction. */
const ALLOWED = new Set([
  StatementType.SELECT,
  StatementType.INSERT,
  StatementType.UPDATE,
  StatementType.DELETE,
  StatementType.MERGE_INTO,
  StatementType.CREATE,
  StatementType.CREATE_FUNC,
  StatementType.ALTER,
  StatementType.DROP,
  StatementType.VACUUM,
  StatementType.ANALYZE,
]);

/** Runs the statements in the project's own database. */
export async function runEmbedded(work: SqlWork, place: EmbeddedPlace, ports: EmbeddedPorts): Promise<SqlResult> {
  const instance = await openDatabase(place);
  const connection = await instance.connect();
  ports.onCancel(() => connection.interrupt());
  try {
    if (work.inTransaction && !place.isFirstAttempt) {
      const earlier = await findEnded(connection, place.task);
      if (earlier !== undefined) return earlier;
    }
    await showLake(connection, work, ports);
    await closeDoors(connection, place);
    return await runAll(connection, work, place);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** How long the process of a lost attempt may take to let go of the database. */
const LOCK_PATIENCE_MS = 12_000;
const LOCK_PAUSE_MS = 250;

async function openDatabase(place: EmbeddedPlace): Promise<DuckDBInstance> {
  const end = performance.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      return await createInstance(place);
    } catch (error) {
      const { message } = error as Error;
      if (!/could not set lock/i.test(message) || performance.now() > end) {
        throw new Failure('storage_failed', `The embedded database cannot be opened: ${message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
    }
  }
}

function createInstance({ file, folder, memoryMb, threads }: EmbeddedPlace): Promise<DuckDBInstance> {
  return DuckDBInstance.create(file, {
    threads: String(threads),
    memory_limit: `${memoryMb}MB`,
    temp_directory: `${folder}/spilled`,
    max_temp_directory_size: '10GB',
    extension_directory: `${folder}/extensions`,
    secret_directory: `${folder}/secrets`,
    allow_persistent_secrets: 'false',
    allow_community_extensions: 'false',
    allow_unsigned_extensions: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
}

/** Shows the lake tables that the statements name as views of a database that is there for this run only. */
async function showLake(connection: DuckDBConnection, work: SqlWork, ports: EmbeddedPorts): Promise<void> {
  await connection.run("set timezone = 'UTC'");
  await connection.run(`attach ':memory:' as ${LAKE}`);
  const definitions = await readExactRows(
    await connection.run(`
      select view_name as name, sql from duckdb_views() where not internal
      union all
      select function_name, macro_definition from duckdb_functions() where not internal and macro_definition is not null`),
  );
  const known = definitions.rows.map(([name, sql]) => ({ name: String(name), sql: String(sql) }));
  const names = findLakeNames(work.statements, known);
  if (names.length === 0) return;
  for (const table of await ports.askTables(names)) await showLakeTable(connection, table);
}

/** From here on nothing can be reached but the database and the files of the lake tables, and this cannot be undone. */
async function closeDoors(connection: DuckDBConnection, { folder }: EmbeddedPlace): Promise<void> {
  const folders = `['${folder.replaceAll("'", "''")}/lake/']`;
  await connection.run(`set allowed_directories = ${folders}`);
  await connection.run('set enable_external_access = false');
  await connection.run('set lock_configuration = true');
}

async function runAll(connection: DuckDBConnection, work: SqlWork, place: EmbeddedPlace): Promise<SqlResult> {
  const variables: Variables = new Map(work.variables);
  const builder = createResult();
  if (work.inTransaction) await connection.run('begin transaction');
  try {
    for (const [at, sql] of work.statements.entries()) {
      await runOne(connection, { sql, variables, builder }).catch((error: unknown) => {
        throw failureAt(at + 1, error);
      });
    }
    const result = builder.result();
    if (work.inTransaction) {
      const ended = noteEnd(connection, place.task, result).then(() => connection.run('commit'));
      await ended.catch((error: unknown) => {
        throw new Failure('conflict', `The transaction cannot be committed: ${(error as Error).message}`);
      });
    }
    return result;
  } catch (error) {
    if (work.inTransaction) await connection.run('rollback').catch(() => undefined);
    throw error;
  }
}

interface Statement {
  readonly sql: string;
  readonly variables: Variables;
  readonly builder: ResultBuilder;
}

async function runOne(connection: DuckDBConnection, { sql, variables, builder }: Statement): Promise<void> {
  const { text, values, unknown } = bindVariables(sql, variables);
  const prepared = await prepareOne(connection, text).catch((error: unknown) => {
    if (!(error instanceof Failure) && unknown.length > 0) {
      throw new Failure('bad_request', `${(error as Error).message} (no variable "${unknown[0]}" is given)`);
    }
    throw error;
  });
  try {
    bindAll(prepared, values);
    if (prepared.statementType === StatementType.SELECT) {
      await takeRows(await prepared.stream(), builder);
      builder.endStatement(0);
      return;
    }
    const answersRows = prepared.columnCount > 1 || prepared.columnName(0) !== 'Count';
    const result = await prepared.run();
    const isChange = [
      StatementType.INSERT,
      StatementType.UPDATE,
      StatementType.DELETE,
      StatementType.MERGE_INTO,
    ].includes(prepared.statementType);
    if (isChange && answersRows) await takeRows(result, builder);
    builder.endStatement(isChange ? (answersRows ? result.rowCount : result.rowsChanged) : 0);
  } finally {
    prepared.destroySync();
  }
}

async function prepareOne(connection: DuckDBConnection, text: string): Promise<DuckDBPreparedStatement> {
  const extracted = await connection.extractStatements(text);
  if (extracted.count !== 1) throw new Failure('bad_request', 'give one statement in each entry');
  const prepared = await extracted.prepare(0);
  if (ALLOWED.has(prepared.statementType)) return prepared;
  const type = StatementType[prepared.statementType].toLowerCase().replaceAll('_', ' ');
  prepared.destroySync();
  throw new Failure('forbidden', `statements of the kind "${type}" are not allowed here`, {
    advice: 'Use statements that read and write tables of this database, and leave transactions to inTransaction.',
  });
}

function bindAll(prepared: DuckDBPreparedStatement, values: readonly SqlValue[]): void {
  for (const [at, value] of values.entries()) {
    const position = at + 1;
    if (value === null) prepared.bindNull(position);
    else if (typeof value === 'boolean') prepared.bindBoolean(position, value);
    else if (typeof value === 'string') prepared.bindVarchar(position, value);
    else if (Number.isSafeInteger(value)) prepared.bindBigInt(position, BigInt(value));
    else prepared.bindDouble(position, value);
  }
}

/** Reads to the end: what a later row would have failed with must not be lost. */
async function takeRows(result: Parameters<typeof readExactRows>[0], builder: ResultBuilder): Promise<void> {
  builder.beginRows();
  await readExactRows(result, (columns, values) => builder.addRow(columns, values));
}

const ENDED = 'penstock.ended_runs';

/** What the transaction of this task answered, if an earlier attempt has committed it. */
async function findEnded(connection: DuckDBConnection, task: string): Promise<SqlResult | undefined> {
  const there = await connection.runAndReadAll(
    "select 1 from duckdb_tables() where schema_name = 'penstock' and table_name = 'ended_runs'",
  );
  if (there.currentRowCount === 0) return undefined;
  const found = await connection.runAndReadAll(`select result from ${ENDED} where task = $1`, [task]);
  const text = found.getRows()[0]?.[0];
  return text === undefined ? undefined : (JSON.parse(String(text)) as SqlResult);
}

/** Part of the transaction: a task that is executed again after a crash finds that it has ended. */
async function noteEnd(connection: DuckDBConnection, task: string, result: SqlResult): Promise<void> {
  await connection.run('create schema if not exists penstock');
  await connection.run(`create table if not exists ${ENDED} (task varchar, ended timestamp, result varchar)`);
  await connection.run(`delete from ${ENDED} where ended < current_timestamp::timestamp - interval 7 day`);
  await connection.run(`insert into ${ENDED} values ($1, current_timestamp::timestamp, $2)`, [
    task,
    JSON.stringify(result),
  ]);
}
