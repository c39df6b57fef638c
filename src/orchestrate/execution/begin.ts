import type { Component } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { BEGIN } from '../jobs/plan.ts';
import { bindPresentToken } from '../jobs/tables.ts';
import type { OrchestrateRooms } from '../rooms.ts';

/**
 * The first step of every job: it acts with the token that the orchestration has at this moment. With one that is not
 * valid any more, nothing of it is done (3).
 */
export function createBegin(rooms: Pick<OrchestrateRooms, 'tokens' | 'world'>): Component {
  return {
    name: BEGIN,
    waits: true,
    async execute(attempt) {
      const tokenId = await attempt.guarded((tx) => bindPresentToken(tx, attempt.run.id));
      rooms.world.reach('orchestrate.token-bound');
      const token = tokenId === undefined ? undefined : await attempt.reading(() => rooms.tokens.get(tokenId));
      if (token === undefined || token.isDisabled || token.isExpired) {
        throw new Failure('credentials_refused', `Orchestration token ${tokenId} is not valid`);
      }
      attempt.log('info', `Job ${attempt.run.number} has begun`);
      return { outcome: 'succeeded' };
    },
  };
}
