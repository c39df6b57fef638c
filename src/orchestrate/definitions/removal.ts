import { isTerminal, type Deliverer, type RunObserver } from '../../engine/index.ts';
import { writeToken } from '../component-runs/names.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Scope } from '../types.ts';
import { revokeOfDeleted } from './binding.ts';
import { entryOf, lockForChange, type DefinitionContext } from './context.ts';
import { keyOf } from './schedule.ts';
import { markDeleted, readLivingRuns, readTokensOfDeleted } from './tables.ts';

/** Topic of the outbox: a deleted orchestration whose jobs are to end, also when this process dies before it ends them. */
export const ENDING = 'orchestration-deleted';

/** Marks it deleted and ends its jobs: waiting ones are cancelled at once, running ones ended in their time. */
export async function removeOrchestration(rooms: DefinitionContext, scope: Scope, id: number): Promise<void> {
  const by = writeToken(scope.caller.token.id);
  const hasJobs = await rooms.store.transaction(async (tx) => {
    const stored = await lockForChange(tx, scope, id);
    await markDeleted(tx, id);
    await rooms.scheduler.remove(tx, keyOf(id));
    await rooms.audit(tx, entryOf(scope, 'delete orchestration', id));
    // No job begins from now on: whoever makes one holds the row before.
    const living = await readLivingRuns(tx, id);
    if (living.length === 0) await revokeOfDeleted(rooms, tx, stored);
    else {
      await rooms.engine.publish(tx, { key: `${ENDING}/${id}`, topic: ENDING, payload: { id, by } });
    }
    return living.length > 0;
  });
  rooms.world.reach('orchestrate.definition-deleted');
  if (!hasJobs) return;
  try {
    await endJobs(rooms, id, by);
  } catch (error) {
    // It is deleted, and the message in the outbox ends them: the caller must not hear of a failure.
    rooms.log?.warn({ orchestration: id, error: String(error) }, 'jobs of a deleted orchestration will end later');
  }
}

/** The newest first: so none of those that wait gets its turn while others are ended. */
async function endJobs(rooms: Pick<OrchestrateRooms, 'store' | 'engine'>, id: number, by: string): Promise<void> {
  for (const runId of await readLivingRuns(rooms.store.db, id)) await rooms.engine.cancel(runId, by);
}

export function createEnding(rooms: Pick<OrchestrateRooms, 'store' | 'engine'>): Deliverer {
  return async ({ payload }) => {
    const { id, by } = payload as { readonly id: number; readonly by: string };
    await endJobs(rooms, id, by);
  };
}

/** Revokes the tokens of a deleted orchestration when the last of its jobs ends. */
export function createLastJobObserver(rooms: Pick<OrchestrateRooms, 'tokens'>): RunObserver {
  return {
    kind: 'orchestration',
    async runChanged(tx, run) {
      const [, id] = /^orchestration\/(\d+)$/.exec(run.definition ?? '') ?? [];
      if (id === undefined || !isTerminal(run.state)) return;
      const tokens = await readTokensOfDeleted(tx, Number(id));
      if (tokens === undefined) return;
      const others = (await readLivingRuns(tx, Number(id))).filter((other) => other !== run.id);
      if (others.length === 0) await revokeOfDeleted(rooms, tx, tokens);
    },
  };
}
