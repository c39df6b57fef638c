import type { Store, Transaction } from '../store/index.ts';
import type { World } from '../world.ts';
import type { EngineLog, EngineMetrics } from './metrics.ts';
import type { Queue } from './queue.ts';
import type { Signals } from './signals.ts';
import type { Component, Deliverer, RunObserver } from './types.ts';

export interface EngineSettings {
  /** Tasks that one worker executes at once. */
  readonly slots: number;
  /** Tasks that only wait for others (`TaskPlan.waits`) and that one worker holds at once. */
  readonly mostWaiting: number;
  /** How long an attempt outlives its worker. */
  readonly leaseSeconds: number;
  /** Days that ended runs are kept with all that belongs to them. */
  readonly runsRetentionDays: number;
  /** Largest log of one run, in bytes. */
  readonly logLimitBytes: number;
}

/** What every part of the engine works with. */
export interface EngineContext {
  readonly store: Store;
  readonly world: World;
  readonly queue: Queue;
  readonly signals: Signals;
  readonly components: ReadonlyMap<string, Component>;
  readonly observers: readonly RunObserver[];
  readonly deliverers: Readonly<Record<string, Deliverer>>;
  readonly metrics: EngineMetrics;
  readonly log: EngineLog;
  readonly settings: EngineSettings;
  /** Until when (of `elapsed`) this process is taken to be accepting many runs at once. */
  readonly crowd: { until: number };
  /** Names this process in attempts and signals. */
  readonly instance: string;
}

/** Collects what is to be told after a transaction commits, so that nothing is told of one that does not. */
export interface AfterCommit {
  readonly tx: Transaction;
  readonly effects: (() => void)[];
}

/** Runs `work` in a transaction and its effects after the commit; a repeated transaction starts with no effects. */
export async function transact<T>(context: EngineContext, work: (commit: AfterCommit) => Promise<T>): Promise<T> {
  let effects: (() => void)[] = [];
  const result = await context.store.transaction((tx) => {
    effects = [];
    return work({ tx, effects });
  });
  for (const effect of effects) effect();
  return result;
}
