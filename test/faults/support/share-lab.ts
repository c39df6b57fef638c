import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { installQueue } from '../../../src/engine/index.ts';
import type { OpenEngine, RunView, TaskView } from '../../../src/engine/index.ts';
import { withDatabase } from '../../../src/store/index.ts';
import { buildCatalog } from '../../../src/sync/catalog/index.ts';
import type { AdvancedSettings, Catalog, SyncSnapshot } from '../../../src/sync/types.ts';
import { catalogIn } from '../../../src/warehouse/index.ts';
import { createTestStore } from '../../support/database.ts';
import type { TestStore } from '../../support/database.ts';
import { opening } from '../../support/opening.ts';
import type { Closing } from '../../support/opening.ts';
import { startTestSource } from '../../support/source.ts';
import type { TestSource } from '../../support/source.ts';
import { discoverStreams } from './attempts.ts';
import { readIceberg, readParquetFolder } from './lake-tables.ts';
import { lakeRows, sourceRows } from './orders.ts';
import type { Destination } from '../sync-support.ts';
import type { Row } from './lake-tables.ts';
import { openShareEngine } from './share-engine.ts';
import type { ShareEngineOptions } from './share-engine.ts';

const PATIENCE_MS = 60_000;
/** Whoever holds it keeps every reader of the table `gated` before its first row. */
const GATE = 4242;

/** A store that several worker processes share, and a source whose table can be held up. */
export interface ShareLab {
  readonly source: TestSource;
  readonly test: TestStore;
  readonly engine: OpenEngine;
  /** Options of this lab's worker processes. */
  readonly options: Omit<ShareEngineOptions, 'stopAt' | 'onPoint'>;
  startWorker(slots?: number): Promise<ChildProcess>;
  start(job: ShareJob): Promise<ShareRun>;
  /** Closes the gate before the table; answers how to open it. One that a test left closed is opened first. */
  closeGate(): Promise<() => Promise<void>>;
  /** Chunks that readers have claimed and not handed over. */
  claims(): Promise<readonly { component: string; worker: string }[]>;
  readerClaims(): Promise<number>;
  /** Rows of shared loads and chunks. */
  leftOvers(): Promise<number>;
  close(): Promise<void>;
}

export interface ShareJob {
  readonly destination: Destination;
  readonly mode?: 'full_refresh' | 'incremental';
  readonly table?: string;
  readonly advanced?: AdvancedSettings;
  /** Of the lake; each job has its own unless told. */
  readonly id?: number;
}

export interface ShareRun {
  readonly id: string;
  ended(): Promise<RunView>;
  /** The lines of its log, for messages of failed assertions. */
  log(): Promise<string>;
  readers(): Promise<readonly TaskView[]>;
  rows(): Promise<Row[]>;
  /** Every row of the source once, and nothing else. */
  assertEqual(place: string): Promise<void>;
}

/** `rows` rows in pages of which a chunk holds a few. `own` = how the engine of this process works, if it does. */
export function openShareLab(rows: number, own: OwnEngine = {}): Promise<ShareLab> {
  return opening((closing) => openParts({ rows, own }, closing));
}

type OwnEngine = Partial<Pick<ShareEngineOptions, 'slots' | 'stopAt' | 'onPoint'>>;

async function openParts(
  { rows, own }: { readonly rows: number; readonly own: OwnEngine },
  closing: Closing,
): Promise<Omit<ShareLab, 'close'>> {
  const folder = await mkdtemp(join(tmpdir(), 'penstock-share-'));
  closing(() => rm(folder, { recursive: true, force: true }));
  const source = await startTestSource();
  closing(source.stop);
  await createGated(source, rows);
  const test = await createTestStore({ prepare: installQueue });
  closing(test.close);
  const options = {
    url: test.store.url,
    dataDir: join(folder, 'data'),
    slots: 1,
    sharing: { chunkBytes: 16 * 8192, afterMs: 0 },
  };
  const { store, engine } = await openShareEngine({ ...options, ...own });
  closing(store.close);
  closing(engine.close);
  let openGate = async (): Promise<void> => {};
  closing(() => openGate());
  let jobs = 0;
  let discovered: ReturnType<typeof discoverStreams> | undefined;

  async function claims(): Promise<{ component: string; worker: string }[]> {
    const { rows: found } = await store.pool.query(
      `select t.component, a.worker from shared_chunk c join task t on t.id = c.task_id
         join attempt a on a.task_id = t.id and a.fence = c.fence where c.state = 'claimed'`,
    );
    return found as { component: string; worker: string }[];
  }
  async function start(job: ShareJob): Promise<ShareRun> {
    const id = job.id ?? ++jobs;
    const { table = 'gated' } = job;
    discovered ??= discoverStreams(asVisitor(source));
    const snapshot = await describeJob(source, { ...job, table }, { id, lake: join(folder, `lake-${id}`), discovered });
    const started = await engine.start({
      kind: 'sync',
      project: 'p',
      definition: `sync.job/${id}`,
      trigger: 'api',
      snapshot,
      phases: [[{ key: 'sync', component: 'penstock.sync', input: {}, retry: { limit: 3, firstDelayMs: 50 } }]],
    });
    const tableFolder = join(folder, `lake-${id}`, 'job_shop_public', table);
    const rowsOf = (): Promise<Row[]> =>
      job.destination === 'parquet'
        ? readParquetFolder(tableFolder)
        : readIceberg(catalogIn(store.db, 'p'), { database: `job_${id}_shop_public`, table });
    return {
      id: started.runId,
      async ended() {
        const run = await engine.settled(started.runId, PATIENCE_MS);
        assert.ok(run?.endedAt, `the run did not end: ${JSON.stringify(await engine.tasks(started.runId))}`);
        return run;
      },
      async log() {
        const lines: string[] = [];
        for await (const piece of engine.streamLog(started.runId)) lines.push(piece);
        return lines.join('');
      },
      readers: async () =>
        (await engine.tasks(started.runId)).filter((task) => task.component === 'penstock.sync.read'),
      rows: rowsOf,
      async assertEqual(place) {
        const found = await rowsOf();
        assert.equal(new Set(found.map((row) => row['_olake_id'])).size, found.length, `${place}: a row twice`);
        assert.deepEqual(lakeRows(found), await sourceRows(source, table), place);
      },
    };
  }
  return {
    source,
    test,
    engine,
    options,
    start,
    async readerClaims() {
      return (await claims()).filter((claim) => claim.component === 'penstock.sync.read').length;
    },
    async startWorker(slots = 1) {
      const script = join(import.meta.dirname, 'share-worker.ts');
      const worker = fork(script, [JSON.stringify({ ...options, slots })], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      closing(() => worker.kill('SIGKILL'));
      await ready(worker);
      return worker;
    },
    async closeGate() {
      await openGate();
      openGate = await closeGate(source);
      return openGate;
    },
    claims,
    async leftOvers() {
      const { rows: found } = await store.pool.query(
        `select (select count(*) from shared_load)::int + (select count(*) from shared_chunk)::int as count`,
      );
      return (found[0] as { count: number }).count;
    },
  };
}

/** Its first message; an end before that tells why nobody works. */
function ready(worker: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('exit', (code, signal) => reject(new Error(`a worker ended before it began: ${signal ?? code}`)));
  });
}

/** A table whose rows are shown, by a row policy, to those who pass the gate. */
async function createGated(source: TestSource, rows: number): Promise<void> {
  await source.run(
    `create table gated (id bigint primary key, name text, amount numeric(10,2), at timestamptz not null);
     insert into gated select i, repeat('name ', 20) || i, i / 7.0,
       '2026-01-01Z'::timestamptz + (i / 10) * interval '1 second' from generate_series(1, ${rows}) as i`,
  );
  await source.run('vacuum analyze gated');
  await source.run(
    `create function pass_gate() returns boolean language plpgsql volatile as $$
       begin
         if current_query() not ilike '%;copy %' then return true; end if;
         perform pg_advisory_lock_shared(${GATE});
         perform pg_advisory_unlock_shared(${GATE});
         return true;
       end $$;
     alter table gated enable row level security;
     create policy gate on gated using (id % 50 <> 1 or pass_gate());
     create role visitor login password 'visitor';
     grant select on gated to visitor`,
  );
  // The same with a value in each chunk that no table can hold.
  await source.run(
    `create table spoiled (id bigint primary key, name text, amount numeric(10,2), at timestamptz not null);
     insert into spoiled select id, name, case when id % 100 = 0 then 'NaN' else amount end, at from gated;
     alter table spoiled enable row level security;
     create policy gate on spoiled using (id % 50 <> 1 or pass_gate());
     grant select on spoiled to visitor`,
  );
  await source.run('analyze spoiled');
}

async function closeGate(source: TestSource): Promise<() => Promise<void>> {
  const keeper = new Client({ connectionString: withDatabase(source.url, String(source.config['database'])) });
  await keeper.connect();
  await keeper.query(`select pg_advisory_lock(${GATE})`);
  let ended: Promise<void> | undefined;
  // The lock goes with its session.
  return () => (ended ??= keeper.end());
}

function asVisitor(source: TestSource): TestSource {
  return { ...source, config: { ...source.config, username: 'visitor', password: 'visitor' } };
}

async function describeJob(
  source: TestSource,
  job: ShareJob & { readonly table: string },
  place: {
    readonly id: number;
    readonly lake: string;
    readonly discovered: ReturnType<typeof discoverStreams>;
  },
): Promise<SyncSnapshot> {
  const { mode = 'full_refresh', destination } = job;
  const visited = asVisitor(source);
  const found = (await place.discovered).filter(({ name }) => name === job.table);
  const prefix = destination === 'parquet' ? 'job' : `job_${place.id}`;
  const built = buildCatalog(found, { prefix, database: 'shop' });
  const catalog: Catalog = {
    ...built,
    streams: built.streams.map(({ stream }) => ({
      stream: { ...stream, sync_mode: mode, cursor_field: mode === 'incremental' ? 'at' : '' },
    })),
  };
  const config =
    destination === 'parquet'
      ? { type: 'PARQUET', writer: { local_path: place.lake } }
      : { type: 'ICEBERG', writer: { catalog_type: 'builtin', iceberg_s3_path: place.lake } };
  const settings = (type: string, value: unknown) => ({
    type,
    version: '1',
    sealedConfig: JSON.stringify(value),
    place: '',
  });
  return {
    project: 'p',
    jobId: place.id,
    jobName: `job ${place.id}`,
    source: settings('postgres', visited.config),
    destination: settings(destination, config),
    catalog,
    advanced: { max_threads: 2, retry_count: 3, ...job.advanced },
  };
}
