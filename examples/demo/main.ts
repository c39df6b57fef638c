/**
 * The README's first command: replicates three million real flights from a PostgreSQL into Iceberg tables, through the
 * HTTP API as any client would, reads them back with an independent reader, runs a night of sync, SQL and a service
 * outside, and leaves the server running.
 * `--exit` stops everything at the end and exits 0, or 1 with the reason.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { startEmbeddedPostgres } from '../../src/store/index.ts';
import { type Client, signIn } from './client.ts';
import { type OutsideComponent, startOutsideComponent } from './component.ts';
import { openLakeTable } from './lake.ts';
import { runNight } from './night.ts';
import { type RunningServer, startServer } from './server.ts';
import { delayOneFlight, loadSource } from './source.ts';
import { syncAndWatch } from './sync.ts';
import { count, say, step, table } from './terminal.ts';

const home = resolve('.penstock', 'demo');
const stopAtEnd = process.argv.includes('--exit');

interface Catalog {
  readonly selected_streams: Record<string, { stream_name: string }[]>;
  readonly streams: {
    stream: { name: string; sync_mode: string; cursor_field?: string; destination_database: string };
  }[];
}

async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  return new Promise((done) => {
    probe.once('error', () => done(0));
    probe.listen(wanted, '127.0.0.1', () => probe.close(() => done(wanted)));
  });
}

async function createJob(
  client: Client,
  source: object,
  warehouse: string,
): Promise<{ jobId: number; catalog: Catalog }> {
  const sourceBody = { name: 'flights_db', type: 'postgres', version: 'latest', config: source };
  const destinationBody = {
    name: 'lake',
    type: 'iceberg',
    version: 'latest',
    config: { type: 'ICEBERG', writer: { catalog_type: 'builtin', iceberg_s3_path: warehouse } },
  };
  for (const [path, body] of [['/sources', sourceBody] as const, ['/destinations', destinationBody] as const]) {
    const test = await client.post<{ connection_result: { status: string; message: string } }>(`${path}/test`, body);
    if (test.connection_result.status !== 'SUCCEEDED')
      throw new Error(`${body.name}: ${test.connection_result.message}`);
    await client.post(path, body);
    say(`${body.type} "${body.name}": tested and created`);
  }
  const found = await client.post<{ streams_config: Catalog }>('/sources/streams', { ...sourceBody, job_name: 'demo' });
  const catalog = incrementally(found.streams_config);
  say(`discovered ${catalog.streams.length} streams: ${catalog.streams.map(({ stream }) => stream.name).join(', ')}`);
  const job = await client.post<{ id: number }>('/jobs', {
    name: 'demo',
    source: sourceBody,
    destination: destinationBody,
    frequency: 'manual',
    streams_config: catalog,
  });
  return { jobId: job.id, catalog };
}

/** Every stream by its `updated_at`: the first sync loads all, later ones move what changed. */
function incrementally(catalog: Catalog): Catalog {
  const streams = catalog.streams.map(({ stream }) => ({
    stream: { ...stream, sync_mode: 'incremental', cursor_field: 'updated_at' },
  }));
  return { ...catalog, streams };
}

async function firstSync(client: Client, jobId: number): Promise<void> {
  const { task, seconds } = await syncAndWatch(client, jobId);
  say(
    `${count(task.records)} rows in ${seconds.toFixed(1)} s = ${count(task.records / seconds)} rows/s, from click to committed`,
  );
  const checks = Object.entries(task.stats.Reconciliation ?? {});
  if (checks.length === 0) throw new Error('the sync was not reconciled');
  for (const [stream, check] of checks) {
    const source = check.sourceRows === null ? 'not counted' : count(check.sourceRows);
    say(
      `${stream}: source ${source}, table ${count(check.tableRows)}, ${check.sampledRows} rows compared by hash: ${check.verdict}`,
    );
    if (check.verdict !== 'equal') throw new Error(`${stream} differs from its source`);
  }
}

async function showFlights(folder: string): Promise<void> {
  const flights = await openLakeTable(folder);
  const rows = await flights.read({ from: 0, to: 5 });
  table(rows, ['id', 'departed_at', 'delay_minutes', 'distance_miles', 'origin', 'destination', '_op_type']);
  say(`… ${count(flights.rows)} rows in ${folder}`);
}

async function laterSyncs(client: Client, jobId: number, sourceUrl: string): Promise<void> {
  const second = await syncAndWatch(client, jobId);
  say(`nothing changed: ${second.task.records} rows moved in ${second.seconds.toFixed(1)} s`);
  await delayOneFlight(sourceUrl);
  const third = await syncAndWatch(client, jobId);
  say(`one flight delayed by an hour: ${third.task.records} row moved in ${third.seconds.toFixed(1)} s`);
  if (second.task.records !== 0 || third.task.records !== 1) throw new Error('expected 0 rows, then 1 row');
}

interface Cast {
  readonly server: RunningServer;
  readonly sourceUrl: string;
  readonly password: string;
  readonly outside: OutsideComponent;
}

async function tell({ server, sourceUrl, password, outside }: Cast): Promise<void> {
  const warehouse = join(home, 'lake');
  const source = new URL(sourceUrl);
  step('Sign in, test and create the connections, discover, create a job (all through the HTTP API)');
  const client = await signIn(server.url, { username: 'admin', password });
  const config = {
    host: source.hostname,
    port: Number(source.port),
    database: source.pathname.slice(1),
    username: source.username,
    password: decodeURIComponent(source.password),
  };
  const { jobId, catalog } = await createJob(client, config, warehouse);
  step('Sync PostgreSQL → Iceberg');
  await firstSync(client, jobId);
  const database = catalog.streams[0]!.stream.destination_database.replaceAll(':', '_');
  step('Read the Iceberg table back with an independent reader (icebird)');
  await showFlights(join(warehouse, database, 'flights'));
  step('Sync again');
  await laterSyncs(client, jobId, sourceUrl);
  step('A night as an orchestration: sync, then SQL over the lake, then a service outside');
  await delayOneFlight(sourceUrl);
  await runNight({ url: server.url, token: client.token }, { jobId, database, componentUrl: outside.url });
}

async function main(): Promise<void> {
  await rm(home, { recursive: true, force: true });
  step('Start Penstock on its embedded database');
  const password = randomBytes(9).toString('base64url');
  const outside = await startOutsideComponent();
  const dataDir = join(home, 'penstock');
  const server = await startServer({ dataDir, port: await freePort(8080), password, trusted: outside.place });
  say(server.url);
  step('Start a second PostgreSQL as the source and load real data (npm package vega-datasets)');
  const source = await startEmbeddedPostgres({ dataDir: join(home, 'source'), listen: { port: 0 } });
  const stopAll = async (): Promise<void> => {
    outside.stop();
    await server.stop();
    await source.stop();
  };
  try {
    await loadSource(source.url);
    await tell({ server, sourceUrl: source.url, password, outside });
  } catch (error) {
    await stopAll();
    throw error;
  }
  if (stopAtEnd) return stopAll();
  step('Penstock keeps running');
  say(`${server.url}   user admin   password ${password}   (Ctrl-C stops it)`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stopAll().then(() => process.exit(0)));
}

main().catch((error: Error) => {
  console.error(`\n✗ ${error.message}`);
  process.exit(1);
});
