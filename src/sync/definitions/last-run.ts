import type { State } from '../../engine/index.ts';
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
