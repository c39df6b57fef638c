import type { RunView } from '../../engine/index.ts';
import { endingOf } from './names.ts';
import type { ComponentRow } from './tables.ts';
import type { QueueRun, StatusWord, TokenName } from './types.ts';

/** Run of an orchestration in the engine. */
export const ORCHESTRATION_RUN = 'orchestration';

/**
 * What a run is called here. `warning` belongs to orchestrations alone: others who went well with warnings are a
 * `success`, because pollers of components know no other good end.
 */
export function statusOf(run: Pick<RunView, 'state' | 'kind' | 'cancelRequested' | 'startedAt'>): StatusWord {
  switch (run.state) {
    case 'planned':
    case 'queued':
      return 'waiting';
    case 'running':
      return run.cancelRequested ? 'terminating' : 'processing';
    case 'succeeded':
      return 'success';
    case 'warned':
      return run.kind === ORCHESTRATION_RUN ? 'warning' : 'success';
    case 'failed':
      return 'error';
    case 'cancelled':
    case 'skipped':
      return run.startedAt === null ? 'cancelled' : 'terminated';
  }
}

/** By somebody, or about to be; a run whose last task was quicker than its cancel has ended by itself. */
function isEnded({ state }: Pick<RunView, 'state'>): boolean {
  return state === 'running' || state === 'cancelled';
}

/** A run as the queue shows it. Tokens that nobody knows any more keep their number. */
export function toQueueRun(
  run: RunView,
  row: ComponentRow | undefined,
  tokens: ReadonlyMap<number, TokenName>,
): QueueRun {
  const config = run.labels['config'] ?? null;
  const tokenId = Number(run.labels['token'] ?? 0);
  return {
    run,
    component: run.labels['component'] ?? run.kind,
    config,
    parameters: { ...row?.parameters, ...(config !== null && { config }) },
    result: withoutLineage(row?.result),
    error: run.error,
    token: { id: tokenId, description: tokens.get(tokenId)?.description ?? run.createdBy },
    terminatedBy: run.cancelledBy !== null && isEnded(run) ? endingOf(tokens, run.cancelledBy) : null,
  };
}

/** What a component leaves for lineage is not for those who read its result. */
function withoutLineage(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return result ?? null;
  const { lineage: _, ...rest } = result as { readonly lineage?: unknown };
  return rest;
}
