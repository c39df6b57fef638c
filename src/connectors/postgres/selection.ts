import { typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { ConnectorContext, StreamSelection } from '../kit/index.ts';
import { readRelations, type Query, type Relation } from './catalog.ts';
import { quoteName, quoteText } from './select.ts';
import { readingAs, type Reading } from './types.ts';

/** A selected column as it is asked for. */
export interface ChosenColumn {
  readonly name: string;
  readonly expression: string;
  readonly reading: Reading;
}

/** The stream's table as it is now; `object_missing` or `permission_missing` when it cannot be read. */
export async function findRelation(query: Query, stream: StreamSelection): Promise<Relation> {
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
export function chooseReadings(
  relation: Relation,
  stream: StreamSelection,
  log: ConnectorContext['log'],
): ChosenColumn[] {
  return stream.columns.map(({ name, column }): ChosenColumn => {
    const actual = relation.columns.find((candidate) => candidate.name === name);
    if (!actual) {
      const table = `"${relation.namespace}.${relation.name}"`;
      if (stream.primaryKey.includes(name))
        throw new Failure('object_missing', `the key column "${name}" of ${table} is gone`);
      log({ level: 'warn', message: `the column "${name}" of ${table} is gone: it is null from now on` });
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
    const quoted = quoteName(name);
    return { name, reading, expression: reading.isSentSo ? quoted : reading.expression(quoted) };
  });
}

function missingColumn(name: string, type: Reading['type']): ChosenColumn {
  const wire = type.kind === 'decimal' ? 'numeric' : WIRE_OF_NOTHING[type.kind];
  const reading: Reading = {
    wire,
    type,
    expression: () => `null::pg_catalog."${wire}"`,
    isSentSo: false,
    compareByExpression: false,
    orderable: false,
  };
  return { name, reading, expression: reading.expression(name) };
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
