import type { Deliverer, RunObserver } from '../../engine/index.ts';
import { ORCHESTRATION_RUN } from '../component-runs/describe.ts';
import { armProcessing, createDeadlines, DEADLINE } from './deadlines.ts';
import type { AlertRooms } from './facts.ts';
import { recipientsOfEnd } from './recipients.ts';
import { readAlertJob } from './tables.ts';
import { tell } from './tell.ts';

/** What alerts bring to the engine. Those of waiting jobs begin with `armWaiting`, where jobs are made. */
export interface Alerts {
  readonly observer: RunObserver;
  readonly deliverers: Readonly<Record<string, Deliverer>>;
}

/** Tells people of jobs (section 11 of the contract). Cancelled and terminated ones tell nobody. */
export function createAlerts(rooms: AlertRooms): Alerts {
  return {
    observer: {
      kind: ORCHESTRATION_RUN,
      async runChanged(tx, run) {
        if (run.state === 'running') return armProcessing(rooms, tx, run);
        if (run.state !== 'failed' && run.state !== 'warned') return undefined;
        const channel = run.state === 'failed' ? 'error' : 'warning';
        const job = await readAlertJob(tx, run.id, rooms.world.now());
        if (job === undefined) return undefined;
        return tell(rooms, tx, { job, channel, limit: null, recipients: recipientsOfEnd(job, channel) });
      },
    },
    deliverers: { [DEADLINE]: createDeadlines(rooms) },
  };
}
