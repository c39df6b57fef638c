import { Failure } from '../../errors.ts';
import { differCatalogs } from '../catalog/difference.ts';
import { parseCatalog } from '../catalog/parse.ts';
import type { AdvancedSettings, StateFile } from '../types.ts';
import { readForm, readObjectForm } from './form.ts';
import { entryOf, found, type JobRuns } from './job-runs.ts';
import { reschedule } from './job-schedule.ts';
import { addJob, checkJob, MustWait, replaceJob, type CheckedJob, type JobWritten } from './job-writes.ts';
import { busyWith, lastRunOf } from './last-run.ts';
import { catalogOf, isContinuous } from './run-plans.ts';
import { checkState, loadState } from './state.ts';
import * as rows from './tables/jobs.ts';
import type { DefinitionRooms, JobInput, JobQuery, JobView, Page, Scope, StreamDifference } from './types.ts';

/** How long an update waits for the sync that it ends. */
const WAIT_FOR_CANCEL = 30_000;

export interface Jobs {
  /** One statement, however many jobs there are. */
  list(project: string, query: JobQuery): Promise<Page<JobView>>;
  get(project: string, id: number): Promise<JobView>;
  /** Job, inline connections, schedule and audit: everything or nothing. */
  create(scope: Scope, input: JobInput): Promise<number>;
  /** Ends a running sync first (up to 30 s) when streams, source or destination change. */
  update(scope: Scope, id: number, input: JobInput): Promise<void>;
  /** Ends its run, takes it off the schedule, marks it deleted; answers its name. Written data stays. */
  remove(scope: Scope, id: number): Promise<string>;
  setActive(scope: Scope, id: number, active: boolean): Promise<void>;
  isNameTaken(project: string, name: string): Promise<boolean>;
  /** Streams whose tables must be cleared before the job may run with this catalog. */
  difference(project: string, id: number, updated: unknown): Promise<StreamDifference>;
  state(project: string, id: number): Promise<StateFile>;
  /** `conflict` while a run of the job has not ended; `bad_request` unless it is a state file. */
  putState(scope: Scope, id: number, state: unknown): Promise<void>;
}

export function createJobs(rooms: DefinitionRooms, runs: JobRuns): Jobs {
  const { store } = rooms;
  const need = async (project: string, id: number) => found(await rows.findJobRow(store.db, project, id));
  return {
    async list(project, query) {
      const page = await rows.listJobRows(store.db, { ...query, project });
      return { items: page.items.map(viewOf), total: page.total };
    },
    async get(project, id) {
      const page = await rows.listJobRows(store.db, { project, id, offset: 0 });
      const [row] = page.items;
      if (!row) throw new Failure('not_found', 'no such job');
      return viewOf(row);
    },
    async create(scope, input) {
      const job = checkJob(rooms, input);
      const written = await store.transaction((tx) => addJob(rooms, tx, { scope, job }));
      await cancelOthers(runs, written, scope);
      return written.id;
    },
    async update(scope, id, input) {
      const job = checkJob(rooms, input);
      await cancelOthers(runs, await replaceWhenIdle(rooms, { scope, id, job }), scope);
    },
    remove: (scope, id) => remove(rooms, scope, id),
    setActive: (scope, id, active) => setActive(rooms, { scope, id, active }),
    isNameTaken: (project, name) => rows.isJobNameTaken(store.db, project, name.trim()),
    async difference(project, id, updated) {
      const next = parseCatalog(readForm(updated, 'updated_streams_config').value);
      return differCatalogs(catalogOf(await need(project, id)), next);
    },
    state: async (project, id) => loadState(store.db, Number((await need(project, id)).id)),
    putState: (scope, id, state) => putState(rooms, { scope, id, state }),
  };
}

interface Replace {
  readonly scope: Scope;
  readonly id: number;
  readonly job: CheckedJob;
}

async function replaceWhenIdle(rooms: DefinitionRooms, work: Replace): Promise<JobWritten> {
  const until = rooms.world.elapsed() + WAIT_FOR_CANCEL;
  for (;;) {
    try {
      return await rooms.store.transaction((tx) => replaceJob(rooms, tx, work));
    } catch (error) {
      if (!(error instanceof MustWait)) throw error;
      const left = until - rooms.world.elapsed();
      if (left <= 0) throw new Failure('conflict', 'the running sync of this job did not end in 30 seconds');
      await rooms.engine.cancel(error.runId, work.scope.actor.principal.username);
      await rooms.engine.settled(error.runId, left);
    }
  }
}

async function cancelOthers(runs: JobRuns, written: JobWritten, scope: Scope): Promise<void> {
  const by = scope.actor.principal.username;
  if (written.changedSource !== undefined) await runs.cancelAt('source', [written.changedSource], by);
  if (written.changedDestination !== undefined) await runs.cancelAt('destination', [written.changedDestination], by);
}

async function remove(rooms: DefinitionRooms, scope: Scope, id: number): Promise<string> {
  const by = scope.actor.principal.username;
  const row = await rooms.store.transaction(async (tx) => {
    const job = found(await rows.lockJob(tx, scope.project, id));
    await rows.markJobDeleted(tx, id, by);
    await reschedule(rooms, tx, { ...job, active: false });
    await rooms.access.audit(tx, entryOf(scope, 'delete job', id));
    return job;
  });
  const busy = busyWith(row);
  if (busy) await rooms.engine.cancel(busy.id, by);
  return row.name;
}

async function setActive(
  rooms: DefinitionRooms,
  { scope, id, active }: { readonly scope: Scope; readonly id: number; readonly active: boolean },
): Promise<void> {
  // A run that would not end by itself ends with the job's activity; others go on (contract, section 3.4).
  const changed = await rooms.store.transaction(async (tx) => {
    const row = found(await rows.lockJob(tx, scope.project, id));
    if (row.active === active) return undefined;
    await rows.setJobActive(tx, id, { active, by: scope.actor.principal.username });
    await reschedule(rooms, tx, { ...row, active });
    await rooms.access.audit(tx, entryOf(scope, active ? 'activate job' : 'deactivate job', id));
    return row;
  });
  const busy = changed && !active && isContinuous(changed) ? busyWith(changed) : undefined;
  if (busy?.type === 'sync') await rooms.engine.cancel(busy.id, scope.actor.principal.username);
}

async function putState(
  rooms: DefinitionRooms,
  { scope, id, state }: { readonly scope: Scope; readonly id: number; readonly state: unknown },
): Promise<void> {
  const { value, text } = readObjectForm(state, 'state');
  checkState(value);
  await rooms.store.transaction(async (tx) => {
    const row = found(await rows.lockJob(tx, scope.project, id));
    if (busyWith(row)) throw new Failure('conflict', 'a run of this job has not ended');
    await rows.setJobState(tx, id, text);
    await rooms.access.audit(tx, entryOf(scope, 'put state of job', id));
  });
}

function viewOf(row: rows.JobWithEnds): JobView {
  return {
    id: row.id,
    project: row.project,
    name: row.name,
    source: {
      id: row.source_id,
      name: row.source_name,
      type: row.source_type,
      version: row.source_version,
      config: { form: row.source_form, text: row.source_config },
    },
    destination: {
      id: row.destination_id,
      name: row.destination_name,
      type: row.destination_type,
      version: row.destination_version,
      config: { form: row.destination_form, text: row.destination_config },
    },
    streams: { form: row.streams_form, text: row.streams_config },
    frequency: row.frequency,
    active: row.active,
    advanced: row.advanced_settings === null ? null : (JSON.parse(row.advanced_settings) as AdvancedSettings),
    lastRun: lastRunOf(row),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  };
}
