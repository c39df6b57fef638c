import type { Component, Deliverer, RunObserver } from '../engine/index.ts';
import { createAlerts } from './alerts/alerts.ts';
import { createCatalog } from './component-runs/catalog.ts';
import { createComponentRuns } from './component-runs/runs.ts';
import type { ComponentRuns } from './component-runs/types.ts';
import { createDefinitions, type Definitions } from './definitions/index.ts';
import { createEngineComponents, createTokenObserver } from './execution/components.ts';
import { createJobs } from './jobs/jobs.ts';
import type { Jobs } from './jobs/types.ts';
import { createComponentCaller } from './protocol/call.ts';
import type { OrchestrateRooms } from './rooms.ts';
import { createSchedules, type Schedules } from './schedules/index.ts';

export type { OrchestrateRooms } from './rooms.ts';

/** The room orchestrate: definitions, their jobs, and what it brings to the engine. One property for each part. */
export interface Orchestrate {
  readonly definitions: Definitions;
  readonly jobs: Jobs;
  readonly componentRuns: ComponentRuns;
  readonly schedules: Schedules;
  /** What tasks of its runs can be. */
  readonly engineComponents: readonly Component[];
  /** Told of the runs of its kinds. */
  readonly observers: readonly RunObserver[];
  /** By topic of the outbox. */
  readonly deliverers: Readonly<Record<string, Deliverer>>;
}

const MINUTE_MS = 60_000;

/** Builds the room. Touches nothing: the first call that needs the database makes the first query. */
export function createOrchestrate(rooms: OrchestrateRooms): Orchestrate {
  const definitions = createDefinitions(rooms);
  const catalog = createCatalog(rooms.components, rooms.config);
  const jobRooms = { ...rooms, definitions };
  const jobs = createJobs(jobRooms);
  const schedules = createSchedules(jobRooms);
  const alerts = createAlerts(jobRooms);
  const execution = {
    ...jobRooms,
    catalog,
    callComponent: rooms.callComponent ?? createComponentCaller(rooms),
    minuteMs: rooms.minuteMs ?? MINUTE_MS,
  };
  return {
    definitions,
    jobs,
    componentRuns: createComponentRuns({ ...rooms, catalog, jobs }),
    schedules,
    engineComponents: createEngineComponents(execution),
    observers: [definitions.observer, createTokenObserver(rooms), schedules.observer, alerts.observer],
    deliverers: { ...definitions.deliverers, ...schedules.deliverers, ...alerts.deliverers },
  };
}
