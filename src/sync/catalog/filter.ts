import type { Filter, FilterCondition } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import type { SelectedStream } from '../types.ts';

const OPERATORS = ['=', '!=', '<', '<=', '>', '>='];
const CONDITION = /^\s*"?([^"<>=!]+?)"?\s*(<=|>=|!=|=|<|>)\s*(.+?)\s*$/s;

/** The filter of a selection, from `filter_config` or the older text form; undefined for none. At most two conditions. */
export function readFilter(selection: SelectedStream): Filter | undefined {
  const config = selection.filter_config;
  if (config && config.conditions.length > 0) {
    const combine = (config.logical_operator || 'and').toLowerCase();
    return check({ combine: combine as Filter['combine'], conditions: config.conditions as FilterCondition[] });
  }
  return selection.filter ? check(parseText(selection.filter)) : undefined;
}

/** `a > 1 and b = "x"`, the form of older catalogs. */
function parseText(text: string): Filter {
  const parts = text.split(/\s+(and|or)\s+/i);
  const conditions = parts.filter((_, index) => index % 2 === 0).map(parseCondition);
  return { combine: (parts[1] ?? 'and').toLowerCase() as Filter['combine'], conditions };
}

function parseCondition(text: string): FilterCondition {
  const match = CONDITION.exec(text);
  if (!match) throw refused(`cannot read the filter "${text}"`);
  const [, column, operator, value] = match as unknown as [string, string, string, string];
  const quoted = /^(["'])(.*)\1$/s.exec(value);
  const plain = value.toLowerCase() === 'null' ? null : value;
  return { column, operator: operator as FilterCondition['operator'], value: quoted ? quoted[2]! : plain };
}

function check(filter: Filter): Filter {
  if (filter.combine !== 'and' && filter.combine !== 'or') throw refused('logical_operator must be "and" or "or"');
  if (filter.conditions.length > 2) throw refused('a filter has at most two conditions');
  for (const { column, operator, value } of filter.conditions) {
    if (typeof column !== 'string' || column === '') throw refused('a filter condition names no column');
    if (!OPERATORS.includes(operator)) throw refused(`unknown filter operator "${operator}"`);
    if (typeof value === 'object' && value !== null && !isRawNumber(value)) {
      throw refused(`the filter value of "${column}" must be a text, number, boolean or null`);
    }
  }
  return filter;
}

const isRawNumber = (value: object): boolean =>
  (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value);

function refused(reason: string): Failure {
  return new Failure('bad_request', reason);
}
