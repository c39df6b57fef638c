import { Failure } from '../../errors.ts';
import { checkFilter, type CursorBound, type CursorValues, type Filter } from '../kit/index.ts';
import type { Relation, RelationColumn } from './catalog.ts';
import { quoteName, quoteText } from './quote.ts';
import type { LiteralKind } from './types.ts';

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
    const name = quoteName(column);
    if (value === null) return `${name} is ${operator === '=' ? '' : 'not '}null`;
    return `${name} ${operator === '!=' ? '<>' : operator} ${literal(columnOf(relation, column), String(value))}`;
  });
  return parts.map((part) => `(${part})`).join(` ${filter.combine} `);
}

/** The column of that name; `object_missing` when the table has it no longer. */
export function columnOf(relation: Relation, name: string): RelationColumn {
  const column = relation.columns.find((candidate) => candidate.name === name);
  if (column) return column;
  throw new Failure('object_missing', `"${relation.namespace}.${relation.name}" has no column "${name}"`);
}

const INSTANT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?(?:Z|\+00:00)?)?$/;

/** Only text of the kind's own shape becomes part of a statement unquoted; text against a number would be rounded. */
const SPELLINGS: Readonly<Record<LiteralKind, (value: string) => string | undefined>> = {
  number: (value) => {
    const number = value === 'true' ? '1' : value === 'false' ? '0' : value;
    return /^-?\d{1,65}(\.\d{1,38})?$/.test(number) ? number : undefined;
  },
  approximate: (value) => {
    const number = Number(value);
    if (value.trim() === '' || !Number.isFinite(number)) return undefined;
    return String(number).includes('e') ? String(number) : `${number}e0`;
  },
  instant: (value) => {
    const [whole, day, time = '00:00:00', fraction = ''] = INSTANT.exec(value) ?? [];
    return whole === undefined ? undefined : `timestamp'${day} ${time}${fraction.slice(0, 7)}'`;
  },
  text: quoteText,
  bytes: (value) => `x'${Buffer.from(value, 'base64').toString('hex')}'`,
};

/** A value in canonical text, as a literal that is compared exactly in the column's own type. */
export function literal(column: RelationColumn, value: string): string {
  const spelled = SPELLINGS[column.reading.literal](value);
  if (spelled !== undefined) return spelled;
  throw new Failure(
    'configuration_invalid',
    `"${value}" cannot be compared with "${column.name}" (${column.sourceType})`,
  );
}

/** Rows of a first load: cursor null or not beyond the bound (OLake contract, section 7.1). */
export function upToCondition(relation: Relation, bound: CursorBound | undefined): string | undefined {
  if (!bound) return undefined;
  const { cursor, values } = bound;
  const primary = columnOf(relation, cursor.column);
  const name = quoteName(primary.name);
  const present = values.primary === null ? undefined : `${name} <= ${literal(primary, values.primary)}`;
  const absent = [`${name} is null`];
  if (cursor.fallback !== undefined) {
    const fallback = columnOf(relation, cursor.fallback);
    const second = quoteName(fallback.name);
    const limit = values.fallback === null ? '' : ` or ${second} <= ${literal(fallback, values.fallback)}`;
    absent.push(`(${second} is null${limit})`);
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
    if (byFallback) parts.push(`${quoteName(primary.name)} is null and ${byFallback}`);
  }
  const present = parts.filter((part) => part !== undefined);
  return present.length === 0 ? 'false' : present.map((part) => `(${part})`).join(' or ');
}

function between(column: RelationColumn, after: string | null, upTo: string | null): string | undefined {
  if (upTo === null) return undefined;
  const name = quoteName(column.name);
  const limit = `${name} <= ${literal(column, upTo)}`;
  return after === null ? limit : `${name} >= ${literal(column, after)} and ${limit}`;
}
