import { join } from 'node:path';
import { peakMegabytes, tree } from '../processes.ts';
import type { Stage } from './stage.ts';

interface Task {
  readonly status: string;
  readonly records: number;
  readonly error?: string;
  readonly start_time: string;
  readonly end_time?: string;
}

export interface JobSettings {
  readonly name: string;
  readonly type: string;
  readonly config: Record<string, unknown>;
  readonly table: string;
  readonly mode: 'full_refresh' | 'cdc';
  readonly readers?: number;
  readonly append?: boolean;
  readonly frequency?: string;
}

interface Streams {
  readonly selected_streams: Record<string, { stream_name: string }[]>;
  readonly streams: { stream: { name: string; namespace: string; supported_sync_modes: string[] } }[];
}

/** Thrown when the product cannot do what the figure is about (yet): the figure is left out. */
export class NotThere extends Error {}

export interface Job {
  readonly id: number;
  /** Database and table of the lake. */
  readonly lake: { readonly database: string; readonly table: string };
}

/** Creates a job that brings one table into an Iceberg table of the built-in catalog. */
export async function createJob(stage: Stage, settings: JobSettings): Promise<Job> {
  const { name, type, table, mode, readers = 1 } = settings;
  const config = { ...settings.config, max_threads: readers };
  const source = { name, type, version: 'latest', config };
  const found = await stage.client
    .post<{ streams_config: Streams }>('/sources/streams', source)
    .catch((error: Error) => {
      throw /connector|not available|type/.test(error.message) ? new NotThere(error.message) : error;
    });
  const entry = found.streams_config.streams.find(({ stream }) => stream.name === table);
  if (!entry) throw new Error(`there is no table ${table}`);
  const { stream } = entry;
  if (!stream.supported_sync_modes.includes(mode)) throw new NotThere(`${type} offers no ${mode}`);
  const lake = { database: `bench_${name}`, table };
  const selection = { stream_name: table, append_mode: settings.append ?? false, normalization: true };
  const job = await stage.client.post<{ id: number }>('/jobs', {
    name,
    source,
    destination: {
      name: `${name}_lake`,
      type: 'iceberg',
      version: 'latest',
      config: { type: 'ICEBERG', writer: { catalog_type: 'builtin', iceberg_s3_path: join(stage.home, 'lake') } },
    },
    frequency: settings.frequency ?? 'manual',
    streams_config: {
      selected_streams: { [stream.namespace]: [selection] },
      streams: [
        { stream: { ...stream, sync_mode: mode, destination_database: lake.database, destination_table: lake.table } },
      ],
    },
    advanced_settings: { max_threads: readers },
  });
  return { id: job.id, lake };
}

export interface Ran {
  readonly rows: number;
  /** Rows per second from the start of the run to its end, on the job's own clock. */
  readonly rate: number;
  /** Largest resident memory of any process that read or wrote rows, in MB. */
  readonly peak: number;
}

/** Runs the job once, through the API. */
export async function runJob(stage: Stage, { id }: Pick<Job, 'id'>): Promise<Ran> {
  const { client } = stage;
  const before = (await client.get<Task[]>(`/jobs/${id}/tasks`)).length;
  await client.post(`/jobs/${id}/sync`);
  const begun = performance.now();
  let peak = 0;
  for (;;) {
    peak = Math.max(peak, peakOfReaders(stage));
    const tasks = await client.get<Task[]>(`/jobs/${id}/tasks`);
    const task = tasks.length > before ? tasks[0]! : undefined;
    if (task && task.status !== 'Running') {
      if (task.status !== 'Completed') throw new Error(`the sync ended ${task.status}: ${task.error}`);
      const seconds = (Date.parse(task.end_time!) - Date.parse(task.start_time)) / 1000;
      return { rows: task.records, rate: task.records / seconds, peak };
    }
    // The clock that counts is the job's. Looking takes from the two cores that the sync and its source need.
    await new Promise((resolve) => setTimeout(resolve, performance.now() - begun < 1000 ? 100 : 500));
  }
}

export function peakOfReaders(stage: Stage): number {
  const readers = tree(stage.server.process.pid!).filter(({ command }) => command.includes('attempt'));
  return Math.max(0, ...readers.map(({ pid }) => peakMegabytes(pid)));
}
