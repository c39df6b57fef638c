import { createWorld } from '../../../src/world.ts';
import { component } from '../../../src/components/sync/index.ts';
import type { ComponentPorts } from '../../../src/components/kit/index.ts';
import { loadConnectors } from '../../../src/connectors/index.ts';
import type { Attempt, Component, RunView } from '../../../src/engine/index.ts';
import { createLab, type Lab } from '../../../src/orchestrate/lab.test-support.ts';
import { createRunObservers, createSync, type Scope, type Sync, type SyncSnapshot } from '../../../src/sync/index.ts';

/** Syncs and clears whose end a test decides. */
export interface Moves {
  /** Ids of the runs that go on now, in the order of their begin. */
  readonly running: string[];
  /** Streams that each run was to move, by run id. */
  readonly streams: Map<string, readonly string[]>;
  release(runId: string, result?: Error): void;
}

export interface SyncRig {
  readonly lab: Lab;
  readonly sync: Sync;
  readonly scope: Scope;
  readonly moves: Moves;
  addJob(more?: { readonly frequency?: string; readonly mode?: string }): Promise<number>;
  /** Starts the component; answers its run. */
  start(parameters: Readonly<Record<string, unknown>>): Promise<RunView>;
  ended(runId: string): Promise<RunView>;
  childrenOf(runId: string): Promise<readonly RunView[]>;
  close(): Promise<void>;
}

const STREAMS = ['orders', 'customers', 'items'];

/** The component over real engine, store and sync room; only what moves rows is a stand-in that the test lets end. */
export async function startSyncRig(): Promise<SyncRig> {
  const { moves, components } = createMoves();
  let lab: Lab | undefined;
  let sync: Sync | undefined;
  const unused = new Proxy({}, { get: () => () => Promise.reject(new Error('not used here')) });
  const spec = component({
    ...(unused as ComponentPorts),
    world: createWorld(),
    syncs: {
      start: (attempt: Attempt, ask) => sync!.runs.startAsChild(attempt, ask),
      cancelAlike: (attempt: Attempt) => sync!.runs.cancelAlike(attempt),
    },
  });
  const observers = createRunObservers((tx, message) => lab!.engine.publish(tx, message));
  lab = await createLab({ specs: [spec], components, observers });
  const { store, engine, access } = lab;
  sync = createSync({
    world: createWorld(),
    store,
    engine,
    access,
    connectors: await loadConnectors(),
    dataDir: '',
    prober: unused as never,
    schedule: { check: () => {}, set: async () => {}, remove: async () => {} },
  });
  const scope = { project: 'olake', actor: lab.scope().actor } as Scope;
  let jobs = 0;
  return {
    lab,
    sync,
    scope,
    moves,
    addJob: ({ frequency = 'manual', mode = 'full_refresh' } = {}) =>
      sync.jobs.create(scope, jobInput(`job ${++jobs}`, frequency, mode)),
    async start(body) {
      const path = '/components/penstock.sync/run';
      const ask = { component: 'penstock.sync', envelope: false, body, path };
      return (await lab.orchestrate.componentRuns.start(lab.scope(), ask)).run;
    },
    async ended(runId) {
      const run = await engine.settled(runId, 30_000);
      if (!run?.endedAt) throw new Error(`run ${runId} did not end`);
      return run;
    },
    childrenOf: (runId) => engine.children(runId),
    close: () => lab.close(),
  };
}

function createMoves(): { moves: Moves; components: readonly Component[] } {
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const running: string[] = [];
  const streams = new Map<string, readonly string[]>();
  const move = (name: string): Component => ({
    name,
    async execute(attempt) {
      const { catalog, clearStreams } = attempt.run.snapshot as SyncSnapshot;
      const chosen = Object.values(catalog.selected_streams).flatMap((all) => all.map((one) => one.stream_name));
      streams.set(attempt.run.id, clearStreams ?? chosen);
      const end = Promise.withResolvers<void>();
      ends.set(attempt.run.id, end);
      running.push(attempt.run.id);
      attempt.signal.addEventListener('abort', () => end.reject(attempt.signal.reason as Error));
      try {
        await end.promise;
      } finally {
        running.splice(running.indexOf(attempt.run.id), 1);
      }
      const counts = { inserted: 7, updated: 2, deleted: 1, quarantined: 0, chunks_total: 1, chunks_done: 1 };
      attempt.progress({
        records: 9,
        bytesRead: 340,
        streams: { 'public.orders': { rows: 9, ...counts, estimatedRows: 9 } },
        reconciliation: {},
      });
      return { outcome: 'succeeded' };
    },
  });
  const release: Moves['release'] = (runId, result) =>
    result ? ends.get(runId)!.reject(result) : ends.get(runId)!.resolve();
  return { moves: { running, streams, release }, components: [move('penstock.sync'), move('penstock.clear')] };
}

function jobInput(name: string, frequency: string, mode: string) {
  const streams = STREAMS.map((stream) => ({
    stream: {
      name: stream,
      namespace: 'public',
      type_schema: { properties: {} },
      supported_sync_modes: ['full_refresh', 'cdc'],
      source_defined_primary_key: ['id'],
      available_cursor_fields: ['id'],
      // One of them is never read from the log.
      sync_mode: stream === 'items' ? 'full_refresh' : mode,
      destination_database: 'shop:public',
      destination_table: stream,
    },
  }));
  return {
    name,
    frequency,
    active: true,
    source: {
      name: `source of ${name}`,
      type: 'postgres',
      version: 'v1',
      config: { host: 'nowhere', port: 1, database: 'd', username: 'u', password: 'p' },
    },
    destination: {
      name: `lake of ${name}`,
      type: 'parquet',
      version: 'v1',
      config: { type: 'PARQUET', writer: { local_path: '/tmp/nowhere' } },
    },
    streams: { selected_streams: { public: STREAMS.map((stream_name) => ({ stream_name })) }, streams },
  };
}
