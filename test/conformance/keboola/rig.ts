import { connect } from 'node:net';
import type { OpenAccess, StorageToken } from '../../../src/access/index.ts';
import type { ComponentSpec } from '../../../src/components/kit/index.ts';
import { readConfig, type Config } from '../../../src/config.ts';
import { installQueue, type OpenEngine } from '../../../src/engine/index.ts';
import { createKeboolaFace } from '../../../src/faces/keboola/index.ts';
import { createServer } from '../../../src/http/index.ts';
import { createNotify, createWebhookDeliverer, type OpenNotify } from '../../../src/notify/index.ts';
import { createObserve } from '../../../src/observe/index.ts';
import { WEBHOOK_SECRET, type Message, type Messages, type Orchestrate } from '../../../src/orchestrate/index.ts';
import { createOutbound, type Outbound } from '../../../src/outbound/index.ts';
import type { Scheduler } from '../../../src/schedule/index.ts';
import type { Store } from '../../../src/store/index.ts';
import { createWorld } from '../../../src/world.ts';
import { createTestStore } from '../../support/database.ts';
import { opening, type Closing } from '../../support/opening.ts';
import { openOrchestrate, type TellerRooms } from '../../support/orchestrate-room.ts';
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
export function startRig(options: RigOptions = {}): Promise<Rig> {
  return opening((closing) => startParts(options, closing));
}

async function startParts(options: RigOptions, closing: Closing): Promise<Omit<Rig, 'close'>> {
  const world = createWorld();
  const config = readConfig({
    PENSTOCK_PORT: '0',
    PENSTOCK_LOG_LEVEL: 'silent',
    PENSTOCK_ADMIN_PASSWORD: 'correct horse',
    PENSTOCK_STORAGE_TOKEN: MASTER,
    PENSTOCK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    ...options.environment,
  });
  const { store, close } = await createTestStore({ prepare: installQueue });
  closing(close);
  const messages: Message[] = [];
  const origins: string[] = [];
  const ownOrigins = (): readonly string[] => origins;
  const outbound = createOutbound({ config, ownOrigins });
  let notify: OpenNotify | undefined;
  const rooms = await openOrchestrate({
    store,
    config,
    world,
    engine: { slots: 4 },
    specs: options.components ?? [],
    teller(parts) {
      notify = openNotify(parts, outbound);
      return { ...notify, messages: hearing(notify, messages) };
    },
    rooms: { outbound, ownOrigins },
  });
  closing(rooms.close);
  const { access, engine, scheduler, orchestrate } = rooms;
  const face = createKeboolaFace({ orchestrate, notify: notify!, access, config, world, version: '0.0.0-test' });
  const server = await createServer({ config, faces: [face], access, observe: createObserve(config), world });
  if (options.works !== false) {
    const worker = await engine.startWorker();
    closing(() => worker.stop(0));
  }
  closing(() => server.close());
  const url = await server.listen();
  origins.push(url);
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
  };
}

/** Mails and webhooks to people, as the product sends them. */
function openNotify({ engine, secrets, ...rooms }: TellerRooms, outbound: Outbound): OpenNotify {
  const openSecret = (sealed: string): string => secrets.open(sealed, WEBHOOK_SECRET);
  const postWebhook = createWebhookDeliverer({ outbound, openSecret, now: () => rooms.world.now() });
  return createNotify({ ...rooms, publish: engine.publish, postWebhook });
}

/** What goes to people is also kept in `heard`. */
function hearing(notify: OpenNotify, heard: Message[]): Messages {
  return {
    ...notify,
    async send(tx, sent) {
      heard.push(...sent);
      await notify.send(tx, sent);
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
