import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { TestS3 } from '../../../test/support/s3.ts';
import { sharedS3 } from '../../../test/support/s3-place.ts';
import { createStorage } from '../../lakehouse/index.ts';
import { createWorld } from '../../world.ts';
import type { DestinationPlace } from '../kit/conformance/destination.ts';
import { batchOf, checkpointOf, conformanceTable, rowsFrom, wordsOf } from '../kit/conformance/destination-rows.ts';
import { story, tellStory, visibleAfter } from '../kit/conformance/destination-story.ts';
import type { DestinationContext, DestinationSession } from '../kit/index.ts';
import { openPlace } from './conformance/s3-place.test-support.ts';
import { connector } from './index.ts';

const world = createWorld();
const { name } = conformanceTable();
let s3: TestS3;
let folder = '';
let place: DestinationPlace;
before(async () => {
  s3 = await sharedS3();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'iceberg-s3-'));
  place = await openPlace(folder);
});
afterEach(async () => {
  s3.faults.clear();
  await place.close();
  await rm(folder, { recursive: true, force: true });
});
after(() => s3.close());

const openSession = (): Promise<DestinationSession> => place.open({ world, guard: async () => {} });
const wordsThere = async (): Promise<string[]> => wordsOf(await place.readRows(name));

async function assertTidy(): Promise<void> {
  const { found, listed } = await place.listFiles(name);
  assert.deepEqual(found, listed);
}

describe('an Iceberg warehouse on S3', () => {
  it('is checked without a trace, and says what is wrong', async () => {
    const bucket = await s3.makeBucket('warehouse');
    const context: DestinationContext = {
      world,
      log: () => {},
      signal: new AbortController().signal,
      guard: async () => {},
      warehouse: folder,
      // The catalog's database is a file of this server; the warehouse is not.
      allowPath: (path) => assert.ok(path.startsWith(folder), path),
    };
    const writer = {
      catalog_type: 'jdbc',
      jdbc_url: `jdbc:sqlite:${join(folder, 'other.db')}`,
      iceberg_s3_path: `s3://${bucket}/deep/lake/`,
      s3_endpoint: s3.endpoint.replace('http://', ''),
      aws_access_key: s3.settings.accessKey,
      aws_secret_key: s3.settings.secretKey,
    };
    await connector.check({ type: 'ICEBERG', writer }, context);
    const storage = createStorage({ world, s3: s3.settings });
    assert.deepEqual(await storage.list(`s3://${bucket}`, { unfinished: true }), []);
    const elsewhere = { ...writer, iceberg_s3_path: 's3://missing/lake' };
    await assert.rejects(connector.check({ type: 'ICEBERG', writer: elsewhere }, context), { kind: 'object_missing' });
    const refused = { ...writer, s3_endpoint: 'http://169.254.169.254' };
    await assert.rejects(connector.check({ type: 'ICEBERG', writer: refused }, context), {
      kind: 'configuration_invalid',
    });
  });

  it('is whole and single when every kind of request breaks now and then', async () => {
    for (const effect of ['lost answer', 'reset', { status: 500, code: 'InternalError' }] as const) {
      for (const passed of [1, 4, 9]) {
        for (const operation of ['PutObject', 'DeleteObject', 'GetObject', 'HeadObject', 'ListObjectsV2']) {
          s3.faults.add({ operation, after: passed, count: 1, effect });
        }
      }
    }
    await tellStory(await openSession());
    assert.deepEqual(await wordsThere(), wordsOf(visibleAfter(story.length)));
    await assertTidy();
  });

  it('holds nothing of a commit whose metadata could not be written, and the next attempt clears it away', async () => {
    const table = await (await openSession()).openTable(conformanceTable());
    const first = table.beginUnit();
    await first.write(batchOf(rowsFrom(0, 3, 'first')));
    s3.faults.add({ operation: 'PutObject', key: /\.metadata\.json$/, effect: { status: 403, code: 'AccessDenied' } });
    await assert.rejects(first.commit('append', checkpointOf(1)), { kind: 'permission_missing' });
    s3.faults.clear();
    assert.deepEqual(await wordsThere(), []);
    const again = await (await openSession()).openTable(conformanceTable());
    assert.equal(again.checkpoint, undefined);
    const second = again.beginUnit();
    await second.write(batchOf(rowsFrom(0, 3, 'second')));
    await second.commit('append', checkpointOf(1));
    await again.close();
    assert.deepEqual(await wordsThere(), wordsOf(rowsFrom(0, 3, 'second')));
    await assertTidy();
  });
});
