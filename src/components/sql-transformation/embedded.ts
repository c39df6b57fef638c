import {
  StatementType,
  type DuckDBConnection,
  type DuckDBPreparedStatement,
  type DuckDBResult,
} from '@duckdb/node-api';
import type { SqlValue } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import { closeDoors, openDatabase, showLake, type AskTables, type Lake } from './database.ts';
import { findEnded, noteEnd } from './ended.ts';
import { readExactRows } from './exact-rows.ts';
import { explainError } from './hints.ts';
import { createLineageReader, type LineageReader } from './reads.ts';
import { refuseForeignTargets } from './refusals.ts';
import { createResult, failureAt, type ResultBuilder } from './result.ts';
import { lineOfSecond, meaningfulTokens } from './tokens.ts';
import { bindVariables, type Variables } from './variables.ts';
import type { EmbeddedPlace, SqlResult, SqlWork } from './work.ts';

export interface EmbeddedPorts {
  /** Brings the files of lake tables within reach; names that are no tables are left out. */
  readonly askTables: AskTables;
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
const CHANGES = new Set([StatementType.INSERT, StatementType.UPDATE, StatementType.DELETE, StatementType.MERGE_INTO]);

/** What the database puts around the parts of a statement that it takes apart. */
const FRAME = new Set([StatementType.TRANSACTION, StatementType.SET]);

type EmbeddedWork = SqlWork & { readonly at: EmbeddedPlace };

/** Runs the statements in the project's own database. */
export async function runEmbedded(work: EmbeddedWork, ports: EmbeddedPorts): Promise<SqlResult> {
  const { at: place } = work;
  const instance = await openDatabase(place);
  const connection = await instance.connect();
  ports.onCancel(() => connection.interrupt());
  try {
    if (work.inTransaction && !place.isFirstAttempt) {
      const earlier = await findEnded(connection, place.task);
      if (earlier !== undefined) return earlier;
    }
    const lake = await showLake(connection, work, ports.askTables);
    await closeDoors(connection, place);
    return await runAll(connection, work, lake);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function runAll(connection: DuckDBConnection, work: EmbeddedWork, lake: Lake): Promise<SqlResult> {
  const variables: Variables = new Map(work.variables.map(([name, value]) => [name, value]));
  const builder = createResult();
  const lineage = work.tellsLineage ? createLineageReader(connection, work.at, lake) : undefined;
  if (work.inTransaction) await connection.run('begin transaction');
  try {
    for (const [at, sql] of work.statements.entries()) {
      await runOne(connection, { sql, variables, builder, lineage }).catch((error: unknown) => {
        throw failureAt(at + 1, explainError(error, sql, lake));
      });
    }
    const result = { ...builder.result(), ...(lineage && { lineage: await lineage.read() }) };
    if (work.inTransaction) {
      const noted = noteEnd(connection, work, { task: work.at.task, result });
      await noted
        .then(() => connection.run('commit'))
        .catch((error: unknown) => {
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
  readonly lineage: LineageReader | undefined;
}

async function runOne(connection: DuckDBConnection, { sql, variables, builder, lineage }: Statement): Promise<void> {
  refuseForeignTargets(sql);
  const { text, values, unknown } = bindVariables(sql, variables);
  const prepared = await prepareOne(connection, text).catch((error: unknown) => {
    if (!(error instanceof Failure) && unknown.length > 0) {
      throw new Failure('bad_request', `${(error as Error).message} (no variable "${unknown[0]}" is given)`);
    }
    throw error;
  });
  try {
    bindAll(prepared, values);
    const noteLineage = await lineage?.watch(text, () => explain(connection, text, values));
    await runPrepared(prepared, builder);
    await noteLineage?.();
  } finally {
    prepared.destroySync();
  }
}

async function runPrepared(prepared: DuckDBPreparedStatement, builder: ResultBuilder): Promise<void> {
  if (prepared.statementType === StatementType.SELECT) {
    await takeRows(await prepared.stream(), builder);
    builder.endStatement(0);
    return;
  }
  const answersRows = prepared.columnCount > 1 || prepared.columnName(0) !== 'Count';
  const result = await prepared.run();
  const isChange = CHANGES.has(prepared.statementType);
  if (isChange && answersRows) await takeRows(result, builder);
  builder.endStatement(isChange ? (answersRows ? result.rowCount : result.rowsChanged) : 0);
}

async function explain(connection: DuckDBConnection, text: string, values: readonly SqlValue[]): Promise<DuckDBResult> {
  const prepared = await prepareLast(await connection.extractStatements(`explain (format json) ${text}`));
  try {
    bindAll(prepared, values);
    return await prepared.run();
  } finally {
    prepared.destroySync();
  }
}

/** The one statement of a text, allowed. */
async function prepareOne(connection: DuckDBConnection, text: string): Promise<DuckDBPreparedStatement> {
  if (meaningfulTokens(text).every((token) => token.text === ';')) {
    throw new Failure('bad_request', 'there is no statement in this entry');
  }
  const line = lineOfSecond(text);
  if (line !== undefined) {
    throw new Failure('bad_request', `give one statement in each entry; another one begins in line ${line}`);
  }
  return prepareLast(await connection.extractStatements(text), refuseKind);
}

/**
 * A PIVOT whose columns are not named is several statements to the database, in a transaction of their own: all but the
 * query itself run here.
 */
async function prepareLast(
  extracted: Awaited<ReturnType<DuckDBConnection['extractStatements']>>,
  check: (prepared: DuckDBPreparedStatement) => void = () => {},
): Promise<DuckDBPreparedStatement> {
  let last: DuckDBPreparedStatement | undefined;
  for (let at = 0; at < extracted.count; at++) {
    await last?.run().finally(() => last?.destroySync());
    const prepared = await extracted.prepare(at);
    const isFrame = extracted.count > 1 && FRAME.has(prepared.statementType);
    if (isFrame && last) return last;
    if (isFrame) continue;
    check(prepared);
    last = prepared;
  }
  return last!;
}

function refuseKind(prepared: DuckDBPreparedStatement): void {
  if (ALLOWED.has(prepared.statementType)) return;
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
async function takeRows(result: DuckDBResult, builder: ResultBuilder): Promise<void> {
  builder.beginRows();
  await readExactRows(result, (columns, values) => builder.addRow(columns, values));
}
