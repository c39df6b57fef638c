import type { Labels, RunCondition, RunQuery } from '../../engine/index.ts';
import { ORCHESTRATION_RUN } from './describe.ts';
import type { FilterTerm } from './filter.ts';
import { COMPONENT_RUN } from './plan.ts';
import type { StatusWord } from './types.ts';

const LABELS = { component: 'component', 'params.config': 'config', 'token.id': 'token' } as const;

/** Spellings of other servers that are understood, never written. */
const OTHER_SPELLINGS: Readonly<Record<string, StatusWord>> = { canceled: 'cancelled', ok: 'success', warn: 'warning' };

const conditions: Readonly<Record<StatusWord, readonly RunCondition[]>> = {
  waiting: [{ states: ['planned', 'queued'] }],
  processing: [{ states: ['running'], cancelRequested: false }],
  terminating: [{ states: ['running'], cancelRequested: true }],
  success: [{ states: ['succeeded'] }, { states: ['warned'], exceptKind: ORCHESTRATION_RUN }],
  warning: [{ states: ['warned'], kind: ORCHESTRATION_RUN }],
  error: [{ states: ['failed'] }],
  cancelled: [{ states: ['cancelled', 'skipped'], hasBegun: false }],
  terminated: [{ states: ['cancelled', 'skipped'], hasBegun: true }],
};

/** What a filter of the queue asks of the engine. A word that is no status finds nothing. */
export function toQuery(terms: readonly FilterTerm[]): Omit<RunQuery, 'project' | 'limit' | 'offset'> {
  const labels: Record<string, string> = {};
  const withoutLabels: Labels[] = [];
  const either: (readonly RunCondition[])[] = [];
  const paths: { text: string; isPrefix: boolean; isExcluded: boolean }[] = [];
  let isContradiction = false;
  for (const { field, value, isNegated, isPrefix } of terms) {
    if (field === 'status') either.push(conditionsOf(value, isNegated));
    else if (field === 'runId') paths.push({ text: value, isPrefix, isExcluded: isNegated });
    else if (isNegated) withoutLabels.push({ [LABELS[field]]: value });
    else {
      isContradiction ||= (labels[LABELS[field]] ?? value) !== value;
      labels[LABELS[field]] = value;
    }
  }
  if (isContradiction) either.push([]);
  // A run that does the work of a component run is not shown beside it.
  return { labels, labelled: ['component'], withoutLabels, exceptChildrenOf: COMPONENT_RUN, either, paths };
}

function conditionsOf(word: string, isNegated: boolean): readonly RunCondition[] {
  const status = OTHER_SPELLINGS[word] ?? word;
  const all = Object.entries(conditions);
  return all.filter(([known]) => (known === status) !== isNegated).flatMap(([, condition]) => condition);
}
