import type { Deliverer } from '../../engine/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';

/** Topic of the outbox: running jobs that give way to a tick. */
export const OVERTAKEN = 'orchestration-overtaken';

export function createOvertaking({ engine }: Pick<OrchestrateRooms, 'engine'>): Deliverer {
  return async ({ payload }) => {
    for (const runId of payload as readonly string[]) await engine.cancel(runId, 'a tick of its schedule');
  };
}
