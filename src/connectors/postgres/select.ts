import { Failure } from '../../errors.ts';
import { checkFilter, type CursorBound, type CursorValues, type Filter } from '../kit/index.ts';
import type { Relation, RelationColumn } from './catalog.ts';

/** A name as an identifier. */
export function quoteName(name: string): string {
  if (name.includes('\0')) throw new Failure('object_missing', 'a name must not hold a NUL character');
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a literal of unknown type, which takes the type of what it is compared with. */
export function quoteText(text: string): string {
  if (text.includes('\0')) throw new Failure('configuration_invalid', 'a value must not hold a NUL character');
  // Sessions run with standard_conforming_strings = on: a backslash is an ordinary character.
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteRelation(relation: Pick<Relation, 'namespace' | 'name'>): string {
  return `${quoteName(relation.namespace)}.${quoteName(relation.name)}`;
}

/** Conditions joined by `and`, as a where clause; empty when there is none. */
export function where(conditions: readonly (string | undefined)[]): string {
  const present = conditions.filter((condition) => condition !== undefined && condition !== '');
  return present.length === 0 ? '' : ` where ${present.map((condition) => `(${condition})`).join(' and ')}`;
}

/** The filter of a stream in SQL; comparisons with null in the data are unknown, as everywhere in SQL. */
export function filterCondition(relation: Relation, filter: Filter | undefined): string | undefined {
  checkFilter(filter, new Set(relation.columns.map((column) => column.name)));
  if (!filter || filter.conditions.length === 0) return undefined;
  const parts = filter.conditions.map(({ column, operator, value }) => {
    const name = comparable(columnOf(relation, column));
    if (value === null) return `${name} is ${operator === '=' ? '' : 'not '}null`;
    return `${name} ${operator === '!=' ? '<>' : operator} ${quoteText(String(value))}`;
  });
  return parts.map((part) => `(${part})`).join(` ${filter.combine} `);
}

/** The column of that name; `object_missing` when the table has it no longer. */
export function columnOf(relation: Relation, name: string): RelationColumn {
  const column = relation.columns.find((candidate) => candidate.name === name);
  if (column) return column;
  throw new Failure('object_missing', `"${relation.namespace}.${relation.name}" has no column "${name}"`);
}

/** What stands for the column in a comparison. */
export function comparable(column: RelationColumn): string {
  const name = quoteName(column.name);
  return column.reading.compareByExpression ? column.reading.expression(name) : name;
}

/** The largest instant of the lake stands for everything beyond it, so nothing lies above it. */
const LAST_INSTANT = '9999-12-31T23:59:59.999999Z';

function atMost(column: RelationColumn, value: string): string {
  const unbounded = column.reading.type.kind === 'timestamp' && value === LAST_INSTANT;
  return unbounded ? `${comparable(column)} is not null` : `${comparable(column)} <= ${quoteText(value)}`;
}

/** Rows of a first load: cursor null or not beyond the bound (OLake contract, section 7.1). */
export function upToCondition(relation: Relation, bound: CursorBound | undefined): string | undefined {
  if (!bound) return undefined;
  const { cursor, values } = bound;
  const primary = columnOf(relation, cursor.column);
  const present = values.primary === null ? undefined : atMost(primary, values.primary);
  const absent = [`${comparable(primary)} is null`];
  if (cursor.fallback !== undefined) {
    const fallback = columnOf(relation, cursor.fallback);
    const limit = values.fallback === null ? '' : ` or ${atMost(fallback, values.fallback)}`;
    absent.push(`(${comparable(fallback)} is null${limit})`);
  }
  return [present, absent.join(' and ')].filter((part) => part !== undefined).join(' or ');
}

/** Rows of a later run: from `after` (ties included) up to `upTo`; by the fallback where the primary cursor is null. */
export function afterCondition(
  relation: Relation,
  range: { cursor: CursorBound['cursor']; after: CursorValues; upTo: CursorValues },
): string {
  const { cursor, after, upTo } = range;
  const primary = columnOf(relation, cursor.column);
  const parts = [between(primary, after.primary, upTo.primary)];
  if (cursor.fallback !== undefined) {
    const byFallback = between(columnOf(relation, cursor.fallback), after.fallback, upTo.fallback);
    if (byFallback) parts.push(`${comparable(primary)} is null and ${byFallback}`);
  }
  const present = parts.filter((part) => part !== undefined);
  return present.length === 0 ? 'false' : present.map((part) => `(${part})`).join(' or ');
}

function between(column: RelationColumn, after: string | null, upTo: string | null): string | undefined {
  if (upTo === null) return undefined;
  const limit = atMost(column, upTo);
  return after === null ? limit : `${comparable(column)} >= ${quoteText(after)} and ${limit}`;
}
