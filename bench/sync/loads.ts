import type { Client as Postgres } from 'pg';
import { type Figure, median, type Scale } from '../figures.ts';
import { createHits, createLineitem, createTrips } from '../tables/index.ts';
import { copySeconds } from './floors.ts';
import { createJob, runJob } from './jobs.ts';
import { openPostgres, postgresConfig, type Stage } from './stage.ts';

interface Load {
  readonly table: string;
  readonly rows: number;
  readonly create: (postgres: Postgres, rows: number) => Promise<void>;
  /** Readers, and what their rate must reach of the floor. */
  readonly goals: readonly { readonly readers: number; readonly reach: number }[];
}

const loads: readonly Load[] = [
  {
    table: 'trips',
    rows: 10_000_000,
    create: createTrips,
    goals: [
      { readers: 1, reach: 0.95 },
      { readers: 2, reach: 1.3 },
    ],
  },
  {
    table: 'lineitem',
    rows: 6_000_000,
    create: createLineitem,
    goals: [
      { readers: 1, reach: 0.9 },
      { readers: 2, reach: 0.9 },
    ],
  },
  { table: 'hits', rows: 1_000_000, create: createHits, goals: [{ readers: 1, reach: 0.75 }] },
];

export const loadCases = loads.map((load) => ({
  name: load.table,
  measure: (stage: Stage, scale: Scale) => measureLoad(stage, scale, load),
}));

const SMOKE_ROWS = 20_000;

/** Full refresh of one table from PostgreSQL into Iceberg, against the floor of the same round. */
async function measureLoad(stage: Stage, scale: Scale, load: Load): Promise<readonly Figure[]> {
  const { table, goals } = load;
  const rows = scale.smoke ? SMOKE_ROWS : load.rows;
  const source = await openPostgres(stage, `source_${table}`);
  try {
    await load.create(source.postgres, rows);
    await source.postgres.query('checkpoint');
    const jobs = [];
    for (const { readers, reach } of goals) {
      const name = `${table}_${readers}`;
      const config = postgresConfig(source.url);
      const job = await createJob(stage, { name, type: 'postgres', config, table, mode: 'full_refresh', readers });
      jobs.push({ job, readers, reach, rates: [] as number[], peaks: [] as number[] });
    }
    const floors: number[] = [];
    for (let round = 0; round < scale.rounds; round++) {
      floors.push(rows / (await copySeconds(source.url, table)));
      for (const { job, rates, peaks } of jobs) {
        const ran = await runJob(stage, job);
        if (ran.rows !== rows) throw new Error(`${table}: ${ran.rows} rows were committed, not ${rows}`);
        rates.push(ran.rate);
        peaks.push(ran.peak);
      }
    }
    const floor = median(floors);
    return [
      ...jobs.flatMap(({ readers, reach, rates, peaks }): Figure[] => {
        const who = `${table}, ${readers} ${readers === 1 ? 'reader' : 'readers'}`;
        return [
          { name: `${who}: ratio to psql COPY binary`, value: median(rates) / floor, unit: '×', reach: `>= ${reach}` },
          { name: `${who}: rate`, value: median(rates), unit: 'rows/s' },
          { name: `${who}: peak memory of a process`, value: Math.max(...peaks), unit: 'MB', reach: '<= 350' },
        ];
      }),
      { name: `${table}: floor`, value: floor, unit: 'rows/s' },
    ];
  } finally {
    await source.stop();
  }
}
