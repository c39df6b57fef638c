import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { PathCondition, RunCondition, RunQuery } from '../types.ts';

/** The parts of a query of runs that are alternatives or texts of paths. */
export function conditionsOf({ either = [], paths = [] }: RunQuery): readonly RawBuilder<unknown>[] {
  return [
    ...either.map((all) => (all.length === 0 ? sql`false` : sql`(${sql.join(all.map(oneOf), sql` or `)})`)),
    ...paths.map(pathIs),
  ];
}

function oneOf({ states, kind, exceptKind, hasBegun, cancelRequested }: RunCondition): RawBuilder<unknown> {
  const parts = [
    sql`state = any(${states})`,
    ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
    ...(exceptKind === undefined ? [] : [sql`kind <> ${exceptKind}`]),
    ...(hasBegun === undefined ? [] : [sql`(started_at is not null) = ${hasBegun}`]),
    ...(cancelRequested === undefined ? [] : [sql`(cancel_requested_at is not null) = ${cancelRequested}`]),
  ];
  return sql`(${sql.join(parts, sql` and `)})`;
}

function pathIs({ text, isPrefix, isExcluded }: PathCondition): RawBuilder<unknown> {
  const found = isPrefix ? sql`path like ${`${text.replaceAll(/[\\%_]/g, '\\$&')}%`}` : sql`path = ${text}`;
  return isExcluded ? sql`not ${found}` : found;
}
