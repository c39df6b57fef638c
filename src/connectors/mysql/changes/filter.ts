import { canonicalText, isPresent, readValue, type Column } from '../../../columns/index.ts';
import { checkFilter, compareDecimals, passes, type Filter, type FilterCondition } from '../../kit/index.ts';
import type { Query, Relation, RelationColumn } from '../catalog.ts';
import { quoteText } from '../quote.ts';
import { columnOf, literal } from '../select.ts';
import type { RowDecoder } from './row-decoder.ts';

/** One condition of a stream's filter, made ready for rows of the log. */
export interface FilterTest {
  /** Position among the decoded columns. */
  readonly at: number;
  readonly operator: FilterCondition['operator'];
  readonly isNullTest: boolean;
  /** Decides for a value that is there; undefined when the server must be asked first. */
  readonly decide: (text: string) => boolean | undefined;
  /** Asks the server, which alone knows its collations, and remembers the answer. */
  readonly ask: (text: string) => Promise<void>;
}

const MOST_REMEMBERED = 10_000;

/** The columns that the filter looks at, by name, in order. */
export function filterColumns(filter: Filter | undefined): string[] {
  return [...new Set((filter?.conditions ?? []).map(({ column }) => column))];
}

/** The conditions in order; `targets` are the decoded columns. */
export function prepareFilter(
  filter: Filter | undefined,
  relation: Relation,
  with_: { readonly targets: readonly Column[]; readonly query: Query },
): FilterTest[] {
  checkFilter(filter, new Set(relation.columns.map(({ name }) => name)));
  return (filter?.conditions ?? []).map((condition): FilterTest => {
    const column = columnOf(relation, condition.column);
    const at = with_.targets.findIndex(({ name }) => name === condition.column);
    const common = { at, operator: condition.operator, isNullTest: condition.value === null };
    const wanted = String(condition.value);
    const compare = condition.value === null ? undefined : comparisonWith(column, wanted);
    if (compare) {
      const decide = (text: string): boolean => passes(condition.operator, compare(text));
      return { ...common, decide, ask: async () => undefined };
    }
    const answers = new Map<string, boolean>();
    const operator = condition.operator === '!=' ? '<>' : condition.operator;
    return {
      ...common,
      decide: (text) => answers.get(text),
      async ask(text) {
        const rows = await with_.query(`select ${typed(column, text)} ${operator} ${literal(column, wanted)}`);
        if (answers.size >= MOST_REMEMBERED) answers.clear();
        answers.set(text, rows[0]?.[0] === '1');
      },
    };
  });
}

/** How the canonical text of a value compares with the wanted one; undefined where the server's rules decide. */
function comparisonWith(column: RelationColumn, wanted: string): ((text: string) => number) | undefined {
  // Says whether the filter's value can be compared at all, as a query would.
  const spelled = literal(column, wanted);
  switch (column.reading.type.kind) {
    case 'int':
    case 'long':
    case 'decimal':
      return (text) => compareDecimals(text, spelled);
    case 'float':
    case 'double':
      return (text) => Math.sign(Number(text) - Number(spelled));
    case 'timestamp': {
      const [day = '', time = ''] = spelled.slice("timestamp'".length, -1).split(' ');
      const [clock = '', fraction = ''] = time.split('.');
      const instant = `${day}T${clock}.${fraction.padEnd(6, '0')}Z`;
      return (text) => (text < instant ? -1 : text > instant ? 1 : 0);
    }
    default:
      return undefined;
  }
}

/** A value in canonical text, as an expression of the column's own type and collation. */
function typed(column: RelationColumn, text: string): string {
  const { name } = column.facts;
  if (column.charset !== '' && column.charset !== 'binary') {
    return `convert(${quoteText(text)} using ${column.charset}) collate ${column.collation}`;
  }
  if (name === 'time') return `cast(${quoteText(text)} as time(6))`;
  if (name === 'uuid' || name === 'inet6' || name === 'inet4') return `cast(${quoteText(text)} as ${name})`;
  return literal(column, text);
}

/**
 * What the filter says of the last row of the decoder. A promise when the server must be asked first: then ask this again for the
 * same row.
 */
export function sift(
  decoder: RowDecoder,
  tests: readonly FilterTest[],
  combine: Filter['combine'],
): boolean | Promise<void> {
  for (const { at, decide, ask, isNullTest, operator } of tests) {
    const value = lastValue(decoder, at);
    let verdict: boolean | undefined = false;
    if (isNullTest) verdict = (value === null) === (operator === '=');
    else if (value !== null) verdict = decide(value);
    if (verdict === undefined) return ask(value ?? '');
    if (verdict === (combine === 'or')) return verdict;
  }
  return combine !== 'or' || tests.length === 0;
}

function lastValue(decoder: RowDecoder, at: number): string | null {
  const vector = decoder.vector(at);
  if (!isPresent(vector, decoder.rows - 1)) return null;
  return canonicalText(vector.column.type, readValue(vector, vector.count - 1));
}
