import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { Storage } from '../../src/lakehouse/index.ts';
import { createStorage } from '../../src/lakehouse/index.ts';
import { createWorld } from '../../src/world.ts';
import type { TestS3 } from '../support/s3.ts';
import { startS3 } from '../support/s3.ts';
import type { TestSource } from '../support/source.ts';
import { startTestSource } from '../support/source.ts';
import { noteKill, testKills } from './points.ts';
import type { Destination, LakeJob } from './sync-support.ts';
import type { Row } from './support/lake-tables.ts';
import { createJob } from './sync-support.ts';
import { createOrders, lakeRows, sourceRows } from './support/orders.ts';

let source: TestSource;
let s3: TestS3;
before(async () => {
  s3 = await startS3();
  source = await startTestSource();
  await createOrders(source, 1500);
});
afterEach(() => s3.faults.clear());
after(async () => {
  await source.stop();
  await s3.close();
});

/** The writer's keys that put tables into a bucket. */
function writerOf(destination: Destination, bucket: string): Record<string, unknown> {
  const { accessKey, secretKey } = s3.settings;
  const lake = { iceberg_s3_path: `s3://${bucket}/lake`, aws_access_key: accessKey, aws_secret_key: secretKey };
  const files = { s3_bucket: bucket, s3_path: 'lake', s3_access_key: accessKey, s3_secret_key: secretKey };
  return { s3_endpoint: s3.endpoint, ...(destination === 'iceberg' ? lake : files) };
}

interface Lake {
  readonly job: LakeJob;
  readonly storage: Storage;
  /** Where the job's table lies. */
  readonly folder: string;
  /** The table holds exactly the rows of the source, each once. */
  assertEqual(step: string): Promise<void>;
}

async function onS3(destination: Destination, work: (lake: Lake) => Promise<void>): Promise<void> {
  const bucket = await s3.makeBucket();
  const job = await createJob(source, { destination, mode: 'full_refresh', writer: writerOf(destination, bucket) });
  const storage = createStorage({ world: createWorld(), s3: s3.settings });
  const folder = `s3://${bucket}/lake/job_shop_public/orders`;
  const readFiles = async (): Promise<Row[]> => {
    const rows: Row[] = [];
    for (const path of (await storage.list(folder)).filter((one) => one.endsWith('.parquet'))) {
      const bytes = new Uint8Array((await storage.read(path))!);
      rows.push(...(await parquetReadObjects({ file: bytes.buffer, compressors })));
    }
    return rows;
  };
  const assertEqual = async (step: string): Promise<void> => {
    if (destination === 'parquet') {
      assert.deepEqual(lakeRows(await readFiles()), await sourceRows(source), step);
      return;
    }
    const [verdict] = await job.verify();
    assert.equal(verdict?.verdict, 'equal', `${step}: ${JSON.stringify(verdict)}`);
  };
  try {
    await work({ job, storage, folder, assertEqual });
  } finally {
    await job.remove();
  }
}

describe('a sync into a bucket', () => {
  for (const [destination, points] of [
    ['parquet', ['parquet.commit-decided', 's3.copied', 'parquet.replaced-removed']],
    ['iceberg', ['iceberg.before-swap', 'iceberg.swapped']],
  ] as const) {
    it(`brings every row once, also when attempts are killed and requests break: ${destination}`, async () => {
      await onS3(destination, async ({ job, assertEqual }) => {
        const first = await job.attempt();
        assert.equal(first.failure, undefined, first.failure?.message);
        await assertEqual('first run');
        for (const stopAt of points) {
          await source.run(`insert into orders select max(id) + 1, 'more', 1, now() from orders`);
          const killed = await job.attempt({ run: `run-${stopAt}`, stopAt });
          assert.equal(killed.failure?.kind, 'worker_lost', `${stopAt} was not reached`);
          noteKill(stopAt);
          s3.faults.add({ operation: 'PutObject', after: 2, count: 1, effect: 'lost answer' });
          s3.faults.add({ operation: 'GetObject', after: 1, count: 1, effect: 'truncate' });
          const resumed = await job.attempt({ run: `run-${stopAt}` });
          assert.equal(resumed.failure, undefined, `${stopAt}: ${resumed.failure?.message}`);
          await assertEqual(stopAt);
        }
        assert.deepEqual(await job.visibleFiles(), [], 'nothing is written to the disk of the server');
      });
    });
  }

  it('leaves exactly the files that its manifest lists, readable by others', async () => {
    await onS3('parquet', async ({ job, storage, folder, assertEqual }) => {
      assert.equal((await job.attempt()).failure, undefined);
      assert.equal((await job.attempt()).failure, undefined);
      const all = await storage.list(folder, { unfinished: true });
      const visible = all.filter((path) => path.endsWith('.parquet'));
      const manifest = JSON.parse((await storage.read(`${folder}/_manifest.json`))!.toString()) as {
        files: { path: string }[];
      };
      assert.deepEqual(visible, manifest.files.map(({ path }) => `${folder}/${path}`).sort());
      assert.deepEqual(
        all.filter((path) => path.includes('/_staging/') || path.endsWith('.part')),
        [],
      );
      await assertEqual('after two runs');
    });
  });

  it('fails in words when the bucket is not there, and is not retried', async () => {
    const writer = writerOf('parquet', 'missing-bucket');
    const job = await createJob(source, { destination: 'parquet', mode: 'full_refresh', writer });
    try {
      const { failure } = await job.attempt();
      assert.equal(failure?.kind, 'object_missing');
      assert.match(failure.message, /"missing-bucket"/);
      assert.doesNotMatch(failure.message, /S3RVER/);
    } finally {
      await job.remove();
    }
  });
});

testKills('sync-s3');
