import type { ColumnBatch, ColumnType, ColumnValue } from '../columns/index.ts';
import { canonicalText, readRows, selectRows } from '../columns/index.ts';
import { Failure } from '../errors.ts';
import type { Condition, Conditions, FileColumn } from './shapes.ts';
import { parseTime } from './values.ts';

/** Cuts a batch down to what a read is asked for. Undefined: no row is left. */
export type BatchFilter = (batch: ColumnBatch) => ColumnBatch | undefined;

/**
 * Keeps the rows that fulfil the conditions, and the first `width` columns: those behind are there for the conditions
 * only. As in SQL, a comparison with a row's null is not fulfilled; a condition's null asks for null itself.
 */
export function createFilter(filter: Conditions, columns: readonly FileColumn[], width: number): BatchFilter {
  const tests = filter.conditions.map((condition) => {
    const at = columns.findIndex(({ name }) => name === condition.column);
    return { at, test: testOf(condition, columns[at]!.column.type) };
  });
  const all = filter.combine === 'and';
  return (batch) => {
    const values = tests.map(({ at }) => readRows(batch.columns[at]!, batch.rows));
    const kept: number[] = [];
    for (let row = 0; row < batch.rows; row++) {
      const holds = (index: number): boolean => tests[index]!.test(values[index]![row]!);
      const fulfilled = all ? tests.every((_, index) => holds(index)) : tests.some((_, index) => holds(index));
      if (fulfilled) kept.push(row);
    }
    if (kept.length === 0) return undefined;
    const chosen = batch.columns.slice(0, width);
    if (kept.length === batch.rows) return { rows: batch.rows, columns: chosen };
    return { rows: kept.length, columns: chosen.map((vector) => selectRows(vector, batch.rows, kept)) };
  };
}

type Test = (value: ColumnValue | null) => boolean;

function testOf({ column, operator, value }: Condition, type: ColumnType): Test {
  if (value === null) return operator === '=' ? (found) => found === null : (found) => found !== null;
  const wanted = comparable(type, value);
  if (wanted === undefined) {
    throw new Failure('configuration_invalid', `The filter compares "${column}" with a value that is no ${type.kind}.`);
  }
  const order = (found: ColumnValue): number => {
    const own = type.kind === 'decimal' ? scaled(canonicalText(type, found)) : found;
    return own === wanted ? 0 : own < wanted ? -1 : 1;
  };
  const accepts = ACCEPTED[operator];
  return (found) => found !== null && accepts(order(found));
}

const ACCEPTED: Readonly<Record<Condition['operator'], (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/** The condition's value as values of the type are read; undefined when it is none of the type. */
function comparable(type: ColumnType, value: string | number | boolean): ColumnValue | undefined {
  const text = String(value);
  switch (type.kind) {
    case 'string':
      return text;
    case 'boolean':
      return /^(true|false)$/i.test(text) ? text.toLowerCase() === 'true' : undefined;
    case 'timestamp':
      return parseTime(text);
    case 'decimal':
      return /^-?\d+(\.\d+)?$/.test(text) ? scaled(text) : undefined;
    case 'long':
      // A fraction has its place between integers; numbers of both kinds compare exactly.
      return /^-?\d+$/.test(text) ? BigInt(text) : numberOf(text);
    default:
      return numberOf(text);
  }
}

function numberOf(text: string): number | undefined {
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? undefined : number;
}

const MOST_SCALE = 60;

/** A decimal's text as an integer of a scale that all are brought to. */
function scaled(text: string): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.slice(0, MOST_SCALE).padEnd(MOST_SCALE, '0'));
}
