import type { Store } from '../store/index.ts';
import { newId } from '../world.ts';
import type { World } from '../world.ts';
import { applyCallback } from './callback.ts';
import { cancelRun } from './cancel.ts';
import type { EngineContext, EngineSettings } from './context.ts';
import { followRunLog, readLogPage, streamWholeLog } from './log-reader.ts';
import { writeNote } from './logs.ts';
import type { EngineLog, EngineMetrics } from './metrics.ts';
import { createTellAgain, TELL_AGAIN } from './observers.ts';
import { openQueue } from './queue.ts';
import { createWaiter, openSignals } from './signals.ts';
import { startRun, startRuns } from './start.ts';
import { insertMessage, readMessageState } from './tables/outbox.ts';
import { listChildren, listRuns, listTasks, readRun, readRunByNumber } from './tables/read.ts';
import { toRunView, toTaskView } from './tables/rows.ts';
import type { Component, Deliverer, Engine, RunObserver, RunQuery, RunView, Worker } from './types.ts';
import { startWorkerLoop } from './worker.ts';

export interface EngineOptions {
  readonly store: Store;
  readonly world: World;
  /** May grow until the worker starts; a worker knows those that are there when it claims. */
  readonly components: readonly Component[];
  readonly observers: readonly RunObserver[];
  /** By topic. A process without the deliverer of a topic leaves its messages to others. */
  readonly deliverers: Readonly<Record<string, Deliverer>>;
  readonly settings: Pick<EngineSettings, 'slots' | 'leaseSeconds'> & Partial<EngineSettings>;
  readonly metrics?: EngineMetrics;
  readonly log?: EngineLog;
}

const SETTLED_POLL_MS = 500;

/** An engine that can also be closed. */
export interface OpenEngine extends Engine {
  /** Stops its workers without grace, and its listening. The store stays open. */
  close(): Promise<void>;
}

/** Opens the engine on a store whose migrations and queue (`installQueue`) are in place. */
export async function createEngine(options: EngineOptions): Promise<OpenEngine> {
  const log: EngineLog = options.log ?? (() => undefined);
  const instance = newId(options.world, 'w');
  const context: EngineContext = {
    store: options.store,
    world: options.world,
    queue: await openQueue(options.store, (error) =>
      log('warn', 'pg-boss reports a problem', { error: String(error) }),
    ),
    signals: await openSignals(options.store, instance),
    components: new Map(options.components.map((component) => [component.name, component])),
    observers: options.observers,
    deliverers: options.deliverers,
    metrics: options.metrics ?? {},
    log,
    settings: { mostWaiting: 5000, runsRetentionDays: 30, logLimitBytes: 64 * 1024 * 1024, ...options.settings },
    crowd: { until: -Infinity },
    instance,
  };
  return toEngine(context, options);
}

function toEngine(context: EngineContext, options: EngineOptions): OpenEngine {
  const { db } = context.store;
  const workers: Worker[] = [];
  return {
    start: (plan, tx) => startRun(context, plan, tx),
    startMany: (plans, tx) => startRuns(context, plans, tx),
    note: (tx, runId, line) => writeNote(context, tx, { runId, ...line }),
    get: (runId) => getRun(context, runId),
    async getByNumber(number) {
      const row = Number.isSafeInteger(number) ? await readRunByNumber(db, number) : undefined;
      return row && toRunView(row);
    },
    children: async (runIds) => (await listChildren(db, runIdsOf(runIds))).map(toRunView),
    async list(query) {
      if (canMatchNothing(query)) return { runs: [], total: 0 };
      const { runs, total } = await listRuns(db, query);
      return { runs: runs.map(toRunView), total };
    },
    tasks: async (runIds) => (await listTasks(db, runIdsOf(runIds))).map(toTaskView),
    cancel: async (runId, by, conditions) =>
      isRunId(runId) && cancelRun(context, { ...conditions, runId, by: by.replaceAll('\0', '') }),
    settled: (runId, timeoutMs) => waitUntilSettled(context, runId, timeoutMs),
    callback: (key, result) => applyCallback(context, key, result),
    readLog: async (runId, query) => (isRunId(runId) ? readLogPage(db, runId, query) : undefined),
    streamLog: (runId) => (isRunId(runId) ? streamWholeLog(db, runId) : nothing()),
    followLog: (runId, follow) => (isRunId(runId) ? followRunLog(context, runId, follow) : nothing()),
    async publish(tx, message) {
      await insertMessage(tx, message);
      await context.signals.sendWith(tx, 'outbox');
    },
    outboxState: async (key) => (key.includes('\0') ? undefined : readMessageState(db, key)),
    async startWorker() {
      const components = new Map(options.components.map((component) => [component.name, component]));
      const deliverers = { ...context.deliverers, [TELL_AGAIN]: createTellAgain(context) };
      const worker = startWorkerLoop({ ...context, components, deliverers });
      workers.push(worker);
      return worker;
    },
    async close() {
      for (const worker of workers) await worker.stop(0);
      await context.queue.stop();
      await context.signals.stop();
    },
  };
}

/** Ids come from outside; what cannot be one (a NUL character would be an error in the database) is unknown. */
function isRunId(text: string): boolean {
  return /^r_[0-9A-Z]{1,64}$/.test(text);
}

function runIdsOf(given: string | readonly string[]): readonly string[] {
  return (typeof given === 'string' ? [given] : given).filter(isRunId);
}

/** A NUL character is in no row, and would be an error in the database; nor is a path of anything but numbers. */
function canMatchNothing(query: RunQuery): boolean {
  const labels = [query.labels ?? {}, ...(query.withoutLabels ?? [])].flatMap((some) => Object.entries(some).flat());
  const pathTexts = query.paths?.map(({ text }) => text) ?? [];
  const texts = [query.project, query.definition, query.kind, ...labels, ...(query.labelled ?? []), ...pathTexts];
  const paths = [query.path, query.pathPrefix].filter((path) => path !== undefined);
  return texts.some((text) => text?.includes('\0')) || paths.some((path) => !/^\d+(\.\d+)*$/.test(path));
}

async function* nothing(): AsyncIterable<never> {}

async function getRun(context: EngineContext, runId: string): Promise<RunView | undefined> {
  if (!isRunId(runId)) return undefined;
  const row = await readRun(context.store.db, runId);
  return row && toRunView(row);
}

async function waitUntilSettled(
  context: EngineContext,
  runId: string,
  timeoutMs: number,
): Promise<RunView | undefined> {
  const waiter = createWaiter();
  const stop = context.signals.on('run', (subject) => {
    if (subject === runId) waiter.wake();
  });
  const end = context.world.elapsed() + timeoutMs;
  try {
    for (;;) {
      const run = await getRun(context, runId);
      const left = end - context.world.elapsed();
      if (run === undefined || run.endedAt !== null || left <= 0) return run;
      await waiter.wait(Math.min(left, SETTLED_POLL_MS));
    }
  } finally {
    stop();
  }
}
