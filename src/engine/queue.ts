import { CompiledQuery, sql } from 'kysely';
import { PgBoss } from 'pg-boss';
import type { Db as BossDatabase } from 'pg-boss';
import { KEEP_PLAN } from '../store/index.ts';
import type { Store, Transaction } from '../store/index.ts';
import type { QueuedTask } from './tables/rows.ts';

/**
 * The port over pg-boss: which task may be claimed next, by priority and due time. A job is one dispatch of a task and
 * lives only while the task is queued: it is fetched and removed in the transaction that claims the task, so that the
 * lease of the attempt is the only lease there is (README, "Leases").
 */
export interface Queue {
  /** Adds jobs in the caller's transaction. */
  enqueue(tx: Transaction, tasks: readonly QueuedTask[], delay?: Delay): Promise<void>;
  /** Takes up to `limit` due jobs out of a queue, in the caller's transaction: its rollback puts them back. */
  take(tx: Transaction, queue: QueueName, limit: number): Promise<readonly Dispatch[]>;
  /** Removes jobs of tasks that will not be claimed. */
  drop(tx: Transaction, jobs: readonly QueuedJob[]): Promise<void>;
  stop(): Promise<void>;
}

/** Tasks that need a slot, and tasks that only wait for others and need none. */
export const queueNames = ['task', 'waiting-task'] as const;
export type QueueName = (typeof queueNames)[number];

export interface QueuedJob {
  readonly jobId: string | null;
  readonly waits: boolean;
}

export interface Dispatch {
  readonly taskId: string;
  readonly hasConcurrencyKey: boolean;
}

export type Delay = { readonly seconds: number } | { readonly until: Date };

const SCHEMA = 'pgboss';
const YEAR_SECONDS = 365 * 24 * 3600;

/** Creates or migrates pg-boss's schema and our queue. Call it where the migrations run, before any `openQueue`. */
export async function installQueue(store: Store): Promise<void> {
  const boss = new PgBoss({
    db: { executeSql: (text, values = []) => runOnPool(store, text, values) },
    schema: SCHEMA,
    migrate: true,
    createSchema: true,
    supervise: false,
    schedule: false,
  });
  boss.on('error', () => undefined);
  await boss.start();
  try {
    const options = { retentionSeconds: YEAR_SECONDS, deleteAfterSeconds: 24 * 3600, retryLimit: 0 };
    for (const queue of queueNames) {
      if ((await boss.getQueue(queue)) === null) await boss.createQueue(queue, options);
      else await boss.updateQueue(queue, options);
    }
  } finally {
    await boss.stop({ graceful: false, close: false });
  }
}

/** Opens the queue on an installed schema. pg-boss looks after its own tables; errors of that go to `onError`. */
export async function openQueue(store: Store, onError: (error: Error) => void): Promise<Queue> {
  const boss = new PgBoss({
    db: { executeSql: (text, values = []) => runOnPool(store, text, values) },
    schema: SCHEMA,
    migrate: false,
    createSchema: false,
    supervise: true,
    schedule: false,
  });
  boss.on('error', onError);
  await boss.start();
  return {
    async enqueue(tx, tasks, delay) {
      const startAfter = delay && ('until' in delay ? delay.until.toISOString() : delay.seconds);
      for (const queue of queueNames) {
        const jobs = ofQueue(queue, tasks).map((task) => ({
          id: task.jobId,
          priority: task.priority,
          data: { taskId: task.taskId, hasConcurrencyKey: task.hasConcurrencyKey },
          ...(startAfter === undefined ? {} : { startAfter }),
        }));
        if (jobs.length > 0) await boss.insert(queue, jobs, { db: toBossDatabase(tx, KEEP_PLAN) });
      }
    },
    async take(tx, queue, limit) {
      const db = toBossDatabase(tx);
      const jobs = await boss.fetch<Dispatch>(queue, { batchSize: limit, db });
      if (jobs.length > 0)
        await boss.deleteJob(
          queue,
          jobs.map((job) => job.id),
          { db },
        );
      return jobs.map((job) => job.data);
    },
    async drop(tx, dropped) {
      for (const queue of queueNames) {
        const ids = await lockJobs(tx, { queue, ids: ofQueue(queue, dropped).flatMap(({ jobId }) => jobId ?? []) });
        if (ids.length > 0) await boss.deleteJob(queue, ids, { db: toBossDatabase(tx) });
      }
    },
    async stop() {
      await boss.stop({ graceful: false, close: false });
    },
  };
}

function ofQueue<T extends { readonly waits: boolean }>(queue: QueueName, tasks: readonly T[]): readonly T[] {
  return tasks.filter((task) => task.waits === (queue === 'waiting-task'));
}

/**
 * Those of the jobs that nobody is taking at this moment. Who takes one has locked it and waits for the run, which whoever
 * drops it holds: to wait for the job would be a deadlock. The taker finds that the task is not queued any more, and the
 * job is gone with that.
 */
async function lockJobs(
  tx: Transaction,
  { queue, ids }: { readonly queue: QueueName; readonly ids: readonly string[] },
): Promise<string[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<{ id: string }>`
    select id from ${sql.table(`${SCHEMA}.job`)} where name = ${queue} and id = any(${ids}::uuid[])
    for update skip locked`.execute(tx);
  return rows.map((row) => row.id);
}

/** pg-boss's own upkeep; its migrations are many statements in one text, of which the last answers. */
async function runOnPool(store: Store, text: string, values: unknown[]): Promise<{ rows: Record<string, unknown>[] }> {
  const result: unknown = await store.pool.query(text, values);
  const last = Array.isArray(result) ? result.at(-1) : result;
  return { rows: (last as { rows?: Record<string, unknown>[] } | undefined)?.rows ?? [] };
}

/** pg-boss's statements in our transaction. */
function toBossDatabase(tx: Transaction, mark = ''): BossDatabase {
  return {
    async executeSql(text, values = []) {
      const result = await tx.executeQuery<Record<string, unknown>>(CompiledQuery.raw(mark + text, values));
      return { rows: [...result.rows] };
    },
  };
}
