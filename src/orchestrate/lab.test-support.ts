import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestStore } from '../../test/support/database.ts';
import { createAccess, type OpenAccess, type StorageToken } from '../access/index.ts';
import type { ComponentSpec } from '../components/kit/index.ts';
import { readConfig, type Config } from '../config.ts';
import { createEngine, installQueue, type Component, type OpenEngine, type RunObserver } from '../engine/index.ts';
import type { Outbound } from '../outbound/index.ts';
import { createScheduler, type ScheduleKind, type Scheduler } from '../schedule/index.ts';
import { connectStore, type Store } from '../store/index.ts';
import { createWorld } from '../world.ts';
import { createHolds, echo, fail, type Holds } from './components.test-support.ts';
import type { CallComponent } from './protocol/types.ts';
import type { Jobs, JobView, Message, Messages, Orchestrate, OrchestrateRooms, Scope } from './index.ts';
import { createOrchestrate, orchestrationSchedules } from './index.ts';

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
  readonly messages: Message[];
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

export interface Teller {
  readonly messages: Messages;
  readonly deliverers: Orchestrate['deliverers'];
  close(): void;
}

export interface LabOptions {
  readonly config?: Readonly<Record<string, string>>;
  readonly rooms?: Partial<OrchestrateRooms>;
  readonly outbound?: (config: Config) => Outbound;
  readonly specs?: readonly ComponentSpec[];
  /** What else the engine executes and tells, for components that start runs of other rooms. */
  readonly components?: readonly Component[];
  readonly observers?: readonly RunObserver[];
  /** What stands behind the port to people; by default messages are only kept in `messages`. */
  readonly teller?: (rooms: Pick<OrchestrateRooms, 'config' | 'store' | 'engine' | 'audit' | 'world'>) => Teller;
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
async function openPlace({ joins }: LabOptions): Promise<{ store: Store; dataDir: string; close(): Promise<void> }> {
  if (joins !== undefined) {
    const store = await connectStore({ url: joins.url, world: createWorld() });
    return { store, dataDir: joins.dataDir, close: () => store.close() };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'orchestrate-'));
  const { store, close } = await createTestStore({ prepare: installQueue });
  return { store, dataDir, close: () => close().then(() => rm(dataDir, { recursive: true })) };
}

export async function createLab(options: LabOptions = {}): Promise<Lab> {
  const place = await openPlace(options);
  const { store, dataDir } = place;
  const points: string[] = [];
  const world = createWorld({
    onPoint: (point) => void points.push(point),
    ...(options.stopAt !== undefined && { stopAt: options.stopAt }),
  });
  const config: Config = readConfig({ PENSTOCK_DATA_DIR: dataDir, PENSTOCK_ADMIN_PASSWORD: 'x', ...options.config });
  const access = await createAccess({ store, config, world });
  const components: Component[] = [];
  const observers: RunObserver[] = [];
  const deliverers: Record<string, Orchestrate['deliverers'][string]> = {};
  const engine = await createEngine({
    store,
    world,
    components,
    observers,
    deliverers,
    settings: { slots: 8, leaseSeconds: options.leaseSeconds ?? 10 },
  });
  const kind = orchestrationSchedules((tx, ticks) => orchestrate.schedules.fireAll(tx, ticks));
  const scheduler = createScheduler({ store, onFire: { orchestration: kind }, catchUpMinutes: 60, log: () => {} });
  const { holds, spec } = createHolds();
  const messages: Message[] = [];
  const teller = options.teller?.({ config, store, engine, audit: access.audit, world });
  const rooms: OrchestrateRooms = {
    config,
    world,
    store,
    engine,
    tokens: access.tokens,
    secrets: access.secrets,
    audit: access.audit,
    scheduler,
    outbound: options.outbound?.(config) ?? closedOutbound,
    components: [echo, fail, spec, ...(options.specs ?? [])],
    messages: teller?.messages ?? {
      send: async (_tx, more) => void messages.push(...more),
      countOfCause: async () => 0,
    },
    ownOrigins: () => ['http://127.0.0.1:8080'],
    version: '0.0.0',
    minuteMs: 300,
    callComponent: (request) => lab.elsewhere(request),
    ...options.rooms,
  };
  const orchestrate: Orchestrate = createOrchestrate(rooms);
  components.push(...orchestrate.engineComponents, ...(options.components ?? []));
  observers.push(...orchestrate.observers, ...(options.observers ?? []));
  Object.assign(deliverers, orchestrate.deliverers, teller?.deliverers);
  let worker = options.works === false ? undefined : await engine.startWorker();
  const admin = { userId: await firstUser(store), username: 'admin', role: 'admin', sessionId: null } as const;
  const token = await access.tokens.masterOf(admin);
  const project = String(config.projectId);
  const scope: Lab['scope'] = (more = {}) => ({
    project,
    caller: { token, userAgent: 'lab', parentPath: null, ...more },
    actor: { principal: admin, face: 'keboola' },
  });
  const define: Lab['define'] = async (tasks, more = {}) =>
    (await orchestrate.definitions.create(scope(), { name: 'Lab', tasks, ...more })).id;
  const start: Lab['start'] = (orchestrationId, sent = {}) =>
    orchestrate.jobs.start(scope(), { path: '/run', sent: { config: orchestrationId, ...sent } });
  const ended: Lab['ended'] = (number) => endOf(engine, orchestrate.jobs, { project, number });
  const lab: Lab = {
    store,
    access,
    engine,
    scheduler,
    kind,
    rooms,
    orchestrate,
    token,
    messages,
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
    async close() {
      await worker?.stop(0);
      await engine.close();
      teller?.close();
      await place.close();
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

async function firstUser(store: Store): Promise<number> {
  const { id } = await store.db.selectFrom('users').select('id').limit(1).executeTakeFirstOrThrow();
  return Number(id);
}

const closedOutbound: Outbound = {
  checkUrl: (text) => new URL(text).href,
  trustOf: () => 'trusted',
  request: async () => {
    throw new Error('nobody is called here');
  },
};
