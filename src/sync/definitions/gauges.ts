import type { RunView } from '../../engine/index.ts';
import type { SyncProgress } from '../types.ts';
import { listRanJobs } from './tables/jobs.ts';
import type { DefinitionRooms } from './types.ts';

/** The newest run of a job as a monitoring system sees it. */
export interface JobGauge {
  readonly jobId: number;
  readonly jobName: string;
  readonly project: string;
  readonly sourceName: string;
  readonly destinationName: string;
  readonly run: RunView;
  readonly progress: SyncProgress | null;
}

const MOST_JOBS = 1000;

/** The newest runs of live jobs that still have their run row. */
export async function readGauges(rooms: DefinitionRooms): Promise<JobGauge[]> {
  const jobs = await listRanJobs(rooms.store.db, MOST_JOBS);
  const { runs } = await rooms.engine.list({ limit: MOST_JOBS, offset: 0 });
  const newest = new Map(runs.map((run) => [run.id, run]));
  const gauges: JobGauge[] = [];
  for (const job of jobs) {
    const id = job.last_run_id ?? '';
    const run = newest.get(id) ?? (await rooms.engine.get(id));
    if (run === undefined) continue;
    gauges.push({
      jobId: job.id,
      jobName: job.name,
      project: job.project,
      sourceName: job.source_name,
      destinationName: job.destination_name,
      run,
      progress: run.progress as SyncProgress | null,
    });
  }
  return gauges;
}
