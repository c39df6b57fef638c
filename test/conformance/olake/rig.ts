import { readConfig } from '../../../src/config.ts';
import { createAccess } from '../../../src/access/index.ts';
import { createConnectors, type Connectors } from '../../../src/connectors/index.ts';
import { createEngine, installQueue, type Component, type OutboxMessage } from '../../../src/engine/index.ts';
import { Failure } from '../../../src/errors.ts';
import { createOlakeFace } from '../../../src/faces/olake/index.ts';
import { createServer } from '../../../src/http/index.ts';
import { createObserve } from '../../../src/observe/index.ts';
import { createScheduler, parseFrequency, type Scheduler } from '../../../src/schedule/index.ts';
import type { Store } from '../../../src/store/index.ts';
import {
  createRunObservers,
  createSync,
  jobIdOf,
  type Prober,
  type Sync,
  type SyncSnapshot,
} from '../../../src/sync/index.ts';
import { createWorld } from '../../../src/world.ts';
import { createTestStore } from '../../support/database.ts';
import { opening, type Closing } from '../../support/opening.ts';

export const ADMIN = { username: 'ines', password: 'correct horse' };

export interface Rig {
  readonly url: string;
  readonly webhooks: OutboxMessage[];
  readonly scheduler: Scheduler;
  readonly store: Store;
  close(): Promise<void>;
}

export interface RigOptions {
  readonly maxBodyBytes?: number;
  readonly signup?: 'open' | 'closed';
}

const GATE_MS = 30_000;

/**
 * The face on a listening server over the real store, engine and access. The components that move data are stand-ins
 * whose behaviour the first selected stream names: `slow` runs until it is cancelled, `broken` fails, others succeed.
 */
export function startRig(options: RigOptions = {}): Promise<Rig> {
  return opening((closing) => startParts(options, closing));
}

async function startParts(options: RigOptions, closing: Closing): Promise<Omit<Rig, 'close'>> {
  const world = createWorld();
  const config = readConfig({
    PENSTOCK_PORT: '0',
    PENSTOCK_LOG_LEVEL: 'silent',
    PENSTOCK_ADMIN_USER: ADMIN.username,
    PENSTOCK_ADMIN_PASSWORD: ADMIN.password,
    PENSTOCK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    PENSTOCK_AUTH_SIGNUP: options.signup ?? 'open',
    PENSTOCK_HTTP_MAX_BODY_BYTES: String(options.maxBodyBytes ?? 2_000_000),
  });
  const { store, close } = await createTestStore({ prepare: installQueue });
  closing(close);
  const access = await createAccess({ store, config, world });
  const webhooks: OutboxMessage[] = [];
  const engine: Awaited<ReturnType<typeof createEngine>> = await createEngine({
    store,
    world,
    components: [syncStandIn, clearStandIn],
    observers: createRunObservers((tx, message) => engine.publish(tx, message)),
    deliverers: { webhook: async (message) => void webhooks.push(message) },
    settings: { slots: 4, leaseSeconds: 10 },
  });
  closing(() => engine.close());
  const scheduler = createScheduler({
    store,
    onFire: {
      'sync.job': async (tx, { key }, dueAt) => void (await sync.runs.syncBySchedule(tx, jobIdOf(key)!, dueAt)),
    },
    catchUpMinutes: 60,
  });
  const sync: Sync = createSync({
    world,
    store,
    engine,
    access,
    connectors: connectorStandIns(),
    dataDir: config.dataDir,
    prober: proberStandIn,
    schedule: {
      check: (frequency) => void parseFrequency(frequency),
      set: (tx, key, frequency) => scheduler.set(tx, { key, frequency }),
      remove: (tx, key) => scheduler.remove(tx, key),
    },
  });
  const face = createOlakeFace({ sync, access, config, world, version: '0.0.0-test' });
  const server = await createServer({ config, faces: [face], access, observe: createObserve(config), world });
  const worker = await engine.startWorker();
  closing(() => worker.stop(0));
  closing(() => server.close());
  return { url: await server.listen(), webhooks, scheduler, store };
}

function firstStream(snapshot: unknown): string {
  const { catalog } = snapshot as SyncSnapshot;
  return Object.values(catalog.selected_streams).flat()[0]?.stream_name ?? '';
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nobody cancelled')), GATE_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

const syncStandIn: Component = {
  name: 'penstock.sync',
  async execute(attempt) {
    const stream = firstStream(attempt.run.snapshot);
    attempt.log('info', 'connector postgres v1, mode full_refresh');
    attempt.log('debug', 'a detail that pages hide');
    for (let line = 1; line <= 5; line++) attempt.log('info', `chunk ${line}`);
    if (stream === 'slow') await untilAborted(attempt.signal);
    if (stream === 'broken') throw new Failure('credentials_refused', 'password authentication failed for user reader');
    attempt.progress({ records: 12, bytesRead: 340, writerThreads: 1, secondsElapsed: 2, streams: {} });
    return { outcome: 'succeeded' };
  },
};

const clearStandIn: Component = {
  name: 'penstock.clear',
  async execute(attempt) {
    const { clearStreams } = attempt.run.snapshot as SyncSnapshot;
    attempt.log('info', `clearing ${clearStreams?.join(', ')}`);
    if (firstStream(attempt.run.snapshot) === 'stuck') await untilAborted(attempt.signal);
    return { outcome: 'succeeded' };
  },
};

const proberStandIn: Prober = {
  async test(_kind, { config }) {
    const time = new Date().toISOString();
    if (config['port'] !== 1) {
      const shown = config['password'] === 'hunter2' ? 'the stored password arrived' : 'ok';
      return { status: 'SUCCEEDED', message: shown, logs: [{ level: 'info', time, message: 'connected' }] };
    }
    const message = `connection refused by ${String(config['host'])}:1`;
    return { status: 'FAILED', message, logs: [{ level: 'error', time, message }] };
  },
  async discover({ config, prefix }) {
    if (config['port'] === 1) throw new Failure('unreachable', 'connection refused by 127.0.0.1:1');
    return { selected_streams: { public: [{ stream_name: 'orders' }] }, streams: [catalogStream('orders', prefix)] };
  },
};

function catalogStream(name: string, prefix: string) {
  return {
    stream: {
      name,
      namespace: 'public',
      type_schema: { properties: {} },
      supported_sync_modes: ['full_refresh'],
      source_defined_primary_key: ['id'],
      available_cursor_fields: ['id'],
      sync_mode: 'full_refresh',
      destination_database: `${prefix}_shop:public`,
      destination_table: name,
    },
  };
}

function connectorStandIns(): Connectors {
  const secret = { type: 'string', format: 'password' };
  const source = {
    kind: 'source',
    type: 'postgres',
    synonyms: ['postgresql'],
    version: '1.2.0',
    spec: () => ({
      jsonschema: {
        type: 'object',
        required: ['host', 'port', 'database', 'username', 'password'],
        properties: { host: {}, port: {}, database: {}, username: {}, password: secret },
      },
      uischema: { host: { 'ui:widget': 'text' } },
    }),
  };
  const destination = (type: string, catalogs: string[]) => ({
    kind: 'destination',
    type,
    synonyms: type === 'parquet' ? ['s3'] : [],
    version: '1.2.0',
    catalogs,
    spec: () => ({ jsonschema: { type: 'object', properties: {} }, uischema: {} }),
  });
  const all = [source, destination('parquet', []), destination('iceberg', ['builtin', 'jdbc', 'rest'])];
  return createConnectors(all as unknown as Parameters<typeof createConnectors>[0]);
}
