import { connect } from 'node:net';
import { createAccess, type OpenAccess, type StorageToken } from '../../../src/access/index.ts';
import type { ComponentSpec } from '../../../src/components/kit/index.ts';
import { readConfig, type Config } from '../../../src/config.ts';
import {
  createEngine,
  installQueue,
  type Component,
  type OpenEngine,
  type RunObserver,
} from '../../../src/engine/index.ts';
import { createKeboolaFace } from '../../../src/faces/keboola/index.ts';
import { createServer } from '../../../src/http/index.ts';
import { createNotify, createWebhookDeliverer } from '../../../src/notify/index.ts';
import { createObserve } from '../../../src/observe/index.ts';
import {
  createOrchestrate,
  ORCHESTRATION_SCHEDULE,
  orchestrationSchedules,
  type Message,
  type Orchestrate,
  WEBHOOK_SECRET,
} from '../../../src/orchestrate/index.ts';
import { createOutbound } from '../../../src/outbound/index.ts';
import { createScheduler, type Scheduler } from '../../../src/schedule/index.ts';
import type { Store } from '../../../src/store/index.ts';
import { createWorld } from '../../../src/world.ts';
import { createTestStore, type TestStore } from '../../support/database.ts';
import { send, type Reply } from '../olake/wire.ts';

/** The bootstrap token: an administrator's master token. */
export const MASTER = '1-1-0123456789abcdef0123456789abcdef01234567';

export interface Asking {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly text?: string;
  /** Null: none is sent. Default the master token. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Rig {
  readonly url: string;
  readonly config: Config;
  readonly store: Store;
  readonly access: OpenAccess;
  readonly engine: OpenEngine;
  readonly scheduler: Scheduler;
  readonly orchestrate: Orchestrate;
  /** What people were to be told. */
  readonly messages: readonly Message[];
  ask(method: string, path: string, asking?: Asking): Promise<Reply>;
  /** Bytes over a bare connection; answers all that came until the server closed it. */
  raw(text: string): Promise<string>;
  /** A token made by the bootstrap token, and its text. */
  newToken(rights?: { canManageTokens?: boolean }): Promise<{ readonly token: StorageToken; readonly text: string }>;
  close(): Promise<void>;
}

export interface RigOptions {
  readonly components?: readonly ComponentSpec[];
  readonly environment?: Readonly<Record<string, string>>;
  /** False: jobs stay as they were accepted. Default true. */
  readonly works?: boolean;
}

/** The face on a listening server over the real store, engine, access and orchestrations. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const database = await createTestStore({ prepare: installQueue });
  try {
    return await startOn(database, options);
  } catch (error) {
    // Else the open database would keep the process from telling why.
    await database.close();
    throw error;
  }
}

async function startOn({ store, close }: TestStore, options: RigOptions): Promise<Rig> {
  const world = createWorld();
  const config = readConfig({
    PENSTOCK_PORT: '0',
    PENSTOCK_LOG_LEVEL: 'silent',
    PENSTOCK_ADMIN_PASSWORD: 'correct horse',
    PENSTOCK_STORAGE_TOKEN: MASTER,
    PENSTOCK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    ...options.environment,
  });
  const access = await createAccess({ store, config, world });
  const components: Component[] = [];
  const observers: RunObserver[] = [];
  const deliverers: Record<string, Orchestrate['deliverers'][string]> = {};
  const settings = { slots: 4, leaseSeconds: 10 };
  const engine = await createEngine({ store, world, components, observers, deliverers, settings });
  const kind = orchestrationSchedules((tx, ticks) => orchestrate.schedules.fireAll(tx, ticks));
  const scheduler = createScheduler({ store, onFire: { [ORCHESTRATION_SCHEDULE]: kind }, catchUpMinutes: 60 });
  const messages: Message[] = [];
  const origins: string[] = [];
  const outbound = createOutbound({ config, ownOrigins: () => origins });
  const notify = createNotify({
    config,
    store,
    publish: engine.publish,
    audit: access.audit,
    world,
    postWebhook: createWebhookDeliverer({
      outbound,
      openSecret: (sealed) => access.secrets.open(sealed, WEBHOOK_SECRET),
      now: () => world.now(),
    }),
  });
  const orchestrate: Orchestrate = createOrchestrate({
    config,
    world,
    store,
    engine,
    scheduler,
    tokens: access.tokens,
    secrets: access.secrets,
    audit: access.audit,
    outbound,
    components: options.components ?? [],
    messages: {
      ...notify,
      async send(tx, sent) {
        messages.push(...sent);
        await notify.send(tx, sent);
      },
    },
    ownOrigins: () => origins,
    version: '0.0.0-test',
  });
  components.push(...orchestrate.engineComponents);
  observers.push(...orchestrate.observers);
  Object.assign(deliverers, orchestrate.deliverers, notify.deliverers);
  const face = createKeboolaFace({ orchestrate, notify, access, config, world, version: '0.0.0-test' });
  const server = await createServer({ config, faces: [face], access, observe: createObserve(config), world });
  const url = await server.listen();
  origins.push(url);
  const worker = options.works === false ? undefined : await engine.startWorker();
  return {
    url,
    config,
    store,
    access,
    engine,
    scheduler,
    orchestrate,
    messages,
    ask: (method, path, asking = {}) => send(url, { method, path, ...sendingOf(asking) }),
    raw: (text) => exchange(url, text),
    newToken: (rights = {}) => newToken(access, rights),
    async close() {
      await server.close();
      await worker?.stop(0);
      await engine.close();
      notify.close();
      await close();
    },
  };
}

function sendingOf({ body, text, token = MASTER, headers }: Asking) {
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  return {
    ...(sent !== undefined && { text: sent }),
    headers: {
      ...(sent !== undefined && { 'content-type': 'application/json' }),
      ...(token !== null && { 'x-storageapi-token': token }),
      ...headers,
    },
  };
}

async function newToken(access: OpenAccess, rights: { canManageTokens?: boolean }) {
  const master = await access.tokens.identify(MASTER);
  if (master === undefined) throw new Error('the bootstrap token is not known');
  const by = { token: master, actor: { principal: null, face: 'test' } };
  const made = await access.tokens.create(by, { description: 'made by a test', canManageTokens: false, ...rights });
  return { token: made.token, text: made.secret };
}

function exchange(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('end', () => resolve(Buffer.concat(pieces).toString()));
    socket.on('error', reject);
    socket.setTimeout(20_000, () => socket.destroy(new Error('the server did not close the connection')));
  });
}
