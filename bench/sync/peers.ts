import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { type BasicType, fileWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import { Client as Postgres } from 'pg';
import { type Figure, median, type Scale } from '../figures.ts';
import { createTrips } from '../tables/index.ts';
import { createJob, runJob } from './jobs.ts';
import { openPostgres, postgresConfig, type Stage } from './stage.ts';

/** Small: the naive way takes more than ten times as long. */
const ROWS = 1_000_000;
const SMOKE_ROWS = 20_000;

/** How much faster a full refresh is than two other ways to bring the same table into a Parquet file. */
export async function measurePeers(stage: Stage, scale: Scale): Promise<readonly Figure[]> {
  const rows = scale.smoke ? SMOKE_ROWS : ROWS;
  const source = await openPostgres(stage, 'source_peers');
  try {
    await createTrips(source.postgres, rows);
    const config = postgresConfig(source.url);
    const settings = { name: 'peers', type: 'postgres', config, table: 'trips', mode: 'full_refresh' } as const;
    const job = await createJob(stage, settings);
    const rates: number[] = [];
    for (let round = 0; round < scale.rounds; round++) rates.push((await runJob(stage, job)).rate);
    const own = median(rates);
    const naive = rows / (await secondsOf(() => copyNaively(source.url, join(stage.home, 'naive.parquet'))));
    const figures: Figure[] = [
      { name: 'trips, 1 M rows: rate', value: own, unit: 'rows/s' },
      { name: 'peer: cursor rows into a JS Parquet library', value: naive, unit: 'rows/s' },
      { name: 'ratio to cursor rows into a JS Parquet library', value: own / naive, unit: '×' },
    ];
    if (spawnSync('psql', ['--version']).status !== 0) return figures;
    const duck = rows / (await secondsOf(() => copyThroughDuckdb(source.url, stage.home)));
    return [
      ...figures,
      { name: 'peer: DuckDB reading the COPY stream', value: duck, unit: 'rows/s' },
      { name: 'ratio to DuckDB reading the COPY stream', value: own / duck, unit: '×' },
    ];
  } finally {
    await source.stop();
  }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

const NAIVE_TYPES: Readonly<Record<number, BasicType>> = { 20: 'INT64', 23: 'INT32', 701: 'DOUBLE', 1114: 'TIMESTAMP' };

/** As one would write it without thinking of speed: a cursor, row objects, a library's columns. */
async function copyNaively(url: string, path: string): Promise<void> {
  let writer: ParquetWriter | undefined;
  const postgres = new Postgres(url);
  await postgres.connect();
  try {
    await postgres.query('begin; declare trips_cursor no scroll cursor for select * from trips');
    for (;;) {
      const { rows, fields } = await postgres.query<Record<string, unknown>>('fetch 100000 from trips_cursor');
      if (rows.length === 0) break;
      const columnData = fields.map(({ name, dataTypeID }) => {
        const type = NAIVE_TYPES[dataTypeID] ?? 'STRING';
        const data = rows.map((row) => (type === 'INT64' ? BigInt(String(row[name])) : row[name]));
        return { name, type, data };
      });
      writer ??= new ParquetWriter({ writer: fileWriter(path), schema: schemaFromColumnData({ columnData }) });
      writer.write({ columnData: columnData.map(({ name, data }) => ({ name, data })) });
    }
  } finally {
    await postgres.end();
  }
  writer?.finish();
}

const DUCKDB_COLUMNS = {
  id: 'BIGINT',
  vendor_id: 'INTEGER',
  pickup_at: 'TIMESTAMP',
  dropoff_at: 'TIMESTAMP',
  passenger_count: 'INTEGER',
  trip_distance: 'DOUBLE',
  rate_code: 'INTEGER',
  store_and_forward: 'VARCHAR',
  pickup_zone: 'INTEGER',
  dropoff_zone: 'INTEGER',
  payment_type: 'INTEGER',
  fare: 'DECIMAL(10,2)',
  extra: 'DECIMAL(10,2)',
  mta_tax: 'DECIMAL(10,2)',
  tip: 'DECIMAL(10,2)',
  tolls: 'DECIMAL(10,2)',
  improvement: 'DECIMAL(10,2)',
  total: 'DOUBLE',
  congestion: 'DOUBLE',
  airport_fee: 'DOUBLE',
};

/** The same COPY, as csv through a named pipe into DuckDB, which writes the Parquet file. */
async function copyThroughDuckdb(url: string, home: string): Promise<void> {
  const pipe = join(home, 'trips.csv');
  spawnSync('mkfifo', [pipe]);
  const copy = spawn('sh', ['-c', 'exec psql "$1" -qc "copy trips to stdout (format csv)" > "$2"', 'sh', url, pipe]);
  const instance = await DuckDBInstance.create(':memory:');
  const duckdb = await instance.connect();
  const columns = Object.entries(DUCKDB_COLUMNS).map(([name, type]) => `'${name}': '${type}'`);
  const rows = `read_csv('${pipe}', header = false, auto_detect = false, columns = {${columns.join(', ')}})`;
  try {
    const target = join(home, 'duckdb.parquet');
    await duckdb.run(`copy (select * from ${rows}) to '${target}' (format parquet, compression zstd)`);
  } finally {
    duckdb.closeSync();
    instance.closeSync();
    copy.kill();
  }
}
