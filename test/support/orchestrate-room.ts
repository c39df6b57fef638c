import { createAccess, type OpenAccess } from '../../src/access/index.ts';
import type { ComponentSpec } from '../../src/components/kit/index.ts';
import type { Config } from '../../src/config.ts';
import {
  createEngine,
  type Component,
  type Deliverer,
  type OpenEngine,
  type RunObserver,
} from '../../src/engine/index.ts';
import {
  createOrchestrate,
  ORCHESTRATION_SCHEDULE,
  orchestrationSchedules,
  type Message,
  type Messages,
  type Orchestrate,
  type OrchestrateRooms,
  type Scope,
} from '../../src/orchestrate/index.ts';
import type { Outbound } from '../../src/outbound/index.ts';
import { createScheduler, type ScheduleKind, type Scheduler } from '../../src/schedule/index.ts';
import type { Store } from '../../src/store/index.ts';
import { createWorld, type World } from '../../src/world.ts';

/** What stands behind the port to people. */
export interface Teller {
  readonly messages: Messages;
  readonly deliverers?: Readonly<Record<string, Deliverer>>;
  close?(): void;
}

export type TellerRooms = Pick<OrchestrateRooms, 'config' | 'store' | 'engine' | 'audit' | 'secrets' | 'world'>;

export interface OrchestrateOptions {
  readonly store: Store;
  readonly config: Config;
  readonly world?: World;
  /** Attempts at once, and how long their leases last; default 8, and 10 s. */
  readonly engine?: { readonly slots?: number; readonly leaseSeconds?: number };
  /** What tasks can be. */
  readonly specs?: readonly ComponentSpec[];
  /** What else the engine executes and tells, for components that start runs of other rooms. */
  readonly components?: readonly Component[];
  readonly observers?: readonly RunObserver[];
  /** Default: messages are only kept in `messages`. */
  readonly teller?: (rooms: TellerRooms) => Teller;
  /** Instead of the rooms that this opens. */
  readonly rooms?: Partial<OrchestrateRooms>;
}

export interface OpenOrchestrate {
  readonly access: OpenAccess;
  readonly engine: OpenEngine;
  readonly scheduler: Scheduler;
  /** How the scheduler reads and fires the schedules of orchestrations. */
  readonly kind: ScheduleKind;
  readonly rooms: OrchestrateRooms;
  readonly orchestrate: Orchestrate;
  /** What people were to be told, where no teller was given. */
  readonly messages: readonly Message[];
  /** The first administrator, with the master token. */
  asAdmin(): Promise<Scope>;
  /** Closes all of this but the store. */
  close(): Promise<void>;
}

/** Joins the room orchestrate with those it needs, as `platform.ts` does. Nothing works, ticks or listens yet. */
export async function openOrchestrate(options: OrchestrateOptions): Promise<OpenOrchestrate> {
  const { store, config, world = createWorld() } = options;
  const access = await createAccess({ store, config, world });
  const components: Component[] = [];
  const observers: RunObserver[] = [];
  const deliverers: Record<string, Deliverer> = {};
  const { slots = 8, leaseSeconds = 10 } = options.engine ?? {};
  const settings = { slots, leaseSeconds };
  const engine = await createEngine({ store, world, components, observers, deliverers, settings });
  const kind = orchestrationSchedules((tx, ticks) => orchestrate.schedules.fireAll(tx, ticks));
  const onFire = { [ORCHESTRATION_SCHEDULE]: kind };
  const scheduler = createScheduler({ store, onFire, catchUpMinutes: 60, log: () => {} });
  const base = { config, world, store, engine, tokens: access.tokens, secrets: access.secrets, audit: access.audit };
  const messages: Message[] = [];
  const teller = options.teller?.(base) ?? keepMessages(messages);
  const rooms: OrchestrateRooms = {
    ...base,
    scheduler,
    outbound: closedOutbound,
    components: options.specs ?? [],
    messages: teller.messages,
    ownOrigins: () => [],
    version: '0.0.0',
    ...options.rooms,
  };
  const orchestrate: Orchestrate = createOrchestrate(rooms);
  components.push(...orchestrate.engineComponents, ...(options.components ?? []));
  observers.push(...orchestrate.observers, ...(options.observers ?? []));
  Object.assign(deliverers, orchestrate.deliverers, teller.deliverers);
  return {
    access,
    engine,
    scheduler,
    kind,
    rooms,
    orchestrate,
    messages,
    asAdmin: () => adminScope({ access, config, store }),
    async close() {
      await engine.close();
      teller.close?.();
    },
  };
}

function keepMessages(messages: Message[]): Teller {
  return {
    messages: { send: async (_tx, more) => void messages.push(...more), countOfCause: async () => 0 },
  };
}

async function adminScope({
  access,
  config,
  store,
}: Pick<OpenOrchestrate, 'access'> & Pick<OrchestrateOptions, 'config' | 'store'>): Promise<Scope> {
  const { id } = await store.db.selectFrom('users').select('id').limit(1).executeTakeFirstOrThrow();
  const principal = { userId: Number(id), username: 'admin', role: 'admin', sessionId: null } as const;
  const token = await access.tokens.masterOf(principal);
  return {
    project: String(config.projectId),
    caller: { token, userAgent: 'test', parentPath: null },
    actor: { principal, face: 'keboola' },
  };
}

const closedOutbound: Outbound = {
  checkUrl: (text) => new URL(text).href,
  trustOf: () => 'trusted',
  request: () => Promise.reject(new Error('nobody is called here')),
};
