import { typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { ConnectorContext, CursorValues, ReadOptions, SourceSession, StreamSelection } from '../kit/index.ts';
import { canonicalOfText } from './canonical.ts';
import { readRelations, type Relation } from './catalog.ts';
import type { PostgresConfig } from './config.ts';
import type { Connection } from './connect.ts';
import { discoverStreams } from './discover.ts';
import { fetchRows } from './fetch.ts';
import { planChunks, scopeOf } from './load.ts';
import { createReaders } from './readers.ts';
import {
  afterCondition,
  columnOf,
  comparable,
  filterCondition,
  quoteRelation,
  quoteText,
  upToCondition,
  where,
} from './select.ts';
import { readingAs, type Reading } from './types.ts';
import { copyRows } from './wire/copy.ts';

/** Opens a session: nothing is connected until the first question. */
export function createSession(config: PostgresConfig, context: ConnectorContext): SourceSession {
  const readers = createReaders(config, context);
  const { signal: ended } = context;

  return {
    discover: ({ signal }) =>
      readers.use(signal, (connection) => discoverStreams(connection.query, config.schemas, context.log)),

    async planLoad(stream, { targetBytes, signal }) {
      await readers.holdSnapshot(signal);
      return readers.use(signal, async ({ query, serverVersion }) => {
        const relation = await findRelation(query, stream);
        return planChunks(query, relation, { targetBytes, serverVersion, chunkColumn: stream.chunkColumn });
      });
    },

    readChunk: (stream, work) =>
      readers.use(work.signal, async (connection) => {
        const relation = await findRelation(connection.query, stream);
        const scope = await scopeOf(connection.query, relation, { chunk: work.chunk, chunkColumn: stream.chunkColumn });
        const conditions = [
          scope.condition,
          filterCondition(relation, stream.filter),
          upToCondition(relation, work.upTo),
        ];
        const columns = chooseReadings(relation, stream, context.log);
        await copySelection(connection, { stream, columns, tail: `${scope.from}${where(conditions)}`, options: work });
      }),

    maxCursor: (stream, cursor) =>
      readers.use(ended, async ({ query }) => {
        const relation = await findRelation(query, stream);
        const primary = await largest(query, relation, { stream, column: cursor.column });
        if (cursor.fallback === undefined) return { primary, fallback: null };
        // The fallback orders only the rows whose primary cursor is null.
        const condition = `${comparable(columnOf(relation, cursor.column))} is null`;
        const fallback = await largest(query, relation, { stream, column: cursor.fallback, condition });
        return { primary, fallback } satisfies CursorValues;
      }),

    readAfter: (stream, work) =>
      readers.use(work.signal, async (connection) => {
        const relation = await findRelation(connection.query, stream);
        const order = [work.cursor.column, work.cursor.fallback]
          .filter((name) => name !== undefined)
          .map((name) => `${comparable(columnOf(relation, name))} nulls last`);
        const rows = where([afterCondition(relation, work), filterCondition(relation, stream.filter)]);
        const columns = chooseReadings(relation, stream, context.log);
        const tail = `${quoteRelation(relation)}${rows} order by ${order.join(', ')}`;
        await copySelection(connection, { stream, columns, tail, options: work });
      }),

    countRows: (stream, { upTo, signal }) =>
      readers.use(signal, async ({ query }) => {
        const relation = await findRelation(query, stream);
        const rows = where([filterCondition(relation, stream.filter), upToCondition(relation, upTo)]);
        const counted = await query(`select count(*) from ${quoteRelation(relation)}${rows}`);
        return Number(counted[0]?.[0]);
      }),

    fetchByKey: (stream, keys) =>
      readers.use(ended, async ({ query }) => {
        const relation = await findRelation(query, stream);
        const columns = chooseReadings(relation, stream, () => undefined);
        return fetchRows(query, relation, { columns, primaryKey: stream.primaryKey, keys });
      }),

    close: () => readers.close(),
  };

  async function copySelection(connection: Connection, work: CopySelection): Promise<void> {
    const { stream, columns, options } = work;
    const list = columns.map((column) => column.expression).join(', ');
    await copyRows(connection, {
      sql: `copy (select ${list} from ${work.tail}) to stdout (format binary)`,
      columns: columns.map(({ reading }, index) => ({
        wire: reading.wire,
        column: { ...(stream.columns[index]?.column ?? { name: '', nullable: true }), type: reading.type },
      })),
      key: stream.primaryKey.map((name) => stream.columns.findIndex((c) => c.name === name)).filter((i) => i >= 0),
      options,
      place: config,
    });
  }
}

/** A selected column as it is asked for. */
export interface ChosenColumn {
  readonly name: string;
  readonly expression: string;
  readonly reading: Reading;
}

interface CopySelection {
  readonly stream: StreamSelection;
  readonly columns: readonly ChosenColumn[];
  /** What follows `from`. */
  readonly tail: string;
  readonly options: ReadOptions;
}

async function findRelation(query: Connection['query'], stream: StreamSelection): Promise<Relation> {
  const name = `n.nspname = ${quoteText(stream.namespace)} and c.relname = ${quoteText(stream.name)}`;
  const [relation] = await readRelations(query, name);
  if (!relation) throw new Failure('object_missing', `"${stream.namespace}.${stream.name}" does not exist`);
  if (!relation.readable) {
    throw new Failure('permission_missing', `no right to read "${stream.namespace}.${stream.name}"`);
  }
  return relation;
}

/**
 * The columns of the stream as the table has them now, read as the types that the stream was discovered with. A column that is gone is
 * null in every row, unless it belongs to the key.
 */
function chooseReadings(relation: Relation, stream: StreamSelection, log: ConnectorContext['log']): ChosenColumn[] {
  return stream.columns.map(({ name, column }): ChosenColumn => {
    const actual = relation.columns.find((candidate) => candidate.name === name);
    if (!actual) {
      const where = `"${relation.namespace}.${relation.name}"`;
      if (stream.primaryKey.includes(name))
        throw new Failure('object_missing', `the key column "${name}" of ${where} is gone`);
      log({ level: 'warn', message: `the column "${name}" of ${where} is gone: it is null from now on` });
      return missingColumn(name, column.type);
    }
    const reading =
      typeWord(actual.reading.type) === typeWord(column.type) ? actual.reading : readingAs(actual.reading, column.type);
    if (!reading) {
      throw new Failure(
        'object_missing',
        `column "${name}" of "${relation.namespace}.${relation.name}" is now ${actual.sourceType}, which does not fit ${typeWord(column.type)}`,
      );
    }
    return { name, reading, expression: reading.expression(`"${name.replaceAll('"', '""')}"`) };
  });
}

function missingColumn(name: string, type: Reading['type']): ChosenColumn {
  const wire = type.kind === 'decimal' ? 'numeric' : WIRE_OF_NOTHING[type.kind];
  const reading: Reading = {
    wire,
    type,
    expression: () => 'null::pg_catalog.text',
    compareByExpression: false,
    orderable: false,
  };
  return { name, reading, expression: 'null::pg_catalog.text' };
}

/** Any reader of the right lake type serves a column that holds only nulls. */
const WIRE_OF_NOTHING = {
  boolean: 'bool',
  int: 'int4',
  long: 'int8',
  float: 'float4',
  double: 'float8',
  timestamp: 'timestamp',
  string: 'text',
} as const;

interface LargestOf {
  readonly stream: StreamSelection;
  readonly column: string;
  readonly condition?: string;
}

/** The largest value as canonical text; by order and limit, because not every ordered type has a `max`. */
async function largest(query: Connection['query'], relation: Relation, of: LargestOf): Promise<string | null> {
  const column = columnOf(relation, of.column);
  if (!column.reading.orderable) {
    throw new Failure('configuration_invalid', `"${of.column}" has a type without an order and cannot be a cursor`);
  }
  const name = comparable(column);
  const rows = where([`${name} is not null`, of.condition, filterCondition(relation, of.stream.filter)]);
  const found = await query(`select ${name} from ${quoteRelation(relation)}${rows} order by ${name} desc limit 1`);
  const text = found[0]?.[0];
  return text == null ? null : canonicalOfText(column.reading.type, text);
}
