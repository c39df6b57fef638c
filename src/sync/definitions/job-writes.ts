import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../../errors.ts';
import { parseCatalog } from '../catalog/parse.ts';
import { selectedIds } from '../catalog/difference.ts';
import type { Catalog, CatalogStream } from '../types.ts';
import { cleanName, readAdvanced } from './checks.ts';
import { nameTaken } from './connection-writes.ts';
import { readForm, type ReadForm } from './form.ts';
import { checkEnd, placeEnd, type CheckedEnd, type PlacedEnd } from './job-ends.ts';
import { entryOf, found, startClear } from './job-runs.ts';
import { busyWith } from './last-run.ts';
import { checkMaintenance } from './maintenance.ts';
import { checkFrequency, reschedule } from './job-schedule.ts';
import { catalogOf } from './run-plans.ts';
import { insertJob, lockJob, updateJob, type JobRow, type JobValues } from './tables/jobs.ts';
import { orConflict } from './unique.ts';
import type { DefinitionRooms, JobInput, Scope, Transaction } from './types.ts';

/** A job as sent, after every check that needs no row. */
export interface CheckedJob {
  readonly name: string;
  readonly source: CheckedEnd;
  readonly destination: CheckedEnd;
  readonly frequency: string;
  readonly streams: ReadForm;
  readonly active: boolean | undefined;
  readonly advanced: string | null | undefined;
  readonly difference: Catalog | undefined;
}

/** What a write of a job did to connections that existed: their other jobs must not go on with old values. */
export interface JobWritten {
  readonly id: number;
  readonly changedSource: number | undefined;
  readonly changedDestination: number | undefined;
}

/** Thrown out of an update (and its transaction) that has to wait for the end of this run first. */
export class MustWait extends Error {
  readonly runId: string;
  constructor(runId: string) {
    super(`run ${runId} has not ended`);
    this.runId = runId;
  }
}

export function checkJob(rooms: DefinitionRooms, input: JobInput): CheckedJob {
  const name = cleanName(input.name, 'name');
  const source = checkEnd(rooms, 'source', input.source);
  const destination = checkEnd(rooms, 'destination', input.destination);
  checkFrequency(rooms, input.frequency);
  const advanced = readAdvanced(input.advanced);
  checkMaintenance(advanced?.maintenance, (text) => rooms.schedule.check(text));
  return {
    name,
    source,
    destination,
    frequency: input.frequency,
    streams: readForm(input.streams, 'streams_config'),
    active: input.active,
    advanced: input.advanced === undefined ? undefined : advanced && JSON.stringify(advanced),
    difference: readDifference(input.differenceStreams),
  };
}

function readDifference(sent: unknown): Catalog | undefined {
  if (sent === undefined || sent === null || sent === '') return undefined;
  const catalog = parseCatalog(readForm(sent, 'difference_streams').value);
  return selectedIds(catalog).length === 0 ? undefined : catalog;
}

/** Creates the job and, where needed, its connections: everything or nothing. */
export async function addJob(
  rooms: DefinitionRooms,
  tx: Transaction,
  { scope, job }: { readonly scope: Scope; readonly job: CheckedJob },
): Promise<JobWritten> {
  const source = await placeEnd(rooms, tx, { scope, end: job.source });
  const destination = await placeEnd(rooms, tx, { scope, end: job.destination });
  const active = job.active ?? true;
  const values = valuesOf(job, { scope, source, destination, active, advanced: job.advanced ?? null });
  const id = await insertJob(tx, { ...values, project: scope.project });
  if (id === undefined) throw nameTaken('job', job.name, scope.project);
  await reschedule(rooms, tx, { id, active, frequency: job.frequency, advanced_settings: values.advanced_settings });
  await rooms.access.audit(tx, entryOf(scope, 'create job', id));
  return writtenOf(id, source, destination);
}

/**
 * Replaces a job. `conflict` while its destination is cleared; throws `MustWait` when a running sync works with
 * something that the write changes. Streams of `difference` are cleared: the clear is queued with the write.
 */
export async function replaceJob(
  rooms: DefinitionRooms,
  tx: Transaction,
  { scope, id, job }: { readonly scope: Scope; readonly id: number; readonly job: CheckedJob },
): Promise<JobWritten> {
  const row = found(await lockJob(tx, scope.project, id));
  const busy = busyWith(row);
  if (busy?.type === 'clear') throw new Failure('conflict', 'the destination is being cleared; wait until that ends');
  const source = await placeEnd(rooms, tx, { scope, end: job.source, current: row.source_id });
  const destination = await placeEnd(rooms, tx, { scope, end: job.destination, current: row.destination_id });
  if (busy && (job.difference || changesRun(row, { source, destination, job }))) throw new MustWait(busy.id);
  const active = job.active ?? row.active;
  const advanced = job.advanced === undefined ? row.advanced_settings : job.advanced;
  const values = valuesOf(job, { scope, source, destination, active, advanced });
  await orConflict(updateJob(tx, id, values), () => nameTaken('job', job.name, scope.project));
  if (active !== row.active || job.frequency !== row.frequency || advanced !== row.advanced_settings) {
    await reschedule(rooms, tx, { id, active, frequency: job.frequency, advanced_settings: advanced });
  }
  await rooms.access.audit(tx, entryOf(scope, 'update job', id));
  if (job.difference) {
    const { catalog, only } = withOldNames(job.difference, row);
    // What is cleared lies where the job wrote until now: the run gets the old destination.
    await startClear(rooms, tx, { row, scope, catalog, only });
  }
  return writtenOf(id, source, destination);
}

function changesRun(
  row: JobRow,
  {
    source,
    destination,
    job,
  }: { readonly source: PlacedEnd; readonly destination: PlacedEnd; readonly job: CheckedJob },
): boolean {
  if (source.changed || destination.changed) return true;
  if (source.id !== row.source_id || destination.id !== row.destination_id) return true;
  if (row.streams_config === job.streams.text) return false;
  return !isDeepStrictEqual(JSON.parse(row.streams_config), JSON.parse(job.streams.text));
}

/** Streams to clear, each with the destination names under which the job knows it until now. */
function withOldNames(difference: Catalog, row: JobRow): { catalog: Catalog; only: string[] } {
  const idOf = ({ stream }: CatalogStream) => `${stream.namespace}.${stream.name}`;
  const only = selectedIds(difference);
  const stored = new Map(storedStreams(row).map((entry) => [idOf(entry), entry]));
  const streams = difference.streams.map((entry) => stored.get(idOf(entry)) ?? entry);
  return { catalog: { ...difference, streams }, only };
}

function storedStreams(row: JobRow): readonly CatalogStream[] {
  try {
    return catalogOf(row).streams;
  } catch {
    return [];
  }
}

interface ValueParts {
  readonly scope: Scope;
  readonly source: PlacedEnd;
  readonly destination: PlacedEnd;
  readonly active: boolean;
  readonly advanced: string | null;
}

function valuesOf(job: CheckedJob, { scope, source, destination, active, advanced }: ValueParts): JobValues {
  return {
    name: job.name,
    source_id: source.id,
    destination_id: destination.id,
    frequency: job.frequency,
    active,
    streams_config: job.streams.text,
    streams_form: job.streams.form,
    advanced_settings: advanced,
    updated_by: scope.actor.principal.username,
  };
}

function writtenOf(id: number, source: PlacedEnd, destination: PlacedEnd): JobWritten {
  return {
    id,
    changedSource: source.changed ? source.id : undefined,
    changedDestination: destination.changed ? destination.id : undefined,
  };
}
