import type { TablePlace } from '../connectors/kit/index.ts';
import { openRefusedRows, type RefusedRows } from './attempt/refused-rows.ts';
import { createConnections, type Connections } from './definitions/connections.ts';
import { readGauges, type JobGauge } from './definitions/gauges.ts';
import { createJobRuns, type JobRuns } from './definitions/job-runs.ts';
import { createJobs, type Jobs } from './definitions/jobs.ts';
import { openSettings, type OpenSettings } from './definitions/open-settings.ts';
import { listPlaces } from './definitions/places.ts';
import { createSettings, type SettingsDesk } from './definitions/settings.ts';
import { createSpecs, type Specs } from './definitions/specs.ts';
import { createTrials, type Prober, type Trials } from './definitions/trials.ts';
import { createTableRuns, type TableRuns } from './definitions/table-runs.ts';
import type { ConnectionKind, DefinitionRooms } from './definitions/types.ts';

/** The sync room: what is replicated, and its runs. */
export interface Sync {
  readonly sources: Connections;
  readonly destinations: Connections;
  readonly jobs: Jobs;
  readonly runs: JobRuns;
  readonly tables: TableRuns;
  readonly settings: SettingsDesk;
  readonly specs: Specs;
  readonly trials: Trials;
  /** A connection in the clear, for work of this server on it; `not_found`. */
  openSettings(kind: ConnectionKind, id: number): Promise<OpenSettings>;
  /** Warehouses of the project's destinations, for the catalog that serves their tables. */
  places(project: string): Promise<TablePlace[]>;
  /** Rows that a run refused, as far as they are kept on this machine; undefined when there are none. */
  refusedRows(runId: string): Promise<RefusedRows | undefined>;
  /** The newest run of every job, for metrics. */
  gauges(): Promise<JobGauge[]>;
}

export type SyncRooms = DefinitionRooms & {
  readonly prober: Prober;
  /** Where workers of this machine keep the folders of runs. */
  readonly dataDir: string;
};

/** Builds the room. Touches nothing: the first call that needs the database makes the first query. */
export function createSync(rooms: SyncRooms): Sync {
  const runs = createJobRuns(rooms);
  const connections = (kind: 'source' | 'destination') =>
    createConnections(rooms, kind, (ids, by) => runs.cancelAt(kind, ids, by));
  return {
    sources: connections('source'),
    destinations: connections('destination'),
    jobs: createJobs(rooms, runs),
    runs,
    tables: createTableRuns(rooms),
    settings: createSettings(rooms),
    specs: createSpecs(rooms),
    trials: createTrials(rooms, rooms.prober),
    openSettings: (kind, id) => openSettings(rooms, kind, id),
    places: (project) => listPlaces(rooms, project),
    refusedRows: (runId) => openRefusedRows(rooms.dataDir, runId),
    gauges: () => readGauges(rooms),
  };
}
