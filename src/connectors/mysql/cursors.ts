import { Failure } from '../../errors.ts';
import type { Cursor, CursorValues, StreamSelection } from '../kit/index.ts';
import { canonicalOfText } from './canonical.ts';
import type { Query, Relation } from './catalog.ts';
import { quoteName } from './quote.ts';
import { columnOf, filterCondition, quoteRelation, where } from './select.ts';

/** The largest values of the cursor; the fallback orders only the rows whose primary cursor is null. */
export async function largestValues(
  query: Query,
  relation: Relation,
  of: { stream: StreamSelection; cursor: Cursor },
): Promise<CursorValues> {
  const { stream, cursor } = of;
  const primary = await largest(query, relation, { stream, column: cursor.column });
  if (cursor.fallback === undefined) return { primary, fallback: null };
  const condition = `${quoteName(columnOf(relation, cursor.column).name)} is null`;
  const fallback = await largest(query, relation, { stream, column: cursor.fallback, condition });
  return { primary, fallback };
}

interface LargestOf {
  readonly stream: StreamSelection;
  readonly column: string;
  readonly condition?: string;
}

/** The largest value as canonical text; by order and limit, because not every ordered type has a `max`. */
async function largest(query: Query, relation: Relation, of: LargestOf): Promise<string | null> {
  const column = columnOf(relation, of.column);
  const { reading } = column;
  if (!reading.orderable) {
    throw new Failure('configuration_invalid', `"${of.column}" has a type without an order and cannot be a cursor`);
  }
  const name = quoteName(column.name);
  const rows = where([`${name} is not null`, of.condition, filterCondition(relation, of.stream.filter)]);
  const found = await query(
    `select ${reading.printed(name)} from ${quoteRelation(relation)}${rows} order by ${name} desc limit 1`,
  );
  const text = found[0]?.[0];
  return text == null ? null : canonicalOfText(reading.type, text);
}
