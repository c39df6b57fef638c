import type { State } from '../../engine/index.ts';
import { isContinuous } from './run-plans.ts';
import type { LastRun, RunKind } from './types.ts';

interface LastRunColumns {
  readonly last_run_id: string | null;
  readonly last_run_time: Date | null;
  readonly last_run_state: string | null;
  readonly last_run_type: string | null;
}

/** The newest run that a job row notes; null before the first. */
export function lastRunOf(row: LastRunColumns): LastRun | null {
  const { last_run_id: id, last_run_time: time, last_run_state: state, last_run_type: type } = row;
  if (id === null || time === null || state === null || type === null) return null;
  return { id, time, state: state as State, type: type as RunKind };
}

/** True while the newest run of a job has not ended. Holds under the lock of the job row. */
export function busyWith(row: LastRunColumns): LastRun | null {
  const last = lastRunOf(row);
  return last && (last.state === 'queued' || last.state === 'running' || last.state === 'planned') ? last : null;
}

const REST_MS = 5 * 60_000;

/**
 * True while a job that stays on is not begun again by itself, because its run began a moment ago and has failed: what fails
 * at once would fail for ever, with a run and an alert each time.
 */
export function restsFromFailure(row: LastRunColumns & { readonly frequency: string }, now: Date): boolean {
  const last = lastRunOf(row);
  return isContinuous(row) && last?.state === 'failed' && now.getTime() - last.time.getTime() < REST_MS;
}
