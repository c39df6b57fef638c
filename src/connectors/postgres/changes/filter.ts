import { checkFilter, compareDecimals, passes, type Filter, type FilterCondition } from '../../kit/index.ts';
import type { Query, Relation, RelationColumn } from '../catalog.ts';
import { columnOf, filterCondition, quoteName, quoteText } from '../select.ts';
import type { ChangeTable, ColumnFacts, FilterTest } from './table.ts';
import { parseTimestamp } from './texts.ts';

interface Filtered {
  readonly relation: Relation;
  readonly facts: ReadonlyMap<string, ColumnFacts>;
  readonly filter: Filter | undefined;
}

/** The conditions in order. Values are read by the server once, as it would read them in a query. */
export async function prepareFilter(query: Query, { relation, facts, filter }: Filtered): Promise<FilterTest[]> {
  checkFilter(filter, new Set(relation.columns.map(({ name }) => name)));
  return Promise.all(
    (filter?.conditions ?? []).map(async ({ column, operator, value }): Promise<FilterTest> => {
      const source = columnOf(relation, column);
      const cast = facts.get(column)?.cast ?? source.sourceType;
      const { wire, type } = source.reading;
      const compare = comparisonOf(source, { operator, cast });
      const rows = value === null || !compare ? [] : await query(`select ${quoteText(String(value))}::${cast}`);
      const wanted = rows[0]?.[0] ?? undefined;
      return {
        column,
        source,
        cast,
        operator,
        field: { wire, column: { name: column, type, nullable: true } },
        isNullTest: value === null,
        decide: compare && wanted !== undefined ? (text) => passes(operator, compare(text, wanted)) : undefined,
      };
    }),
  );
}

type Compare = (a: string, b: string) => number;

const order = <T extends bigint | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** How two printed values of a column compare; undefined where collations or rules of the type decide. */
function comparisonOf(
  { reading }: RelationColumn,
  { operator, cast }: { operator: FilterCondition['operator']; cast: string },
): Compare | undefined {
  switch (reading.type.kind) {
    case 'int':
    case 'long':
      return (a, b) => order(BigInt(a), BigInt(b));
    case 'float':
    case 'double':
      return compareFloats;
    case 'boolean':
      return (a, b) => order(Number(a.startsWith('t')), Number(b.startsWith('t')));
    case 'timestamp':
      return (a, b) => order(parseTimestamp(a), parseTimestamp(b));
    case 'decimal':
      return compareNumerics;
    default:
      // Texts are equal when their bytes are; which comes first is a matter of the collation.
      return /^(text|character varying|uuid)$/.test(cast) && (operator === '=' || operator === '!=')
        ? (a, b) => (a === b ? 0 : 1)
        : undefined;
  }
}

/** Not all that the server prints as a numeric has digits. */
function compareNumerics(a: string, b: string): number {
  if (/[^-\d.]/.test(a + b)) return compareFloats(a, b);
  return compareDecimals(a, b);
}

/** NaN equals itself and lies above all numbers, as the server has it. */
function compareFloats(a: string, b: string): number {
  const [left, right] = [Number(a), Number(b)];
  if (Number.isNaN(left) || Number.isNaN(right)) return order(Number(Number.isNaN(left)), Number(Number.isNaN(right)));
  return order(left, right);
}

/** What the filter says of these values (null = no value); undefined when the server must be asked. */
export function sift(table: ChangeTable, values: readonly (string | null)[]): boolean | undefined {
  const combine = table.stream.selection.filter?.combine;
  let isOpen = false;
  for (const [at, { decide, isNullTest, operator }] of table.filter.entries()) {
    const value = values[at] ?? null;
    let verdict: boolean | undefined = false;
    if (isNullTest) verdict = (value === null) === (operator === '=');
    else if (value !== null) verdict = decide?.(value);
    if (verdict === undefined) isOpen = true;
    else if (verdict === (combine === 'or')) return verdict;
  }
  return isOpen ? undefined : combine !== 'or' || table.filter.length === 0;
}

/** Asks the server which of these rows pass. */
export async function askFilter(
  query: Query,
  table: ChangeTable,
  rows: readonly (readonly (string | null)[])[],
): Promise<ReadonlySet<number>> {
  const names = [...new Set(table.filter.map(({ column }) => column))];
  const tests = names.map((name) => table.filter.findIndex(({ column }) => column === name));
  const literal = (value: string | null | undefined): string => (value == null ? 'null' : quoteText(value));
  const values = rows.map((row, at) => `(${at}, ${tests.map((test) => literal(row[test])).join(', ')})`);
  const columns = names.map(
    (name, at) => `v.c${at}::pg_catalog.text::${table.filter[tests[at] ?? 0]?.cast} as ${quoteName(name)}`,
  );
  const found = await query(
    `select penstock_row from (select v.n as penstock_row, ${columns.join(', ')}
       from (values ${values.join(', ')}) v (n, ${names.map((_, at) => `c${at}`).join(', ')})) r
     where ${filterCondition(table.relation, table.stream.selection.filter) ?? 'true'}`,
  );
  return new Set(found.map(([at]) => Number(at)));
}
