import { Failure } from '../../errors.ts';

export interface Page {
  readonly limit: number;
  readonly offset: number;
}

const MOST = 1000;

/** For the document. */
export const PAGE_QUERY = {
  limit: { type: 'integer', minimum: 1, description: `More than ${MOST} counts as ${MOST}` },
  offset: { type: 'integer', minimum: 0 },
};
const WHOLE = /^\d{1,15}$/;

/** Reads `limit` (from 1; more than 1000 is 1000) and `offset` (from 0) of a query. */
export function readPage(query: (name: string) => string | undefined, usual: number): Page {
  const limit = readWhole(query('limit'), { name: 'limit', least: 1, usual });
  return { limit: Math.min(limit, MOST), offset: readWhole(query('offset'), { name: 'offset', least: 0, usual: 0 }) };
}

function readWhole(text: string | undefined, rule: { name: string; least: number; usual: number }): number {
  if (text === undefined) return rule.usual;
  if (WHOLE.test(text) && Number(text) >= rule.least) return Number(text);
  throw new Failure('bad_request', `${rule.name}: must be a whole number from ${rule.least}`, {
    details: [{ field: rule.name, reason: `must be a whole number from ${rule.least}` }],
  });
}
