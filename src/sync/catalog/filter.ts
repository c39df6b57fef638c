import type { Filter, FilterCondition } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import type { Catalog, SelectedStream } from '../types.ts';
import { rawText } from './exact.ts';

const OPERATORS = ['=', '!=', '<', '<=', '>', '>='];
const OPERATOR = /<=|>=|!=|=|<|>/;

/** The filter of a selection, from `filter_config` or the older text form; undefined for none. At most two conditions. */
export function readFilter(selection: SelectedStream): Filter | undefined {
  const config = selection.filter_config;
  if (config && config.conditions.length > 0) {
    const combine = (config.logical_operator || 'and').toLowerCase();
    return check({ combine: combine as Filter['combine'], conditions: config.conditions as FilterCondition[] });
  }
  if (!selection.filter) return undefined;
  if (typeof selection.filter !== 'string') throw refused('filter must be a text');
  return check(parseText(selection.filter));
}

/**
 * The catalog with filter values that a double cannot hold as text, which means the same to a source: it may be read
 * back as plain JSON without a change of meaning.
 */
export function withTextFilters(catalog: Catalog): Catalog {
  const lists = Object.entries(catalog.selected_streams).map(
    ([namespace, list]) => [namespace, list.map(withTextFilter)] as const,
  );
  return { ...catalog, selected_streams: Object.fromEntries(lists) };
}

function withTextFilter(selection: SelectedStream): SelectedStream {
  const filter = selection.filter_config;
  if (!Array.isArray(filter?.conditions)) return selection;
  const conditions = filter.conditions.map((one) => {
    const text = rawText(one?.value);
    return text === undefined ? one : { ...one, value: text };
  });
  return { ...selection, filter_config: { ...filter, conditions } };
}

/** `a > 1 and b = "x"`, the form of older catalogs. */
function parseText(text: string): Filter {
  // Each pattern here looks at every character once: the text may be megabytes of blanks.
  const parts = text.split(/\s(and|or)\s/i);
  const conditions = parts.filter((_, index) => index % 2 === 0).map(parseCondition);
  return { combine: (parts[1] ?? 'and').toLowerCase() as Filter['combine'], conditions };
}

function parseCondition(text: string): FilterCondition {
  const match = OPERATOR.exec(text);
  const [operator = ''] = match ?? [];
  const column = text
    .slice(0, match?.index ?? 0)
    .trim()
    .replace(/^"|"$/g, '')
    .trim();
  const value = text.slice((match?.index ?? 0) + operator.length).trim();
  if (column === '' || column.includes('"') || column.includes('!') || value === '') {
    throw refused(`cannot read the filter "${text.slice(0, 200)}"`);
  }
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
    if (typeof value === 'object' && value !== null && rawText(value) === undefined) {
      throw refused(`the filter value of "${column}" must be a text, number, boolean or null`);
    }
  }
  return filter;
}

function refused(reason: string): Failure {
  return new Failure('bad_request', reason);
}
