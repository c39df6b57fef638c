import type { Attempt, LogPage, LogQuery, RunView } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import type { TableName } from '../../lakehouse/index.ts';
import { selectedIds, selectedTables } from '../catalog/difference.ts';
import type { Catalog } from '../types.ts';
import { startForComponent, type ComponentAsk, type ComponentStart } from './component-starts.ts';
import { isStorable } from './json.ts';
import { busyWith, restsFromFailure } from './last-run.ts';
import { catalogOf, jobKey, startRun } from './run-plans.ts';
import { forgetStreams, loadState, saveState } from './state.ts';
import { findJobRow, listJobsAt, lockJob, lockJobById, type JobRow } from './tables/jobs.ts';
import type { ConnectionKind, DefinitionRooms, Page, Paging, Scope, Transaction } from './types.ts';

/** Runs of jobs: starting, ending, looking at them. Every call answers `not_found` for a job the project has not. */
export interface JobRuns {
  /** Queues a sync. `skipped` while one is queued or running; `conflict` during a clear; `bad_request` when inactive. */
  sync(scope: Scope, id: number): Promise<'started' | 'skipped'>;
  /**
   * The schedule is due, in the transaction that moves it on: as `sync`, but an inactive, deleted or busy job is left
   * alone, one that stays on rests for a while after a failure, and one instant starts at most one run.
   */
  syncBySchedule(tx: Transaction, id: number, dueAt: Date): Promise<'started' | 'skipped'>;
  /** Asks a running sync to end; nothing happens when none runs, and a clear is never ended. */
  cancel(scope: Scope, id: number): Promise<void>;
  /** Queues a clear of all selected streams. `conflict` while anything runs; `bad_request` when inactive. */
  clear(scope: Scope, id: number): Promise<void>;
  /** Whether a clear runs, and the tables that one would drop now; none for a job whose streams are a draft. */
  planClear(project: string, id: number): Promise<ClearPlan>;
  /** Queues an interrupted clear again; nothing happens when the newest run is no ended clear. */
  recoverClear(scope: Scope, id: number): Promise<'started' | 'skipped'>;
  list(project: string, id: number, paging: Paging): Promise<Page<RunView>>;
  /** `not_found` for a run of another job. */
  get(project: string, id: number, runId: string): Promise<RunView>;
  /** A page of a run's log, without debug lines; `not_found` also when the log is past retention. */
  readLog(project: string, id: number, ask: { readonly runId: string } & Omit<LogQuery, 'hideDebug'>): Promise<LogPage>;
  /** The whole log as NDJSON, in bounded pieces. Call `get` first. */
  streamLog(runId: string): AsyncIterable<string>;
  /** Starts a run for a component that waits for it: `startForComponent`. */
  startAsChild(attempt: Attempt, ask: ComponentAsk): Promise<ComponentStart>;
  /** Asks the run of such a component to end as cancelled, because its child was cancelled. */
  cancelAlike(attempt: Attempt): Promise<void>;
  /** Ends running syncs of the jobs at these connections. */
  cancelAt(kind: ConnectionKind, ids: readonly number[], by: string): Promise<void>;
}

export interface ClearPlan {
  readonly running: boolean;
  readonly tables: readonly { readonly stream: string; readonly table: TableName }[];
}

const MOST_RUNS = 1000;

export function createJobRuns(rooms: DefinitionRooms): JobRuns {
  const { store, engine } = rooms;
  const need = async (project: string, id: number) => found(await findJobRow(store.db, project, id));
  async function runOf(project: string, id: number, runId: string): Promise<RunView> {
    await need(project, id);
    const run = isStorable(runId) ? await engine.get(runId) : undefined;
    if (run?.definition !== jobKey(id) || run.project !== project) throw new Failure('not_found', 'no such run');
    return run;
  }
  return {
    sync: (scope, id) => store.transaction((tx) => sync(rooms, tx, { scope, id })),
    syncBySchedule: (tx, id, dueAt) => syncBySchedule(rooms, tx, { id, dueAt }),
    async cancel(scope, id) {
      const busy = busyWith(await need(scope.project, id));
      await rooms.access.audit(store.db, entryOf(scope, 'cancel job', id));
      if (busy?.type === 'sync') await engine.cancel(busy.id, scope.actor.principal.username);
    },
    clear: (scope, id) => store.transaction((tx) => clear(rooms, tx, { scope, id })),
    async planClear(project, id) {
      const row = await need(project, id);
      return { running: busyWith(row)?.type === 'clear', tables: selectedTables(draftOf(row)) };
    },
    recoverClear: (scope, id) => store.transaction((tx) => recoverClear(rooms, tx, { scope, id })),
    async list(project, id, { limit = MOST_RUNS, offset }) {
      await need(project, id);
      const { runs, total } = await engine.list({ project, definition: jobKey(id), limit, offset });
      return { items: runs, total };
    },
    get: runOf,
    async readLog(project, id, { runId, ...query }) {
      await runOf(project, id, runId);
      const page = await engine.readLog(runId, { ...query, hideDebug: true });
      if (!page) throw new Failure('not_found', 'no such log');
      return page;
    },
    streamLog: (runId) => engine.streamLog(runId),
    startAsChild: (attempt, ask) => startForComponent(rooms, attempt, ask),
    cancelAlike: async (attempt) => void (await engine.cancel(attempt.run.id, 'the cancel of what it waited for')),
    cancelAt: (kind, ids, by) => cancelAt(rooms, { kind, ids, by }),
  };
}

interface Ask {
  readonly scope: Scope;
  readonly id: number;
}

async function sync(rooms: DefinitionRooms, tx: Transaction, { scope, id }: Ask): Promise<'started' | 'skipped'> {
  const row = found(await lockJob(tx, scope.project, id));
  if (!row.active) throw new Failure('bad_request', 'the job is inactive; activate it first');
  const busy = busyWith(row);
  if (busy?.type === 'clear') throw new Failure('conflict', 'the destination is being cleared; wait until that ends');
  if (busy) return 'skipped';
  const by = scope.actor.principal.username;
  const result = await startRun(rooms, tx, { row, kind: 'sync', trigger: 'manual', by, catalog: catalogOf(row) });
  await rooms.access.audit(tx, entryOf(scope, 'sync job', id));
  return result.outcome === 'started' ? 'started' : 'skipped';
}

async function syncBySchedule(
  rooms: DefinitionRooms,
  tx: Transaction,
  { id, dueAt }: { readonly id: number; readonly dueAt: Date },
): Promise<'started' | 'skipped'> {
  const row = await lockJobById(tx, id);
  if (!row?.active || busyWith(row) || restsFromFailure(row, dueAt)) return 'skipped';
  const catalog = draftOf(row);
  const idempotencyKey = `${jobKey(id)}@${dueAt.toISOString()}`;
  const work = { row, kind: 'sync', trigger: 'schedule', by: row.updated_by, catalog, idempotencyKey } as const;
  const result = await startRun(rooms, tx, work);
  return result.outcome === 'started' ? 'started' : 'skipped';
}

/** A draft that is no catalog selects nothing: the run fails with a sentence of its own, where people see it. */
function draftOf(row: JobRow): Catalog {
  try {
    return catalogOf(row);
  } catch {
    return { selected_streams: {}, streams: [] };
  }
}

async function clear(rooms: DefinitionRooms, tx: Transaction, { scope, id }: Ask): Promise<void> {
  const row = found(await lockJob(tx, scope.project, id));
  if (!row.active) throw new Failure('bad_request', 'the job is inactive; activate it first');
  if (busyWith(row)) throw new Failure('conflict', 'a run of this job has not ended');
  await startClear(rooms, tx, { row, scope, catalog: catalogOf(row) });
}

/** Queues a clear of a locked, idle job and empties its state in the same transaction. `only` narrows it to streams. */
export async function startClear(
  rooms: DefinitionRooms,
  tx: Transaction,
  work: { readonly row: JobRow; readonly scope: Scope; readonly catalog: Catalog; readonly only?: readonly string[] },
): Promise<void> {
  const { row, scope, catalog, only } = work;
  const id = row.id;
  await saveState(tx, id, only ? forgetStreams(await loadState(tx, id), only) : {});
  const by = scope.actor.principal.username;
  const clearStreams = only ?? selectedIds(catalog);
  const result = await startRun(rooms, tx, { row, kind: 'clear', trigger: 'manual', by, catalog, clearStreams });
  if (result.outcome !== 'started') throw new Failure('conflict', 'a run of this job has not ended');
  await rooms.access.audit(tx, entryOf(scope, 'clear destination of job', id));
}

async function recoverClear(
  rooms: DefinitionRooms,
  tx: Transaction,
  { scope, id }: Ask,
): Promise<'started' | 'skipped'> {
  const row = found(await lockJob(tx, scope.project, id));
  if (
    row.last_run_type !== 'clear' ||
    row.last_run_id === null ||
    row.last_run_state === 'succeeded' ||
    busyWith(row)
  ) {
    return 'skipped';
  }
  const run = await rooms.engine.get(row.last_run_id);
  const before = run?.snapshot as { catalog?: Catalog; clearStreams?: readonly string[] } | undefined;
  const catalog = before?.catalog ?? catalogOf(row);
  await startClear(rooms, tx, { row, scope, catalog, ...(before?.clearStreams && { only: before.clearStreams }) });
  return 'started';
}

async function cancelAt(
  rooms: DefinitionRooms,
  { kind, ids, by }: { readonly kind: ConnectionKind; readonly ids: readonly number[]; readonly by: string },
): Promise<void> {
  for (const job of await listJobsAt(rooms.store.db, kind, ids)) {
    const busy = busyWith(job);
    if (busy?.type === 'sync') await rooms.engine.cancel(busy.id, by);
  }
}

/** The audit row of something done to a job. */
export function entryOf(scope: Scope, action: string, id: number) {
  return { ...scope.actor, action, project: scope.project, subject: jobKey(id) };
}

export function found(row: JobRow | undefined): JobRow {
  if (row === undefined) throw new Failure('not_found', 'no such job');
  return row;
}
