import type { RunPlan, StartResult } from '../../engine/index.ts';
import { Failure } from '../../errors.ts';
import { withTextFilters } from '../catalog/filter.ts';
import { parseCatalog } from '../catalog/parse.ts';
import { retryOf } from '../attempt/retry.ts';
import type { AdvancedSettings, Catalog, ConnectionSettings, SyncSnapshot } from '../types.ts';
import { parseJson } from './json.ts';
import { findConnection } from './tables/connections.ts';
import type { JobRow } from './tables/jobs.ts';
import type { ConnectionKind, DefinitionRooms, RunKind, Transaction, Trigger } from './types.ts';

const MINUTE = 60_000;
const LONGEST_RUN = 30 * 24 * 60 * MINUTE;
/** What those who look for runs of components find syncs by, whoever started them. */
const SYNC_COMPONENT = 'penstock.sync';
const COMPONENTS: Readonly<Record<RunKind, string>> = { sync: SYNC_COMPONENT, clear: 'penstock.clear' };

/** What a job is called by the engine, the schedule and the audit. */
export function jobKey(id: number): string {
  return `sync.job/${id}`;
}

/** The id in a job key; undefined for any other definition. */
export function jobIdOf(definition: string | null): number | undefined {
  const match = /^sync\.job\/([1-9]\d*)$/.exec(definition ?? '');
  return match ? Number(match[1]) : undefined;
}

export interface StartWork {
  readonly row: JobRow;
  readonly kind: RunKind;
  readonly trigger: Trigger;
  readonly by: string;
  readonly catalog: Catalog;
  /** For `clear`: only these streams. */
  readonly clearStreams?: readonly string[];
  readonly idempotencyKey?: string;
}

/** Queues a run of a locked job in the caller's transaction; the observers note it on the job's row. */
export async function startRun(rooms: DefinitionRooms, tx: Transaction, work: StartWork): Promise<StartResult> {
  return rooms.engine.start(await planRun(tx, work), tx);
}

/** The streams of a job as a run reads them; `bad_request` when the stored draft is no catalog. */
export function catalogOf(row: JobRow): Catalog {
  return parseCatalog(parseJson(row.streams_config, 'streams_config'));
}

/** A job's word for "stays on": its changes are followed without end, and a run that ended is started again. */
export const CONTINUOUS = 'continuous';

export function isContinuous({ frequency }: Pick<JobRow, 'frequency'>): boolean {
  return frequency.trim().toLowerCase() === CONTINUOUS;
}

/** The settings of a job, with what its frequency means for a run. */
export function advancedOf(row: Pick<JobRow, 'advanced_settings' | 'frequency'>): AdvancedSettings {
  const stored = row.advanced_settings ? parseJson(row.advanced_settings, 'advanced_settings') : {};
  return { ...(stored as AdvancedSettings), ...(isContinuous(row) && { continuous: true }) };
}

/** What a run of the job works on, as it is now. */
export async function snapshotOf(tx: Transaction, row: JobRow, catalog: Catalog): Promise<SyncSnapshot> {
  return {
    project: row.project,
    jobId: row.id,
    jobName: row.name,
    source: await settingsOf(tx, { project: row.project, kind: 'source', id: row.source_id }),
    destination: await settingsOf(tx, { project: row.project, kind: 'destination', id: row.destination_id }),
    catalog: withTextFilters(catalog),
    advanced: advancedOf(row),
  };
}

/** The plan of a run of a locked job. */
export async function planRun(tx: Transaction, work: StartWork): Promise<RunPlan> {
  const { row, kind, trigger, by, catalog, clearStreams, idempotencyKey } = work;
  const id = row.id;
  const snapshot: SyncSnapshot = { ...(await snapshotOf(tx, row, catalog)), ...(clearStreams && { clearStreams }) };
  const { advanced } = snapshot;
  const retry = retryOf(advanced);
  const timeoutMs = advanced.timeout_minutes === undefined ? LONGEST_RUN : advanced.timeout_minutes * MINUTE;
  return {
    kind,
    project: row.project,
    definition: jobKey(id),
    concurrencyKey: jobKey(id),
    snapshot,
    trigger,
    createdBy: by,
    ...(kind === 'sync' && { labels: { component: SYNC_COMPONENT, config: String(id) } }),
    ...(idempotencyKey && { idempotencyKey }),
    phases: [[{ key: kind, component: COMPONENTS[kind], input: {}, timeoutMs, retry }]],
  };
}

async function settingsOf(
  tx: Transaction,
  key: { readonly project: string; readonly kind: ConnectionKind; readonly id: number },
): Promise<ConnectionSettings> {
  const row = await findConnection(tx, key);
  if (!row) throw new Failure('conflict', `the ${key.kind} of this job is deleted`);
  const { canonical_type: type, version, sealed_config: sealedConfig, place } = row;
  return { type, version, sealedConfig, place };
}
