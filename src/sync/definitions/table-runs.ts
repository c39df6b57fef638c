import type { RunPlan, RunView, StartResult } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { policyOf } from './maintenance.ts';
import { entryOf, found } from './job-runs.ts';
import { catalogOf, snapshotOf } from './run-plans.ts';
import { findJobRow, lockJob, lockJobById, type JobRow } from './tables/jobs.ts';
import type { DefinitionRooms, Scope, Transaction } from './types.ts';

/** A run and what it did to each table; empty until it has ended. */
export interface TableRun {
  readonly run: RunView;
  readonly tables: readonly unknown[];
}

/** Runs on a job's tables beside its syncs: upkeep. They may go on while a sync does. */
export interface TableRuns {
  /** Queues upkeep of the job's tables; `skipped` while one is queued or running. */
  maintain(scope: Scope, id: number): Promise<'started' | 'skipped'>;
  /** The schedule is due, in the transaction that moves it on; a deleted or inactive job is left alone. */
  maintainBySchedule(tx: Transaction, id: number, dueAt: Date): Promise<void>;
  /** The newest run of the sort; undefined when there was none. */
  newest(project: string, id: number): Promise<TableRun | undefined>;
}

const HOUR = 3600_000;
const KEY = /^sync\.maintain\/([1-9]\d*)$/;

/** What the upkeep of a job's tables is called by engine and schedule. */
export function maintenanceKey(id: number): string {
  return `sync.maintain/${id}`;
}

/** The id in such a key. */
export function maintainedJobOf(key: string): number | undefined {
  const match = KEY.exec(key);
  return match ? Number(match[1]) : undefined;
}

export function createTableRuns(rooms: DefinitionRooms): TableRuns {
  const { store, engine } = rooms;
  return {
    maintain: (scope, id) =>
      store.transaction(async (tx) => {
        const row = found(await lockJob(tx, scope.project, id));
        const result = await start(rooms, tx, { row, trigger: 'manual', by: scope.actor.principal.username });
        if (!result)
          throw new Failure('bad_request', 'the destination of this job has no upkeep: its tables need none');
        await rooms.access.audit(tx, entryOf(scope, 'maintain tables of job', id));
        return result.outcome === 'started' ? 'started' : 'skipped';
      }),
    async maintainBySchedule(tx, id, dueAt) {
      const row = await lockJobById(tx, id);
      if (!row?.active) return;
      const idempotencyKey = `${maintenanceKey(id)}@${dueAt.toISOString()}`;
      await start(rooms, tx, { row, trigger: 'schedule', by: row.updated_by, idempotencyKey });
    },
    async newest(project, id) {
      found(await findJobRow(store.db, project, id));
      const { runs } = await engine.list({ project, definition: maintenanceKey(id), limit: 1, offset: 0 });
      const [run] = runs;
      return run && { run, tables: await tablesOf(engine, run) };
    },
  };
}

async function tablesOf(engine: DefinitionRooms['engine'], run: RunView): Promise<readonly unknown[]> {
  const [task] = await engine.tasks(run.id);
  return (task?.output as { tables?: readonly unknown[] } | null)?.tables ?? [];
}

interface Start extends Pick<RunPlan, 'trigger' | 'idempotencyKey'> {
  readonly row: JobRow;
  readonly by: string;
}

/** Undefined, and nothing queued, where the destination's tables need no upkeep. */
async function start(rooms: DefinitionRooms, tx: Transaction, work: Start): Promise<StartResult | undefined> {
  const { row, trigger, by, idempotencyKey } = work;
  const snapshot = await snapshotOf(tx, row, catalogOf(row));
  if (rooms.connectors.findDestination(snapshot.destination.type).maintains !== true) return undefined;
  const key = maintenanceKey(row.id);
  const retry = { limit: 2, firstDelayMs: 60_000, factor: 5, longestDelayMs: HOUR };
  const input = { policy: policyOf(snapshot.advanced) };
  return rooms.engine.start(
    {
      kind: 'maintain',
      project: row.project,
      definition: key,
      concurrencyKey: key,
      snapshot,
      trigger,
      createdBy: by,
      ...(idempotencyKey && { idempotencyKey }),
      phases: [[{ key: 'maintain', component: 'penstock.maintain', input, timeoutMs: 12 * HOUR, retry }]],
    },
    tx,
  );
}
