import { typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { ConnectorContext, StreamSelection } from '../kit/index.ts';
import { readRelations, type Query, type Relation } from './catalog.ts';
import { isReadable } from './discover.ts';
import { quoteName } from './quote.ts';
import { readingAs, type Reading } from './types.ts';

/** A selected column as it is asked for. */
export interface ChosenColumn {
  readonly name: string;
  readonly expression: string;
  readonly reading: Reading;
}

/** The stream's table as it is now; `object_missing` or `permission_missing` when it cannot be read. */
export async function findRelation(query: Query, stream: StreamSelection): Promise<Relation> {
  const [relation] = await readRelations(query, stream.namespace, stream.name);
  if (!relation) throw new Failure('object_missing', `"${stream.namespace}.${stream.name}" does not exist`);
  if (!isReadable(relation)) {
    throw new Failure('permission_missing', `no right to read "${stream.namespace}.${stream.name}"`);
  }
  return relation;
}

/**
 * The columns of the stream as the table has them now, read as the types that the stream was discovered with. A column
 * that is gone is null in every row, unless it belongs to the key.
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
      if (stream.primaryKey.includes(name)) {
        throw new Failure('object_missing', `the key column "${name}" of ${table} is gone`);
      }
      log({ level: 'warn', message: `the column "${name}" of ${table} is gone: it is null from now on` });
      const reading: Reading = { ...MISSING, type: column.type };
      return { name, reading, expression: 'null' };
    }
    const same = typeWord(actual.reading.type) === typeWord(column.type);
    const reading = same ? actual.reading : readingAs(actual.reading, column.type);
    if (!reading) {
      throw new Failure(
        'object_missing',
        `column "${name}" of "${relation.namespace}.${relation.name}" is now ${actual.sourceType}, which does not fit ${typeWord(column.type)}`,
      );
    }
    return { name, reading, expression: reading.expression(quoteName(name)) };
  });
}

const MISSING: Reading = {
  wire: 'text',
  type: { kind: 'string' },
  expression: () => 'null',
  printed: () => 'null',
  literal: 'text',
  orderable: false,
};
