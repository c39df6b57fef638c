import type { Component } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { BEGIN, type BeginInput } from '../jobs/plan.ts';
import type { OrchestrateRooms } from '../rooms.ts';

/** The first step of every job: with a token that is not valid any more, nothing of it is done (3). */
export function createBegin(rooms: Pick<OrchestrateRooms, 'tokens'>): Component {
  return {
    name: BEGIN,
    waits: true,
    async execute(attempt) {
      const { tokenId } = attempt.task.input as BeginInput;
      const token = await rooms.tokens.get(tokenId);
      if (token === undefined || token.isDisabled || token.isExpired) {
        throw new Failure('credentials_refused', `Orchestration token ${tokenId} is not valid`);
      }
      attempt.log('info', `Job ${attempt.run.number} has begun`);
      return { outcome: 'succeeded' };
    },
  };
}
