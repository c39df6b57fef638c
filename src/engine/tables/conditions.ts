import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { PathCondition, RunCondition, RunQuery, State } from '../types.ts';

/** What a query of runs asks for, part by part; all must hold. */
export function conditionsOf(query: RunQuery): readonly RawBuilder<unknown>[] {
  const { project, definition, kind, states, exceptChildrenOf, path, pathPrefix, either = [], paths = [] } = query;
  return [
    project === undefined ? undefined : sql`project = ${project}`,
    definition === undefined ? undefined : sql`definition = ${definition}`,
    kind === undefined ? undefined : sql`kind = ${kind}`,
    states === undefined ? undefined : isIn(states),
    ...Object.entries(query.labels ?? {}).map(hasLabel),
    ...(query.labelled ?? []).map((name) => sql`labels ? ${name}`),
    ...(query.withoutLabels ?? []).map((labels) => sql`not labels @> ${JSON.stringify(labels)}::jsonb`),
    exceptChildrenOf === undefined ? undefined : isNoChildOf(exceptChildrenOf),
    path === undefined ? undefined : sql`path = ${path}`,
    pathPrefix === undefined ? undefined : sql`(path = ${pathPrefix} or path like ${`${pathPrefix}.%`})`,
    ...either.map((all) => (all.length === 0 ? sql`false` : sql`(${sql.join(all.map(oneOf), sql` or `)})`)),
    ...paths.map(pathIs),
  ].filter((condition) => condition !== undefined);
}

/** Asks the table of labels: its statistics tell a label of a few runs from one of nearly all. */
function hasLabel([name, value]: [string, string]): RawBuilder<unknown> {
  return sql`number in (select run_number from run_label where name = ${name} and value = ${value})`;
}

function isNoChildOf(kind: string): RawBuilder<unknown> {
  return sql`not exists (select from run parent where parent.id = run.parent_run_id and parent.kind = ${kind})`;
}

function oneOf({ states, kind, exceptKind, hasBegun, cancelRequested }: RunCondition): RawBuilder<unknown> {
  const parts = [
    isIn(states),
    ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
    ...(exceptKind === undefined ? [] : [sql`kind <> ${exceptKind}`]),
    ...(hasBegun === undefined ? [] : [sql`(started_at is not null) = ${hasBegun}`]),
    ...(cancelRequested === undefined ? [] : [sql`(cancel_requested_at is not null) = ${cancelRequested}`]),
  ];
  return sql`(${sql.join(parts, sql` and `)})`;
}

const LIVING: readonly State[] = ['planned', 'queued', 'running'];

/** Runs that have not ended have an index of their own. */
function isIn(states: readonly State[]): RawBuilder<unknown> {
  const among = sql`state = any(${states})`;
  return states.every((state) => LIVING.includes(state)) ? sql`(ended_at is null and ${among})` : among;
}

function pathIs({ text, isPrefix, isExcluded }: PathCondition): RawBuilder<unknown> {
  const found = isPrefix ? sql`path like ${`${text.replaceAll(/[\\%_]/g, '\\$&')}%`}` : sql`path = ${text}`;
  return isExcluded ? sql`not ${found}` : found;
}
