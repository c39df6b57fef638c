import type {
  ConnectorContext,
  ReadAfter,
  ReadChunk,
  ReadOptions,
  SourceSession,
  StreamSelection,
} from '../kit/index.ts';
import { createChangeLog } from './changes/index.ts';
import type { MysqlConfig } from './config.ts';
import type { Connection } from './connect.ts';
import { largestValues } from './cursors.ts';
import { digestRows } from './digest.ts';
import { discoverStreams } from './discover.ts';
import { fetchRows } from './fetch.ts';
import { chunkCondition, planChunks } from './load.ts';
import { createReaders } from './readers.ts';
import { quoteName } from './quote.ts';
import { afterCondition, columnOf, filterCondition, quoteRelation, upToCondition, where } from './select.ts';
import { chooseReadings, findRelation } from './selection.ts';
import { selectRows } from './wire/execute.ts';

/** Opens a session: nothing is connected until the first question. */
export function createSession(config: MysqlConfig, context: ConnectorContext): SourceSession {
  const readers = createReaders(config, context);
  const changeLog = config.wantsChanges ? createChangeLog(config, context, readers) : undefined;
  const reading: ReadContext = { config, log: context.log };
  return {
    changeLog,
    discover: ({ signal }) =>
      readers.use(signal, ({ query }) =>
        discoverStreams(query, config, { log: context.log, onRelation: changeLog?.remember }),
      ),
    async planLoad(stream, { targetBytes, signal }) {
      await readers.holdSnapshot(signal);
      return readers.use(signal, async ({ query }) => {
        const relation = await findRelation(query, stream);
        // Rows bear no number of the transaction that wrote them, so nothing can be marked.
        return { ...(await planChunks(query, relation, { targetBytes, stream })), changeMark: null };
      });
    },
    isUnchangedSince: async () => false,
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
      readers.useBeside(signal, async ({ query }) => {
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
    digest: (stream, { buckets, signal }) =>
      readers.use(signal, async ({ query }) =>
        digestRows(query, await findRelation(query, stream), { stream, buckets }),
      ),
    async close() {
      await Promise.all([changeLog?.close(), readers.close()]);
    },
  };
}

interface ReadContext {
  readonly config: MysqlConfig;
  readonly log: ConnectorContext['log'];
}

async function readChunk(connection: Connection, stream: StreamSelection, work: ReadChunk & ReadContext) {
  const relation = await findRelation(connection.query, stream);
  const conditions = [
    chunkCondition(relation, stream, work.chunk),
    filterCondition(relation, stream.filter),
    upToCondition(relation, work.upTo),
  ];
  const columns = chooseReadings(relation, stream, work.log);
  const tail = `${quoteRelation(relation)}${where(conditions)}`;
  await readSelection(connection, { stream, columns, tail, options: work, config: work.config });
}

async function readAfter(connection: Connection, stream: StreamSelection, work: ReadAfter & ReadContext) {
  const relation = await findRelation(connection.query, stream);
  const order = [work.cursor.column, work.cursor.fallback]
    .filter((name) => name !== undefined)
    .map((name) => quoteName(columnOf(relation, name).name))
    .map((name) => `${name} is null, ${name}`);
  const rows = where([afterCondition(relation, work), filterCondition(relation, stream.filter)]);
  const columns = chooseReadings(relation, stream, work.log);
  const tail = `${quoteRelation(relation)}${rows} order by ${order.join(', ')}`;
  await readSelection(connection, { stream, columns, tail, options: work, config: work.config });
}

interface ReadSelection {
  readonly stream: StreamSelection;
  readonly columns: ReturnType<typeof chooseReadings>;
  /** What follows `from`. */
  readonly tail: string;
  readonly options: ReadOptions;
  readonly config: MysqlConfig;
}

async function readSelection(connection: Connection, work: ReadSelection): Promise<void> {
  const { stream, columns, options } = work;
  const list = columns.map((column) => column.expression).join(', ');
  await selectRows(connection, {
    sql: `select ${list} from ${work.tail}`,
    columns: columns.map(({ name, reading }, index) => ({
      wire: reading.wire,
      column: stream.columns[index]?.column ?? { name, type: reading.type, nullable: true },
    })),
    key: stream.primaryKey.map((name) => columns.findIndex((column) => column.name === name)).filter((at) => at >= 0),
    options,
    place: work.config,
  });
}
