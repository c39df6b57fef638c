import { Failure } from '../../errors.ts';

const FIELDS = ['component', 'status', 'runId', 'params.config', 'token.id'] as const;

export type FilterField = (typeof FIELDS)[number];

/** One term of a filter of the queue (4.9): what a run must have, or must not have. */
export interface FilterTerm {
  readonly field: FilterField;
  readonly value: string;
  readonly isNegated: boolean;
  /** Of `runId` only: the value is how it begins. */
  readonly isPrefix: boolean;
}

const MOST_TERMS = 50;
const TERM = /^([+-]?)([A-Za-z.]+):([^\s:"()[\]{}~^?]+)$/;

/**
 * Reads `component:x`, `status:x`, `runId:x`, `params.config:x`, `token.id:x`, joined by blanks, `AND` or a leading `+`; a
 * leading `-` negates, a trailing `*` of a run id stands for anything. Throws `bad_request` for any other syntax.
 */
export function parseFilter(text: string): readonly FilterTerm[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const terms: FilterTerm[] = [];
  words.forEach((word, at) => {
    if (word !== 'AND') terms.push(parseTerm(word));
    else if (at === 0 || at === words.length - 1 || words[at - 1] === 'AND') throw refused(word, 'AND joins two terms');
  });
  if (terms.length > MOST_TERMS) throw refused(text.slice(0, 40), `at most ${MOST_TERMS} terms are allowed`);
  return terms;
}

function parseTerm(word: string): FilterTerm {
  const [, sign, name, text] = TERM.exec(word) ?? [];
  if (name === undefined || text === undefined) throw refused(word, 'a term is field:value');
  const field = FIELDS.find((known) => known === name);
  if (field === undefined) throw refused(word, `the fields are ${FIELDS.join(', ')}`);
  const isPrefix = field === 'runId' && text.endsWith('*');
  const value = isPrefix ? text.slice(0, -1) : text;
  if (value.includes('*')) throw refused(word, '* stands at the end of a runId only');
  if (field === 'runId' && !/^[\d.]*$/.test(value)) throw refused(word, 'a runId is numbers with dots');
  return { field, value, isNegated: sign === '-', isPrefix };
}

function refused(word: string, reason: string): Failure {
  return new Failure('bad_request', `q: "${word}" is not understood: ${reason}`);
}
