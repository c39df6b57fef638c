import type { Component, RunObserver } from '../../engine/index.ts';
import { createComponentAdapter } from '../component-runs/adapter.ts';
import { ORCHESTRATION_RUN } from '../component-runs/describe.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import { createBegin } from './begin.ts';
import { createTaskComponent } from './task.ts';
import type { ExecutionRooms } from './types.ts';

/** What the engine executes for jobs and component runs. */
export function createEngineComponents(rooms: ExecutionRooms): readonly Component[] {
  const adapters = rooms.components.map((spec) => createComponentAdapter(rooms, spec));
  return [createBegin(rooms), createTaskComponent(rooms), ...adapters];
}

/** The run tokens of a job end with it (3). */
export function createTokenObserver({ tokens }: Pick<OrchestrateRooms, 'tokens'>): RunObserver {
  return {
    kind: ORCHESTRATION_RUN,
    async runChanged(tx, run) {
      if (run.endedAt !== null) await tokens.endRun(tx, run.id);
    },
  };
}
