import { Failure } from '../../errors.ts';
import type { Filter, FilterCondition } from './stream.ts';

const OPERATORS: readonly FilterCondition['operator'][] = ['=', '!=', '<', '<=', '>', '>='];
const MOST_CONDITIONS = 2;

/**
 * Checks a filter before any source sees it: at most two conditions, known columns and operators, null compared only by
 * `=` and `!=` (which then mean "is null" and "is not null"). Throws `configuration_invalid` otherwise.
 */
export function checkFilter(filter: Filter | undefined, columns: ReadonlySet<string>): void {
  if (!filter) return;
  if (filter.combine !== 'and' && filter.combine !== 'or') throw invalid('conditions are combined by "and" or "or"');
  if (filter.conditions.length > MOST_CONDITIONS) throw invalid(`at most ${MOST_CONDITIONS} conditions are allowed`);
  for (const { column, operator, value } of filter.conditions) {
    if (!columns.has(column)) throw invalid(`the column "${column}" does not exist`);
    if (!OPERATORS.includes(operator)) throw invalid(`"${operator}" is no operator; use one of ${OPERATORS.join(' ')}`);
    if (value === null && operator !== '=' && operator !== '!=') {
      throw invalid(`null cannot be compared by "${operator}"; use = or !=`);
    }
    if (value !== null && !['string', 'number', 'boolean'].includes(typeof value)) {
      throw invalid(`the value for "${column}" must be text, a number, a boolean or null`);
    }
  }
}

const PASSES: Readonly<Record<FilterCondition['operator'], (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/** Whether a value passes that lies so before (negative), at (0) or after the one that the condition names. */
export function passes(operator: FilterCondition['operator'], order: number): boolean {
  return PASSES[operator](order);
}

/** How two decimals compare, whatever digits each has behind its point. */
export function compareDecimals(a: string, b: string): number {
  const places = Math.max(...[a, b].map((text) => text.split('.')[1]?.length ?? 0));
  const unscaled = (text: string): bigint => {
    const [whole = '', fraction = ''] = text.split('.');
    return BigInt(whole + fraction.padEnd(places, '0'));
  };
  const difference = unscaled(a) - unscaled(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function invalid(reason: string): Failure {
  return new Failure('configuration_invalid', `The filter is not valid: ${reason}.`, {
    details: [{ field: 'filter_config', reason }],
  });
}
