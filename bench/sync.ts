import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as Postgres } from 'pg';
import { type Client, signIn } from '../examples/demo/client.ts';
import { type RunningServer, startServer } from '../examples/demo/server.ts';
import { startEmbeddedPostgres } from '../src/store/index.ts';
import { type Figure, median, type Scale } from './figures.ts';
import { peakMegabytes, tree } from './processes.ts';
import { createTrips } from './tables/index.ts';

const PASSWORD = 'bench-password';

interface Task {
  readonly status: string;
  readonly records: number;
  readonly error?: string;
  readonly start_time: string;
  readonly end_time?: string;
}

/**
 * Rows/s of `psql` copying the table in binary into the null device: what the source can give to anyone. NaN without
 * psql (Debian: postgresql-client).
 */
async function floor(url: string, rows: number): Promise<number> {
  if (spawnSync('psql', ['--version']).status !== 0) return Number.NaN;
  const begun = performance.now();
  await new Promise<void>((resolve, reject) => {
    const copy = spawn('psql', [url, '-qc', 'copy trips to stdout (format binary)'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    copy.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`psql ended with ${code}`))));
  });
  return rows / ((performance.now() - begun) / 1000);
}

async function createJob(client: Client, url: string, warehouse: string): Promise<number> {
  const at = new URL(url);
  const source = {
    name: 'trips_db',
    type: 'postgres',
    version: 'latest',
    config: {
      host: at.hostname,
      port: Number(at.port),
      database: at.pathname.slice(1),
      username: at.username,
      password: decodeURIComponent(at.password),
      max_threads: 1,
    },
  };
  const found = await client.post<{ streams_config: { streams: { stream: object }[] } }>('/sources/streams', source);
  const streams = found.streams_config.streams.map(({ stream }) => ({
    stream: { ...stream, sync_mode: 'full_refresh' },
  }));
  const job = await client.post<{ id: number }>('/jobs', {
    name: 'trips',
    source,
    destination: {
      name: 'lake',
      type: 'iceberg',
      version: 'latest',
      config: { type: 'ICEBERG', writer: { catalog_type: 'builtin', iceberg_s3_path: warehouse } },
    },
    frequency: 'manual',
    streams_config: { ...found.streams_config, streams },
    advanced_settings: { max_threads: 1 },
  });
  return job.id;
}

/** One sync through the API: rows/s from its start to its end, and the peak memory of the child that did it. */
async function syncOnce(client: Client, jobId: number, server: RunningServer): Promise<{ rate: number; peak: number }> {
  const before = (await client.get<Task[]>(`/jobs/${jobId}/tasks`)).length;
  await client.post(`/jobs/${jobId}/sync`);
  let peak = 0;
  for (;;) {
    for (const { pid, command } of tree(server.process.pid!)) {
      if (command.includes('attempt')) peak = Math.max(peak, peakMegabytes(pid));
    }
    const tasks = await client.get<Task[]>(`/jobs/${jobId}/tasks`);
    const task = tasks.length > before ? tasks[0]! : undefined;
    if (task && task.status !== 'Running') {
      if (task.status !== 'Completed') throw new Error(`the sync ended ${task.status}: ${task.error}`);
      const seconds = (Date.parse(task.end_time!) - Date.parse(task.start_time)) / 1000;
      return { rate: task.records / seconds, peak };
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

interface Measured {
  readonly ratio: number;
  readonly rate: number;
  readonly floor: number;
  readonly peak: number;
}

export async function measureRows(rows: number, rounds: number): Promise<Measured> {
  const home = await mkdtemp(join(tmpdir(), 'penstock-bench-'));
  const source = await startEmbeddedPostgres({
    dataDir: join(home, 'source'),
    listen: { port: 0 },
    settings: { shared_buffers: '512MB' },
  });
  const server = await startServer({ dataDir: join(home, 'penstock'), port: 0, password: PASSWORD });
  try {
    const postgres = new Postgres(source.url);
    await postgres.connect();
    await createTrips(postgres, rows);
    await postgres.end();
    const client = await signIn(server.url, { username: 'admin', password: PASSWORD });
    const jobId = await createJob(client, source.url, join(home, 'lake'));
    const floors: number[] = [];
    const syncs: { rate: number; peak: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      floors.push(await floor(source.url, rows));
      syncs.push(await syncOnce(client, jobId, server));
    }
    const rate = median(syncs.map((sync) => sync.rate));
    const least = median(floors);
    return { ratio: rate / least, rate, floor: least, peak: Math.max(...syncs.map((sync) => sync.peak)) };
  } finally {
    await server.stop();
    await source.stop();
    await rm(home, { recursive: true, force: true });
  }
}

/** Full refresh Postgres → Iceberg of taxi-shaped rows with one reader, against the floor of the same run. */
export async function measure({ smoke }: Scale): Promise<readonly Figure[]> {
  const five = await measureRows(smoke ? 50_000 : 5_000_000, smoke ? 1 : 3);
  const figures: Figure[] = [
    { name: 'sync 5 M rows, ratio to psql COPY binary', value: five.ratio, unit: '×', reach: '>= 0.5' },
    { name: 'sync 5 M rows', value: five.rate, unit: 'rows/s' },
    { name: 'floor: psql COPY binary to the null device', value: five.floor, unit: 'rows/s' },
    { name: 'peak memory of the sync, 5 M rows', value: five.peak, unit: 'MB', reach: '<= 400' },
  ];
  if (smoke) return figures;
  const ten = await measureRows(10_000_000, 1);
  return [...figures, { name: 'peak memory of the sync, 10 M rows', value: ten.peak, unit: 'MB', reach: '<= 400' }];
}
