import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { createStorage } from '../../src/lakehouse/index.ts';
import { createWorld } from '../../src/world.ts';
import type { S3Effect, S3Request } from '../support/s3-faults.ts';
import type { TestS3 } from '../support/s3.ts';
import { startS3 } from '../support/s3.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { assertNoOrphans, SWEEP } from './lake-checks.ts';
import type { Destination, LakeJob } from './sync-support.ts';
import type { Row } from './support/lake-tables.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, sourceRows } from './support/orders.ts';

/** What a store answers when it is overloaded, by turns. */
const TROUBLES: readonly S3Effect[] = [
  { status: 500, code: 'InternalError' },
  { status: 503, code: 'ServiceUnavailable' },
  { status: 503, code: 'SlowDown' },
];
const OUT_OF_ORDER: S3Effect = { status: 500, code: 'InternalError' };
/** Jobs that wait for their repetitions at once. */
const TOGETHER = 16;

let source: TestSource;
let s3: TestS3;
before(async () => {
  s3 = await startS3();
  source = await startTestSource();
  await createOrders(source, 900);
  // Of one chunk, whose file is longer than one part of an upload.
  await source.run(`create table wide (like orders); alter table wide add primary key (id);
    insert into wide select i, (select string_agg(md5(i || '-' || n), '') from generate_series(1, 4000) as n), 1, now()
      from generate_series(1, 150) as i`);
  await prepareCases();
});
after(async () => {
  await source?.stop();
  await s3?.close();
});

const wanted = new Map<string, Promise<string[]>>();

/** The rows of a table that nobody changes. */
function wantedRows(table: string): Promise<string[]> {
  const rows = wanted.get(table) ?? sourceRows(source, table);
  wanted.set(table, rows);
  return rows;
}

/** A kind of request that a commit makes: its call and what its key is of. */
interface Moment {
  readonly operation: string;
  readonly key: RegExp;
}

/** Kinds of files, the first that fits; an empty key is a request about the bucket. */
const FILES: readonly RegExp[] = [
  /\.parquet$/,
  /\.avro$/,
  /\.metadata\.json$/,
  /version-hint/,
  /_manifest\.json$/,
  /_commits\//,
  /\.json$/,
  /^$/,
  /./,
];

/** Every kind of request once, in the order of their first. */
function momentsOf(requests: readonly S3Request[]): Moment[] {
  const found = new Map<string, Moment>();
  for (const { operation, key } of requests) {
    const file = FILES.find((one) => one.test(key)) as RegExp;
    found.set(`${operation} ${file.source}`, { operation, key: file });
  }
  return [...found.values()];
}

const nameOf = ({ operation, key }: Moment): string => `${operation} ${key.source}`;

interface Lake {
  readonly bucket: string;
  readonly job: LakeJob;
  assertEqual(place: string): Promise<void>;
  /** After upkeep no file is left that the table does not name, and no upload. */
  assertSwept(place: string): Promise<void>;
}

function writerOf(destination: Destination, bucket: string): Record<string, unknown> {
  const { accessKey, secretKey } = s3.settings;
  const lake = { iceberg_s3_path: `s3://${bucket}/lake`, aws_access_key: accessKey, aws_secret_key: secretKey };
  const files = { s3_bucket: bucket, s3_path: 'lake', s3_access_key: accessKey, s3_secret_key: secretKey };
  return { s3_endpoint: s3.endpoint, ...(destination === 'iceberg' ? lake : files) };
}

/** A job whose table holds the rows of an earlier run. */
async function openLake(destination: Destination, table: string): Promise<Lake> {
  const bucket = await s3.makeBucket();
  const writer = writerOf(destination, bucket);
  const job = await createJob(source, { destination, mode: 'full_refresh', streams: [table], writer });
  const storage = createStorage({ world: createWorld(), s3: s3.settings });
  const folder = `s3://${bucket}/lake/job_shop_public/${table}`;
  const read = async (location: string): Promise<Uint8Array> => new Uint8Array((await storage.read(location))!);
  const list = (): Promise<readonly string[]> => storage.list(folder, { unfinished: true });
  const first = await job.attempt();
  assert.equal(first.failure, undefined, first.failure?.message);
  return {
    bucket,
    job,
    async assertEqual(place) {
      if (destination === 'iceberg') {
        const [verdict] = await job.verify();
        assert.equal(verdict?.verdict, 'equal', `${place}: ${JSON.stringify(verdict)}`);
        return;
      }
      const rows: Row[] = [];
      for (const path of (await storage.list(folder)).filter((one) => one.endsWith('.parquet'))) {
        rows.push(...(await parquetReadObjects({ file: (await read(path)).buffer as ArrayBuffer, compressors })));
      }
      assert.deepEqual(lakeRows(rows), await wantedRows(table), place);
    },
    async assertSwept(place) {
      assert.deepEqual(await s3.listUploads(bucket), [], `${place}: uploads that nobody ends`);
      if (destination === 'iceberg') {
        assert.equal((await job.maintain(SWEEP)).failure, undefined, place);
        return assertNoOrphans(job, place, { table, read, list });
      }
      const manifest = JSON.parse(Buffer.from(await read(`${folder}/_manifest.json`)).toString()) as {
        files: { path: string }[];
      };
      const named = [...manifest.files.map(({ path }) => `${folder}/${path}`), `${folder}/_manifest.json`];
      const found = (await list()).filter((path) => !path.includes('/_commits/'));
      assert.deepEqual(found.toSorted(), named.toSorted(), `${place}: files that no manifest lists`);
    },
  };
}

/** Each kind of request that a run over an existing table makes. */
async function findMoments(destination: Destination, table: string): Promise<Moment[]> {
  const { bucket, job } = await openLake(destination, table);
  s3.takeRequests();
  const { failure } = await job.attempt();
  assert.equal(failure, undefined, failure?.message);
  const moments = momentsOf(s3.takeRequests().filter((request) => request.bucket === bucket));
  await job.remove();
  return moments;
}

/** Tables, and what a commit must be seen to do, so that a test never passes by meeting nothing. */
const CASES: readonly {
  readonly destination: Destination;
  readonly table: string;
  readonly expected: readonly string[];
}[] = [
  {
    destination: 'iceberg',
    table: 'orders',
    expected: ['PutObject \\.parquet$', 'PutObject \\.avro$', 'PutObject \\.metadata\\.json$', 'GetObject \\.avro$'],
  },
  {
    destination: 'parquet',
    table: 'orders',
    expected: ['PutObject _commits\\/', 'CopyObject \\.parquet$', 'ListObjectsV2 ^$', 'DeleteObject \\.parquet$'],
  },
  {
    destination: 'iceberg',
    table: 'wide',
    expected: ['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'].map((one) => `${one} \\.parquet$`),
  },
];

interface Case {
  readonly moments: readonly Moment[];
  /** Works on each moment with a lake of its own, several at a time. */
  each(work: (lake: Lake, moment: Moment) => Promise<void>): Promise<void>;
}

const cases = new Map<string, Case>();

async function withLake(destination: Destination, table: string, work: (lake: Lake) => Promise<void>): Promise<void> {
  const lake = await openLake(destination, table);
  try {
    await work(lake);
  } finally {
    s3.faults.clear(lake.bucket);
    await lake.job.remove();
  }
}

async function prepareCases(): Promise<void> {
  for (const { destination, table, expected } of CASES) {
    const found = await findMoments(destination, table);
    for (const name of expected) {
      assert.ok(found.map(nameOf).includes(name), `${name} is not among ${found.map(nameOf).join(', ')}`);
    }
    // A large file differs in its upload only.
    const moments = table === 'wide' ? found.filter((one) => expected.includes(nameOf(one))) : found;
    cases.set(`${destination} ${table}`, {
      moments,
      each: (work) => severalAtOnce(moments, (moment) => withLake(destination, table, (lake) => work(lake, moment))),
    });
  }
}

async function severalAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const one = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  const outcomes = await Promise.allSettled(Array.from({ length: TOGETHER }, one));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

describe('a store that', { concurrency: true }, () => {
  for (const { destination, table } of CASES) {
    it(`is overloaded at every kind of request is asked again: ${destination}, ${table}`, async () => {
      const { moments } = cases.get(`${destination} ${table}`) as Case;
      await withLake(destination, table, async ({ bucket, job, assertEqual, assertSwept }) => {
        moments.forEach((moment, at) => {
          s3.faults.add({ bucket, ...moment, count: 2, effect: TROUBLES[at % TROUBLES.length] as S3Effect });
        });
        const { failure } = await job.attempt();
        assert.equal(failure, undefined, failure?.message);
        await assertEqual('afterwards');
        await assertSwept('afterwards');
      });
    });

    it(`goes out of order at any kind of request fails the run in words, and the next attempt brings all: ${destination}, ${table}`, () =>
      (cases.get(`${destination} ${table}`) as Case).each(async ({ bucket, job, assertEqual, assertSwept }, moment) => {
        const place = nameOf(moment);
        s3.faults.add({ bucket, ...moment, effect: OUT_OF_ORDER, lasting: true });
        const { failure } = await job.attempt({ run: 'run-cut' });
        assert.equal(failure?.kind, 'storage_failed', place);
        assert.match(failure.message, /"bucket-\d+".* fails by itself \(InternalError, 500\)/);
        assert.match(failure.advice, /next attempt goes on; look after the store/);
        s3.faults.clear(bucket);
        const resumed = await job.attempt({ run: 'run-cut' });
        assert.equal(resumed.failure, undefined, `${place}: ${resumed.failure?.message}`);
        await assertEqual(place);
        await assertSwept(place);
      }));
  }
});
