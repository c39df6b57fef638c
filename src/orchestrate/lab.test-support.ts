import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestStore } from '../../test/support/database.ts';
import { opening, type Closing } from '../../test/support/opening.ts';
import { openOrchestrate, type OrchestrateOptions } from '../../test/support/orchestrate-room.ts';
import type { OpenAccess, StorageToken } from '../access/index.ts';
import { readConfig, type Config } from '../config.ts';
import { installQueue, type OpenEngine } from '../engine/index.ts';
import type { Outbound } from '../outbound/index.ts';
import type { ScheduleKind, Scheduler } from '../schedule/index.ts';
import { connectStore, type Store } from '../store/index.ts';
import { createWorld } from '../world.ts';
import { createHolds, echo, fail, type Holds } from './components.test-support.ts';
import type { CallComponent } from './protocol/types.ts';
import type { Jobs, JobView, Message, Orchestrate, OrchestrateRooms, Scope } from './index.ts';

const PATIENCE_MS = 60_000;

/** The room on a database, an engine and tokens of its own, with components that a test controls. */
export interface Lab {
  readonly store: Store;
  readonly access: OpenAccess;
  readonly engine: OpenEngine;
  readonly scheduler: Scheduler;
  /** How the scheduler reads and fires the schedules of orchestrations. */
  readonly kind: ScheduleKind;
  readonly rooms: OrchestrateRooms;
  readonly orchestrate: Orchestrate;
  readonly token: StorageToken;
  readonly messages: readonly Message[];
  /** Points of the protocol that were reached, e.g. `orchestrate.child-started`. */
  readonly points: string[];
  scope(more?: Partial<Scope['caller']>): Scope;
  /** Makes an orchestration of these tasks. */
  define(tasks: readonly object[], more?: object): Promise<number>;
  start(orchestrationId: number, sent?: object): Promise<JobView>;
  /** The job once it has ended. */
  ended(number: number): Promise<JobView>;
  run(tasks: readonly object[], more?: object): Promise<JobView>;
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
  /** Calls of the component `hold` that wait now, by the parameter `name`. */
  readonly holds: Holds;
  /** Stands for every component elsewhere. */
  elsewhere: CallComponent;
  /** The worker stops at once, handing over what it executes, and another begins. */
  restart(): Promise<void>;
  /** The worker stops at once, and none works until `restart`. */
  pause(): Promise<void>;
  close(): Promise<void>;
}

export interface LabOptions extends Pick<
  OrchestrateOptions,
  'rooms' | 'specs' | 'components' | 'observers' | 'teller'
> {
  readonly config?: Readonly<Record<string, string>>;
  readonly outbound?: (config: Config) => Outbound;
  /** Default 10. */
  readonly leaseSeconds?: number;
  /** False: nothing is executed before `restart`. */
  readonly works?: boolean;
  /** Another process on the database and the folder of a lab that is open. */
  readonly joins?: { readonly url: string; readonly dataDir: string };
  /** The point at which this process kills itself. */
  readonly stopAt?: string;
}

/** A database of its own, or that of another lab. */
async function openPlace({ joins }: LabOptions, closing: Closing): Promise<{ store: Store; dataDir: string }> {
  if (joins !== undefined) {
    const store = await connectStore({ url: joins.url, world: createWorld() });
    closing(store.close);
    return { store, dataDir: joins.dataDir };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'orchestrate-'));
  closing(() => rm(dataDir, { recursive: true }));
  const { store, close } = await createTestStore({ prepare: installQueue });
  closing(close);
  return { store, dataDir };
}

export function createLab(options: LabOptions = {}): Promise<Lab> {
  return opening((closing) => openLab(options, closing));
}

async function openLab(options: LabOptions, closing: Closing): Promise<Omit<Lab, 'close'>> {
  const { store, dataDir } = await openPlace(options, closing);
  const points: string[] = [];
  const world = createWorld({
    onPoint: (point) => void points.push(point),
    ...(options.stopAt !== undefined && { stopAt: options.stopAt }),
  });
  const config: Config = readConfig({ PENSTOCK_DATA_DIR: dataDir, PENSTOCK_ADMIN_PASSWORD: 'x', ...options.config });
  const { holds, spec } = createHolds();
  const opened = await openOrchestrate({
    ...options,
    store,
    config,
    world,
    engine: { leaseSeconds: options.leaseSeconds },
    specs: [echo, fail, spec, ...(options.specs ?? [])],
    rooms: {
      ...(options.outbound && { outbound: options.outbound(config) }),
      ownOrigins: () => ['http://127.0.0.1:8080'],
      minuteMs: 300,
      callComponent: (request) => lab.elsewhere(request),
      ...options.rooms,
    },
  });
  const { engine, orchestrate } = opened;
  closing(opened.close);
  let worker = options.works === false ? undefined : await engine.startWorker();
  closing(() => worker?.stop(0));
  const admin = await opened.asAdmin();
  const { project } = admin;
  const scope: Lab['scope'] = (more) => ({ ...admin, caller: { ...admin.caller, ...more } });
  const define: Lab['define'] = async (tasks, more = {}) =>
    (await orchestrate.definitions.create(scope(), { name: 'Lab', tasks, ...more })).id;
  const start: Lab['start'] = (orchestrationId, sent = {}) =>
    orchestrate.jobs.start(scope(), { path: '/run', sent: { config: orchestrationId, ...sent } });
  const ended: Lab['ended'] = (number) => endOf(engine, orchestrate.jobs, { project, number });
  const lab: Omit<Lab, 'close'> = {
    ...opened,
    store,
    token: admin.caller.token,
    points,
    scope,
    define,
    start,
    ended,
    run: async (tasks, more) => ended((await start(await define(tasks, more))).run.number),
    until,
    holds,
    elsewhere: () => Promise.reject(new Error('nobody is called here')),
    pause: async () => void (await worker?.stop(0)),
    async restart() {
      await worker?.stop(0);
      worker = await engine.startWorker();
    },
  };
  return lab;
}

async function endOf(
  engine: OpenEngine,
  jobs: Jobs,
  { project, number }: { readonly project: string; readonly number: number },
): Promise<JobView> {
  const run = await engine.getByNumber(number);
  const end = run && (await engine.settled(run.id, PATIENCE_MS));
  if (!end?.endedAt) throw new Error(`job ${number} did not end: ${JSON.stringify(end)}`);
  return jobs.get(project, number);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('the condition was not met in time');
    await delay(20);
  }
}
