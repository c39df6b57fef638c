import type {
  ConnectorContext,
  ReadAfter,
  ReadChunk,
  ReadOptions,
  SourceSession,
  StreamSelection,
} from '../kit/index.ts';
import { createChangeLog, placeOfSlot } from './changes/log.ts';
import type { PostgresConfig } from './config.ts';
import type { Connection } from './connect.ts';
import { largestValues } from './cursors.ts';
import { digestRows } from './digest.ts';
import { discoverStreams } from './discover.ts';
import { fetchRows } from './fetch.ts';
import { isUnchangedSince, readChangeMark } from './change-mark.ts';
import { planChunks, scopeOf } from './load.ts';
import { createReaders } from './readers.ts';
import {
  afterCondition,
  columnOf,
  comparable,
  filterCondition,
  quoteRelation,
  upToCondition,
  where,
} from './select.ts';
import { chooseReadings, findRelation } from './selection.ts';
import { copyRows } from './wire/copy.ts';

/** Opens a session: nothing is connected until the first question. */
export function createSession(config: PostgresConfig, context: ConnectorContext): SourceSession {
  const { changes } = config;
  const readers = createReaders(config, context, changes && placeOfSlot(changes.slot));
  const changing = changes && createChangeLog({ config, changes, context, readers });
  const reading: ReadContext = { config, log: context.log };
  return {
    discover: ({ signal }) =>
      readers.use(signal, (connection) => discoverStreams(connection.query, config, context.log)),
    async planLoad(stream, { targetBytes, signal }) {
      const { name } = await readers.holdSnapshot(signal);
      return readers.use(signal, async ({ query, serverVersion }) => {
        const relation = await findRelation(query, stream);
        const options = { targetBytes, serverVersion, chunkColumn: stream.chunkColumn };
        const plan = await planChunks(query, relation, options);
        // Readers that see moments of their own, and filters, leave something for a count of its own to find.
        const isCountedByChunks = plan.isCountedByChunks === true && name !== null && !isFiltered(stream);
        return { ...plan, isCountedByChunks, changeMark: await readChangeMark(query, relation) };
      });
    },
    isUnchangedSince: (stream, mark) =>
      readers.use(context.signal, async ({ query }) =>
        isUnchangedSince(query, await findRelation(query, stream), mark),
      ),
    readChunk: (stream, work) =>
      readers.use(work.signal, (connection) => readChunk(connection, stream, { ...work, ...reading })),
    maxCursor: (stream, cursor) =>
      readers.use(context.signal, async ({ query }) =>
        largestValues(query, await findRelation(query, stream), { stream, cursor }),
      ),
    readAfter: (stream, work) =>
      readers.use(work.signal, (connection) => readAfter(connection, stream, { ...work, ...reading })),
    countsBesideReaders: true,
    countRows: (stream, { upTo, signal }) =>
      readers.useHolder(signal, async ({ query }) => {
        const relation = await findRelation(query, stream);
        const rows = where([filterCondition(relation, stream.filter), upToCondition(relation, upTo)]);
        const counted = await query(`select count(*) from ${quoteRelation(relation)}${rows}`);
        return Number(counted[0]?.[0]);
      }),
    fetchByKey: (stream, keys) =>
      readers.use(context.signal, async ({ query }) => {
        const relation = await findRelation(query, stream);
        const columns = chooseReadings(relation, stream, () => undefined);
        return fetchRows(query, relation, { columns, primaryKey: stream.primaryKey, keys });
      }),
    shareMoment: async ({ signal }) => (await readers.holdSnapshot(signal)).name,
    digest: (stream, { buckets, signal }) =>
      readers.use(signal, async ({ query, serverVersion }) =>
        digestRows(query, await findRelation(query, stream), { stream, buckets, serverVersion }),
      ),
    changeLog: changing?.log,
    async close() {
      await Promise.all([readers.close(), changing?.close()]);
    },
  };
}

const isFiltered = ({ filter }: StreamSelection): boolean => (filter?.conditions.length ?? 0) > 0;

interface ReadContext {
  readonly config: PostgresConfig;
  readonly log: ConnectorContext['log'];
}

async function readChunk(connection: Connection, stream: StreamSelection, work: ReadChunk & ReadContext) {
  const relation = await findRelation(connection.query, stream);
  const scope = await scopeOf(connection.query, relation, { chunk: work.chunk, chunkColumn: stream.chunkColumn });
  const conditions = [scope.condition, filterCondition(relation, stream.filter), upToCondition(relation, work.upTo)];
  const columns = chooseReadings(relation, stream, work.log);
  const rows = where(conditions);
  await copySelection(connection, { stream, columns, from: scope.from, rows, options: work, config: work.config });
}

async function readAfter(connection: Connection, stream: StreamSelection, work: ReadAfter & ReadContext) {
  const relation = await findRelation(connection.query, stream);
  const order = [work.cursor.column, work.cursor.fallback]
    .filter((name) => name !== undefined)
    .map((name) => `${comparable(columnOf(relation, name))} nulls last`);
  const after = where([afterCondition(relation, work), filterCondition(relation, stream.filter)]);
  const columns = chooseReadings(relation, stream, work.log);
  const rows = `${after} order by ${order.join(', ')}`;
  const from = quoteRelation(relation);
  await copySelection(connection, { stream, columns, from, rows, options: work, config: work.config });
}

interface CopySelection {
  readonly stream: StreamSelection;
  readonly columns: ReturnType<typeof chooseReadings>;
  readonly from: string;
  /** What follows `from`: which rows, in which order. */
  readonly rows: string;
  readonly options: ReadOptions & Pick<ReadChunk, 'counted'>;
  readonly config: PostgresConfig;
}

/**
 * One message, hence one transaction: what the first statement says of the types stays so for the second, as its lock
 * on the table does.
 */
async function copySelection(connection: Connection, work: CopySelection): Promise<void> {
  const { stream, columns, from, options } = work;
  const select = `select ${columns.map((column) => column.expression).join(', ')} from ${from}`;
  await copyRows(connection, {
    sql: `${select} where false;copy (${select}${work.rows}) to stdout (format binary)`,
    columns: columns.map(({ name, reading }, index) => ({
      wire: reading.wire,
      column: stream.columns[index]?.column ?? { name, type: reading.type, nullable: true },
    })),
    key: stream.primaryKey.map((name) => columns.findIndex((column) => column.name === name)).filter((at) => at >= 0),
    options,
    place: work.config,
  });
}
