import type { Component, Deliverer, RunObserver } from '../engine/index.ts';
import { createDefinitions, type Definitions } from './definitions/index.ts';
import type { OrchestrateRooms } from './rooms.ts';

export type { OrchestrateRooms } from './rooms.ts';

/** The room orchestrate: definitions, their jobs, and what it brings to the engine. One property for each part. */
export interface Orchestrate {
  readonly definitions: Definitions;
  /** What tasks of its runs can be. */
  readonly engineComponents: readonly Component[];
  /** Told of the runs of its kinds. */
  readonly observers: readonly RunObserver[];
  /** By topic of the outbox. */
  readonly deliverers: Readonly<Record<string, Deliverer>>;
}

/** Builds the room. Touches nothing: the first call that needs the database makes the first query. */
export function createOrchestrate(rooms: OrchestrateRooms): Orchestrate {
  const definitions = createDefinitions(rooms);
  return {
    definitions,
    engineComponents: [],
    observers: [definitions.observer],
    deliverers: { ...definitions.deliverers },
  };
}
