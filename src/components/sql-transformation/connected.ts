import { loadConnectorsOf } from '../../connectors/index.ts';
import type { SqlSession } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import { createResult, failureAt } from './result.ts';
import { firstWord, lineOfSecond } from './tokens.ts';
import { bindVariables } from './variables.ts';
import { createWrites, type Writes } from './writes.ts';
import type { ConnectionPlace, SqlResult, SqlWork } from './work.ts';

/** They would end or split the transaction that all statements are in. */
const TRANSACTION_WORDS = new Set([
  'BEGIN',
  'START',
  'COMMIT',
  'END',
  'ROLLBACK',
  'ABORT',
  'PREPARE',
  'SAVEPOINT',
  'RELEASE',
]);

export interface ConnectedPorts {
  log(message: string): void;
  onCancel(cancel: () => void): void;
}

/** Runs the statements in the database that a connector reaches. */
export async function runConnected(work: SqlWork, place: ConnectionPlace, ports: ConnectedPorts): Promise<SqlResult> {
  const connectors = await loadConnectorsOf([place.type]);
  const connector = connectors.sources.find(({ type }) => type === place.type);
  if (!connector?.openSql) throw new Failure('bad_request', `Connections of type "${place.type}" do not offer SQL`);
  const cancellation = new AbortController();
  ports.onCancel(() => cancellation.abort());
  const session = await connector.openSql(place.config, {
    world: createWorld(),
    log: ({ message }) => ports.log(message),
    signal: cancellation.signal,
    allowPath(path) {
      throw new Failure('forbidden', `SQL runs over the network only, not over the socket ${path}`);
    },
  });
  let abandoned: Promise<void> | undefined;
  cancellation.signal.addEventListener('abort', () => (abandoned = session.abandon()));
  try {
    const writes = createWrites(session, (table) => connector.datasetOf?.(place.config, table));
    return await runAll(session, work, work.tellsLineage ? writes : undefined);
  } finally {
    // This process ends next: the database must have heard of it by then.
    await (abandoned ?? session.close());
  }
}

async function runAll(session: SqlSession, work: SqlWork, writes: Writes | undefined): Promise<SqlResult> {
  const variables = new Map(work.variables.map(([name, value]) => [name, value]));
  const builder = createResult();
  if (work.inTransaction) await session.begin();
  for (const [at, sql] of work.statements.entries()) {
    try {
      const word = firstWord(sql);
      if (TRANSACTION_WORDS.has(word)) {
        throw new Failure(
          'forbidden',
          `${word} is not allowed here; inTransaction says whether all is one transaction`,
        );
      }
      const { text, values } = bindVariables(sql, variables);
      let hasRows = false;
      const begin = (): void => {
        if (!hasRows) builder.beginRows();
        hasRows = true;
      };
      const row = (columns: readonly string[], cells: readonly unknown[]): void => {
        begin();
        builder.addRow(columns, cells);
      };
      const { rowsAffected, answersRows } = await session.run({ text, values, row });
      if (answersRows) begin();
      builder.endStatement(rowsAffected);
      await writes?.note(sql);
    } catch (error) {
      if (work.inTransaction) await session.rollback().catch(() => undefined);
      throw failureAt(at + 1, explainError(error, sql));
    }
  }
  const lineage = writes && { inputs: [], outputs: await writes.read() };
  if (work.inTransaction) await session.commit();
  return { ...builder.result(), ...(lineage && { lineage }) };
}

function explainError(error: unknown, sql: string): unknown {
  const line = lineOfSecond(sql);
  if (line === undefined || !/multiple commands/.test(String((error as Error).message))) return error;
  return new Failure('bad_request', `give one statement in each entry; another one begins in line ${line}`);
}
