import { Failure } from '../../errors.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Definitions } from './types.ts';

/** Orchestrations on the store. */
export function createDefinitions(_rooms: OrchestrateRooms): Definitions {
  const missing = async (): Promise<never> => {
    throw new Failure('internal', 'definitions are being built');
  };
  return {
    list: missing,
    get: missing,
    create: missing,
    update: missing,
    remove: missing,
    renewToken: missing,
    tasks: missing,
    replaceTasks: missing,
    notifications: missing,
    replaceNotifications: missing,
    hold: missing,
    parameters: { open: (task) => task.actionParameters, areSame: () => false },
    observer: { kind: 'orchestration', runChanged: async () => {} },
    deliverers: {},
  };
}
