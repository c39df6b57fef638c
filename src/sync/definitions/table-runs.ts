import type { RunPlan, RunView, StartResult } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { policyOf } from './maintenance.ts';
import { entryOf, found } from './job-runs.ts';
import { catalogOf, snapshotOf } from './run-plans.ts';
import { findJobRow, lockJob, lockJobById, type JobRow } from './tables/jobs.ts';
import type { DefinitionRooms, Scope, Transaction } from './types.ts';

/** `maintain`: upkeep of the tables. `verify`: source and tables compared whole. */
export type TableRunKind = 'maintain' | 'verify';

/** A run and what it says of each table; empty until it has ended. */
export interface TableRun {
  readonly run: RunView;
  readonly tables: readonly unknown[];
}

/** Runs on a job's tables beside its syncs. They may go on while a sync does. */
export interface TableRuns {
  /** Queues such a run; `skipped` while one of the sort is queued or running; `bad_request` where it has no sense. */
  start(scope: Scope, id: number, kind: TableRunKind): Promise<'started' | 'skipped'>;
  /** The schedule is due, in the transaction that moves it on; a deleted or inactive job is left alone. */
  maintainBySchedule(tx: Transaction, id: number, dueAt: Date): Promise<void>;
  /** The newest run of the sort; undefined when there was none. */
  newest(project: string, id: number, kind: TableRunKind): Promise<TableRun | undefined>;
}

const HOUR = 3600_000;
const KEY = /^sync\.maintain\/([1-9]\d*)$/;

/** What the runs of this sort on a job's tables are called by engine and schedule. */
export function tableRunKey(kind: TableRunKind, id: number): string {
  return `sync.${kind}/${id}`;
}

/** The id in the key of an upkeep. */
export function maintainedJobOf(key: string): number | undefined {
  const match = KEY.exec(key);
  return match ? Number(match[1]) : undefined;
}

export function createTableRuns(rooms: DefinitionRooms): TableRuns {
  const { store, engine } = rooms;
  return {
    start: (scope, id, kind) =>
      store.transaction(async (tx) => {
        const row = found(await lockJob(tx, scope.project, id));
        const result = await start(rooms, tx, { row, kind, trigger: 'manual', by: scope.actor.principal.username });
        if (!result)
          throw new Failure('bad_request', 'the destination of this job has no upkeep: its tables need none');
        await rooms.access.audit(tx, entryOf(scope, `${kind} tables of job`, id));
        return result.outcome === 'started' ? 'started' : 'skipped';
      }),
    async maintainBySchedule(tx, id, dueAt) {
      const row = await lockJobById(tx, id);
      if (!row?.active) return;
      const idempotencyKey = `${tableRunKey('maintain', id)}@${dueAt.toISOString()}`;
      await start(rooms, tx, { row, kind: 'maintain', trigger: 'schedule', by: row.updated_by, idempotencyKey });
    },
    async newest(project, id, kind) {
      found(await findJobRow(store.db, project, id));
      const { runs } = await engine.list({ project, definition: tableRunKey(kind, id), limit: 1, offset: 0 });
      const [run] = runs;
      return run && { run, tables: await tablesOf(engine, run) };
    },
  };
}

async function tablesOf(engine: DefinitionRooms['engine'], run: RunView): Promise<readonly unknown[]> {
  const [task] = await engine.tasks(run.id);
  const output = task?.output as { tables?: readonly unknown[]; streams?: readonly unknown[] } | null;
  return output?.tables ?? output?.streams ?? [];
}

interface Start extends Pick<RunPlan, 'trigger' | 'idempotencyKey'> {
  readonly row: JobRow;
  readonly kind: TableRunKind;
  readonly by: string;
}

/** Undefined, and nothing queued, where the destination's tables need no upkeep. */
async function start(rooms: DefinitionRooms, tx: Transaction, work: Start): Promise<StartResult | undefined> {
  const { row, kind, trigger, by, idempotencyKey } = work;
  const snapshot = await snapshotOf(tx, row, catalogOf(row));
  const { maintains } = rooms.connectors.findDestination(snapshot.destination.type);
  if (kind === 'maintain' && maintains !== true) return undefined;
  const key = tableRunKey(kind, row.id);
  const retry = { limit: 2, firstDelayMs: 60_000, factor: 5, longestDelayMs: HOUR };
  const input = { policy: policyOf(snapshot.advanced) };
  return rooms.engine.start(
    {
      kind,
      project: row.project,
      definition: key,
      concurrencyKey: key,
      snapshot,
      trigger,
      createdBy: by,
      ...(idempotencyKey && { idempotencyKey }),
      phases: [[{ key: kind, component: `penstock.${kind}`, input, timeoutMs: 12 * HOUR, retry }]],
    },
    tx,
  );
}
