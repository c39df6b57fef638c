import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createAccess, type OpenAccess } from './access/index.ts';
import { isLoopback, type Config } from './config.ts';
import { loadComponents, type ComponentSpec } from './components/index.ts';
import { loadConnectors } from './connectors/index.ts';
import {
  createEngine,
  installQueue,
  type Component,
  type Deliverer,
  type OpenEngine,
  type RunObserver,
  type Worker,
} from './engine/index.ts';
import type { Face, Server } from './http/index.ts';
import { createStorage } from './lakehouse/index.ts';
import { createLineage } from './lineage/index.ts';
import { createNotify, createWebhookDeliverer, type OpenNotify } from './notify/index.ts';
import { createEngineMetrics, createObserve, type Observe } from './observe/index.ts';
import {
  createOrchestrate,
  ORCHESTRATION_SCHEDULE,
  orchestrationSchedules,
  WEBHOOK_SECRET,
  type Orchestrate,
} from './orchestrate/index.ts';
import { createOutbound, createReceiverOutbound, listOwnOrigins, type Outbound } from './outbound/index.ts';
import { createScheduler, parseFrequency, type Scheduler } from './schedule/index.ts';
import { findServerFolders, openStore, type Store, type Transaction } from './store/index.ts';
import {
  checkFolder,
  createClearComponent,
  createMaintainComponent,
  createProber,
  createReadComponent,
  createRunObservers,
  createSync,
  createSyncComponent,
  createVerifyComponent,
  jobIdOf,
  maintainedJobOf,
  loadState,
  removeOldRunFolders,
  saveState,
  type Sync,
} from './sync/index.ts';
import { version } from './version.ts';
import { catalogIn, createWarehouse, type Warehouse } from './warehouse/index.ts';
import type { World } from './world.ts';

/** `serve` does both; `api` answers requests; `worker` executes tasks. The last two use the database of a `serve`. */
export type PlatformRole = 'serve' | 'api' | 'worker';

export interface PlatformOptions {
  /** Default `serve`. */
  readonly role?: PlatformRole;
}

/** The whole product as a value. */
export interface Platform {
  readonly store: Store;
  readonly access: OpenAccess;
  readonly engine: OpenEngine;
  readonly scheduler: Scheduler;
  readonly observe: Observe;
  readonly sync: Sync;
  /** Undefined in a `worker`. */
  readonly server: Server | undefined;
  /** Listens and works, as the role says; answers the URL, undefined for a `worker`. */
  start(): Promise<string | undefined>;
  /** Ends what `start` began, gives running attempts `graceMs` (default 5 s), and closes everything. Idempotent. */
  close(graceMs?: number): Promise<void>;
}

const PURGE_MS = 3_600_000;
const GRACE_MS = 5000;

/** Opens the store and builds every room on it. Nothing listens or works before `start`. */
export async function createPlatform(
  config: Config,
  world: World,
  { role = 'serve' }: PlatformOptions = {},
): Promise<Platform> {
  const observe = createObserve(config);
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  // The database takes longest to come up: the modules of the other rooms load meanwhile.
  const web =
    role === 'worker'
      ? undefined
      : Promise.all([
          import('./http/index.ts'),
          import('./faces/olake/index.ts'),
          import('./faces/iceberg/index.ts'),
          import('./faces/keboola/index.ts'),
        ]);
  const store = await openStore(config, world, {
    role: role === 'serve' ? 'owner' : 'guest',
    log: (message) => observe.log.info(message),
  });
  try {
    const rooms = await openRooms({ config, world, observe, store });
    const loaded = await web;
    const server = loaded && (await openServer({ ...rooms, config, world, observe, store }, loaded));
    const parts = { ...rooms, store, server, dataDir: config.dataDir, log: observe.log };
    return { ...rooms, store, observe, server, ...startAndClose(parts, role) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Base {
  readonly config: Config;
  readonly world: World;
  readonly observe: Observe;
  readonly store: Store;
}

interface Rooms {
  readonly access: OpenAccess;
  readonly engine: OpenEngine;
  readonly scheduler: Scheduler;
  readonly sync: Sync;
  readonly orchestrate: Orchestrate;
  readonly notify: OpenNotify;
  /** Tells the rooms on which port this process listens. */
  listensOn(port: number): void;
}

async function openRooms(base: Base): Promise<Rooms> {
  const { config, world, observe, store } = base;
  const [access] = await Promise.all([createAccess({ store, config, world }), installQueue(store)]);
  const scheduler = createScheduler({
    store,
    onFire: {
      'sync.job': (tx, { key }, dueAt) => replication.fire(tx, key, dueAt),
      'sync.maintain': (tx, { key }, dueAt) => replication.fire(tx, key, dueAt),
      [ORCHESTRATION_SCHEDULE]: orchestrationSchedules((tx, ticks) => orchestrate.schedules.fireAll(tx, ticks)),
    },
    catchUpMinutes: config.scheduleCatchUpMinutes,
    log: (level, message, fields) => observe.log[level](fields ?? {}, message),
  });
  // Rooms know each other through what they hand in: the engine's publishing is needed before the engine is there.
  const observers: RunObserver[] = [];
  const components: Component[] = [];
  const receivers = createReceiverOutbound({ allowsLocal: isLoopback(config.host) });
  const deliverers: Record<string, Deliverer> = {
    webhook: { deliver: createWebhookDeliverer({ outbound: receivers, now: () => world.now() }), isSlow: true },
  };
  const engine = await createEngine({
    store,
    world,
    components,
    observers,
    deliverers,
    settings: {
      slots: config.workerSlots,
      leaseSeconds: config.leaseSeconds,
      runsRetentionDays: config.runsRetentionDays,
    },
    metrics: createEngineMetrics(observe.registry),
    log: (level, message, fields) => observe.log[level](fields ?? {}, message),
  });
  const replication: Replication = await createReplication({ ...base, access, engine, scheduler });
  let port: number | undefined = config.port === 0 ? undefined : config.port;
  const ownOrigins = (): readonly string[] => listOwnOrigins(config, port);
  const outbound = createOutbound({ config, ownOrigins });
  const notify = openNotify(base, { access, engine, outbound });
  const lineage = createLineage({ config, engine, version });
  const orchestrate: Orchestrate = createOrchestrate({
    ...base,
    engine,
    scheduler,
    tokens: access.tokens,
    secrets: access.secrets,
    audit: access.audit,
    outbound,
    components: await openComponents({ ...base, access, sync: replication.sync }, outbound),
    messages: notify,
    log: observe.log,
    ownOrigins,
    version,
  });
  components.push(...replication.components, ...orchestrate.engineComponents);
  observers.push(...replication.observers, ...orchestrate.observers, ...lineage.observers);
  Object.assign(deliverers, orchestrate.deliverers, notify.deliverers, lineage.deliverers);
  const listensOn = (actual: number): void => void (port = actual);
  return { access, engine, scheduler, sync: replication.sync, orchestrate, notify, listensOn };
}

/** Mails and webhooks to people. */
function openNotify(
  { config, store, world }: Base,
  { access, engine, outbound }: Pick<Rooms, 'access' | 'engine'> & { readonly outbound: Outbound },
): OpenNotify {
  return createNotify({
    config,
    store,
    world,
    publish: (tx, message) => engine.publish(tx, message),
    audit: access.audit,
    postWebhook: createWebhookDeliverer({
      outbound,
      openSecret: (sealed) => access.secrets.open(sealed, WEBHOOK_SECRET),
      now: () => world.now(),
    }),
  });
}

/** The built-in components, with the parts of the rooms that they work on. */
async function openComponents(
  rooms: Base & Pick<Rooms, 'access' | 'sync'>,
  outbound: Outbound,
): Promise<readonly ComponentSpec[]> {
  const { config, world, sync } = rooms;
  const warehouse = await openWarehouse(rooms);
  return loadComponents({
    config,
    world,
    outbound,
    syncs: { start: sync.runs.startAsChild, cancelAlike: sync.runs.cancelAlike },
    connections: { settings: (kind, id) => sync.openSettings(kind, id) },
    lake: {
      open: (project, { database, table }) => warehouse.openTable(project, { namespace: [database], name: table }),
    },
  });
}

type WebModules = readonly [
  typeof import('./http/index.ts'),
  typeof import('./faces/olake/index.ts'),
  typeof import('./faces/iceberg/index.ts'),
  typeof import('./faces/keboola/index.ts'),
];

async function openServer(rooms: Base & Rooms, [http, olake, iceberg, keboola]: WebModules): Promise<Server> {
  const { config, world, observe, store, access, sync, orchestrate, notify } = rooms;
  const faces: Face[] = [
    olake.createOlakeFace({ sync, access, config, world, version }),
    iceberg.createIcebergFace({ warehouse: await openWarehouse(rooms), access, config, version }),
    keboola.createKeboolaFace({ orchestrate, notify, access, config, world, version }),
  ];
  return http.createServer({
    config,
    faces,
    access,
    observe,
    world,
    checkReady: async () => {
      await store.pool.query('select 1');
    },
    moreMetrics: () => olake.olakeMetrics(sync, world.now()),
  });
}

/** The built-in catalogs as other engines use them; where tables may lie is the sync room's to say. */
async function openWarehouse({
  config,
  world,
  store,
  access,
  sync,
}: Base & Pick<Rooms, 'access' | 'sync'>): Promise<Warehouse> {
  const folders = { ...config, closedFolders: await closedFoldersOf(config) };
  return createWarehouse({
    store,
    world,
    access,
    homeOf: (project) => ({
      root: resolve(config.dataDir, 'warehouse', project),
      storage: createStorage({ world }),
    }),
    placesOf: (project) => sync.places(project),
    checkFolder: (project, path) => checkFolder(folders, project, path),
  });
}

/** Whoever may define a connection must not reach our own database through its socket, which asks for no password. */
async function closedFoldersOf(config: Config): Promise<readonly string[]> {
  return config.databaseUrl === null ? findServerFolders(config.dataDir) : [];
}

type Running = Rooms & {
  readonly store: Store;
  readonly server: Server | undefined;
  readonly dataDir: string;
  readonly log: Observe['log'];
};

function startAndClose(parts: Running, role: PlatformRole): Pick<Platform, 'start' | 'close'> {
  let worker: Worker | undefined;
  let ticking: { stop(): Promise<void> } | undefined;
  let closing: Promise<void> | undefined;
  const purgeOnce = async (): Promise<void> => {
    await Promise.all([parts.access.purge(), parts.notify.purge()]);
    await removeOldRunFolders(parts.store.db, parts.dataDir);
  };
  let purged: Promise<void> | undefined;
  const purging = (): Promise<void> =>
    (purged = purgeOnce().catch((error: unknown) => {
      parts.log.warn({ error: String(error) }, 'what is past its time could not be removed; trying again in an hour');
    }));
  const purge = setInterval(() => void purging(), PURGE_MS).unref();
  const close = async (graceMs: number): Promise<void> => {
    clearInterval(purge);
    await purged;
    await ticking?.stop();
    await Promise.all([parts.server?.close(), worker?.stop(graceMs)]);
    await parts.engine.close();
    parts.notify.close();
    await parts.store.close();
  };
  return {
    async start() {
      const url = await parts.server?.listen();
      if (url !== undefined) parts.listensOn(Number(new URL(url).port || 80));
      // A server that is restarted more often than it purges would never do so else.
      void purging();
      if (role !== 'api') {
        worker = await parts.engine.startWorker();
        ticking = parts.scheduler.start();
      }
      return url;
    },
    close: (graceMs = GRACE_MS) => (closing ??= close(graceMs)),
  };
}

interface ReplicationRooms {
  readonly config: Config;
  readonly world: World;
  readonly store: Store;
  readonly access: OpenAccess;
  readonly engine: OpenEngine;
  readonly scheduler: Scheduler;
}

/** The sync room with what it brings to the engine and to the schedule. */
interface Replication {
  readonly sync: Sync;
  readonly components: readonly Component[];
  readonly observers: readonly RunObserver[];
  /** The schedule of a job is due; the run starts in the transaction that moves the schedule on. */
  fire(tx: Transaction, key: string, dueAt: Date): Promise<void>;
}

/** Joins the sync room with connectors, lakehouse, schedule and engine. */
async function createReplication(rooms: ReplicationRooms): Promise<Replication> {
  const { config, world, store, access, engine, scheduler } = rooms;
  const closedFolders = await closedFoldersOf(config);
  const probe = { world, config: { ...config, closedFolders }, catalogIn, transaction: store.transaction };
  const ports = {
    ...probe,
    secrets: access.secrets,
    jobState: { loadState, saveState },
  };
  const sync = createSync({
    world,
    store,
    engine,
    access,
    connectors: await loadConnectors(),
    dataDir: config.dataDir,
    prober: createProber(probe),
    schedule: {
      check: (frequency) => void parseFrequency(frequency),
      set: (tx, key, frequency) => scheduler.set(tx, { key, frequency }),
      remove: (tx, key) => scheduler.remove(tx, key),
    },
  });
  return {
    sync,
    components: [
      createSyncComponent,
      createReadComponent,
      createClearComponent,
      createMaintainComponent,
      createVerifyComponent,
    ].map((create) => create(ports)),
    observers: createRunObservers((tx, message) => engine.publish(tx, message)),
    async fire(tx, key, dueAt) {
      const jobId = jobIdOf(key);
      const maintained = maintainedJobOf(key);
      if (jobId !== undefined) await sync.runs.syncBySchedule(tx, jobId, dueAt);
      if (maintained !== undefined) await sync.tables.maintainBySchedule(tx, maintained, dueAt);
    },
  };
}
