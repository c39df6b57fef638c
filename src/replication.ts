import { CompiledQuery } from 'kysely';
import type { Access } from './access/index.ts';
import type { Config } from './config.ts';
import { loadConnectors } from './connectors/index.ts';
import type { Component, Engine, RunObserver } from './engine/index.ts';
import { createSqlCatalog, type CatalogPort } from './lakehouse/index.ts';
import { parseFrequency, type Scheduler } from './schedule/index.ts';
import type { Queryable, Store, Transaction } from './store/index.ts';
import {
  createClearComponent,
  createProber,
  createRunObservers,
  createSync,
  createSyncComponent,
  jobIdOf,
  loadState,
  saveState,
  type Sync,
} from './sync/index.ts';
import type { World } from './world.ts';

export interface ReplicationRooms {
  readonly config: Config;
  readonly world: World;
  readonly store: Store;
  readonly access: Access;
  readonly engine: Engine;
  readonly scheduler: Scheduler;
}

/** The sync room with what it brings to the engine and to the schedule. */
export interface Replication {
  readonly sync: Sync;
  readonly components: readonly Component[];
  readonly observers: readonly RunObserver[];
  /** The schedule of a job is due; the run starts in the transaction that moves the schedule on. */
  fire(tx: Transaction, key: string, dueAt: Date): Promise<void>;
}

/** Joins the sync room with connectors, lakehouse, schedule and engine. */
export async function createReplication(rooms: ReplicationRooms): Promise<Replication> {
  const { config, world, store, access, engine, scheduler } = rooms;
  const probe = { world, config, catalogIn, transaction: store.transaction };
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
    prober: createProber(probe),
    schedule: {
      check: (frequency) => void parseFrequency(frequency),
      set: (tx, key, frequency) => scheduler.set(tx, { key, frequency }),
      remove: (tx, key) => scheduler.remove(tx, key),
    },
  });
  return {
    sync,
    components: [createSyncComponent(ports), createClearComponent(ports)],
    observers: createRunObservers((tx, message) => engine.publish(tx, message)),
    async fire(tx, key, dueAt) {
      const jobId = jobIdOf(key);
      if (jobId !== undefined) await sync.runs.syncBySchedule(tx, jobId, dueAt);
    },
  };
}

/** The built-in table catalog of a project, in the tables of our own store; inside the caller's transaction, if it is one. */
export function catalogIn(db: Queryable, project: string): CatalogPort {
  return createSqlCatalog({
    catalogName: project,
    async query(text, values) {
      const result = await db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...values]));
      const changed = result.numAffectedRows;
      return { rows: result.rows, rowCount: changed === undefined ? result.rows.length : Number(changed) };
    },
  });
}
