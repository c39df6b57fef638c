import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { TestS3 } from '../../../test/support/s3.ts';
import { startS3 } from '../../../test/support/s3.ts';
import { sharedS3 } from '../../../test/support/s3-place.ts';
import { createStorage } from '../../lakehouse/index.ts';
import { createWorld } from '../../world.ts';
import type { DestinationPlace } from '../kit/conformance/destination.ts';
import {
  batchOf,
  checkpointOf,
  conformanceColumns,
  conformanceTable,
  rowsFrom,
  wordsOf,
} from '../kit/conformance/destination-rows.ts';
import { story, tellStory, visibleAfter } from '../kit/conformance/destination-story.ts';
import type { DestinationContext, DestinationSession } from '../kit/index.ts';
import { openPlace } from './conformance/s3-place.test-support.ts';
import { connector } from './index.ts';

const world = createWorld();
const context: DestinationContext = {
  world,
  log: () => {},
  signal: new AbortController().signal,
  guard: async () => {},
  warehouse: '/nowhere',
  allowPath: (path) => assert.fail(path),
};
const { name } = conformanceTable();
let s3: TestS3;
let folder = '';
let place: DestinationPlace;
before(async () => {
  s3 = await sharedS3();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parquet-s3-'));
  place = await openPlace(folder);
});
afterEach(async () => {
  s3.faults.clear();
  await rm(folder, { recursive: true, force: true });
});
after(() => s3.close());

const openSession = (): Promise<DestinationSession> => place.open({ world, guard: async () => {} });
const wordsThere = async (): Promise<string[]> => wordsOf(await place.readRows(name));

async function assertTidy(): Promise<void> {
  const { found, listed } = await place.listFiles(name);
  assert.deepEqual(found, listed);
}

const writerOf = (server: TestS3, more: object = {}): object => ({
  s3_bucket: 'checked',
  s3_path: 'a/b',
  s3_endpoint: server.endpoint,
  s3_access_key: server.settings.accessKey,
  s3_secret_key: server.settings.secretKey,
  ...more,
});

describe('the check of a Parquet destination on S3', () => {
  it('leaves nothing in the bucket', async () => {
    await s3.makeBucket('checked');
    await connector.check({ type: 'PARQUET', writer: writerOf(s3) }, context);
    const storage = createStorage({ world, s3: s3.settings });
    assert.deepEqual(await storage.list('s3://checked', { unfinished: true }), []);
    await connector.check(
      { type: 'PARQUET', writer: writerOf(s3, { s3_path: '', local_path: '/tmp/older' }) },
      context,
    );
    assert.deepEqual(await storage.list('s3://checked'), []);
  });

  it('says what is wrong', async () => {
    await assert.rejects(connector.check(writerOf(s3, { s3_bucket: 'missing' }), context), {
      kind: 'object_missing',
      message: /"missing"/,
    });
    s3.faults.add({ operation: 'PutObject', effect: { status: 403, code: 'AccessDenied' } });
    await assert.rejects(connector.check(writerOf(s3), context), { kind: 'permission_missing' });
  });

  it('refuses a store on which two writers could overwrite each other', async () => {
    const careless = await startS3({ conditions: false });
    try {
      await careless.makeBucket('checked');
      await assert.rejects(connector.check(writerOf(careless), context), { message: /If-None-Match/ });
      const session = await connector.open(writerOf(careless), context);
      const table = await session.openTable(conformanceTable());
      const unit = table.beginUnit();
      await unit.write(batchOf(rowsFrom(0, 2, 'w')));
      await assert.rejects(unit.commit('append', checkpointOf(1)), { message: /If-None-Match/ });
    } finally {
      await careless.close();
    }
  });
});

describe('a Parquet table on S3', () => {
  it('is whole and single when every kind of request breaks now and then', async () => {
    for (const effect of ['lost answer', 'reset', { status: 500, code: 'InternalError' }] as const) {
      for (const passed of [1, 4, 9]) {
        for (const operation of ['PutObject', 'CopyObject', 'DeleteObject', 'GetObject', 'ListObjectsV2']) {
          s3.faults.add({ operation, after: passed, count: 1, effect });
        }
      }
    }
    await tellStory(await openSession());
    assert.deepEqual(await wordsThere(), wordsOf(visibleAfter(story.length)));
    await assertTidy();
  });

  it('shows nothing of a unit whose commit was never decided, and all of one that was', async () => {
    const session = await openSession();
    const table = await session.openTable(conformanceTable());
    const first = table.beginUnit();
    await first.write(batchOf(rowsFrom(0, 3, 'first')));
    s3.faults.add({ operation: 'PutObject', key: /_commits\//, effect: { status: 403, code: 'AccessDenied' } });
    await assert.rejects(first.commit('append', checkpointOf(1)), { kind: 'permission_missing' });
    assert.deepEqual(await wordsThere(), []);
    s3.faults.clear();

    const again = await (await openSession()).openTable(conformanceTable());
    assert.equal(again.checkpoint, undefined);
    const second = again.beginUnit();
    await second.write(batchOf(rowsFrom(0, 3, 'second')));
    s3.faults.add({ operation: 'CopyObject', effect: { status: 403, code: 'AccessDenied' } });
    await assert.rejects(second.commit('append', checkpointOf(1)), { kind: 'permission_missing' });
    await second.abort();
    assert.deepEqual(await wordsThere(), []);
    s3.faults.clear();

    const third = await (await openSession()).openTable(conformanceTable());
    assert.deepEqual([third.checkpoint?.seq, third.rows], [1, 3]);
    assert.deepEqual(await wordsThere(), wordsOf(rowsFrom(0, 3, 'second')));
    await third.close();
    await assertTidy();
  });

  it('takes the commits of two streams that race, each once', async () => {
    const write = async (stream: number): Promise<void> => {
      const table = await (await openSession()).openTable(conformanceTable({ checkpointKey: `project/${stream}/s` }));
      for (let turn = 0; turn < 6; turn++) {
        const unit = table.beginUnit();
        await unit.write(batchOf(rowsFrom(stream * 100 + turn * 10, 3, `stream ${stream}`)));
        await unit.commit('append', checkpointOf(turn + 1));
      }
      await table.close();
    };
    await Promise.all([write(1), write(2), write(3)]);
    const expected = [1, 2, 3].flatMap((stream) =>
      [0, 1, 2, 3, 4, 5].flatMap((turn) => rowsFrom(stream * 100 + turn * 10, 3, `stream ${stream}`)),
    );
    assert.deepEqual(await wordsThere(), wordsOf(expected));
    await assertTidy();
  });

  it('is read back before and after its rows are visible, files of several parts included', async () => {
    const columns = [...conformanceColumns, { name: 'blob', type: { kind: 'string' }, nullable: true } as const];
    const writer = writerOf(s3, { s3_bucket: await s3.makeBucket('large'), compression: 'none' });
    const session = await connector.open(writer, context);
    const table = await session.openTable(conformanceTable({ columns }));
    const unit = table.beginUnit();
    s3.takeRequests();
    const places = [];
    for (let at = 0; at < 5; at++) {
      const rows = rowsFrom(at * 100_000, 100_000, 'w');
      places.push(await unit.write(batchOf(rows, columns)));
    }
    await unit.commit('stage', checkpointOf(1));
    const parts = s3.takeRequests().filter(({ operation }) => operation === 'UploadPart').length;
    assert.ok(parts >= 2, `${parts} parts`);
    const wanted = places.map(({ file, firstRow }) => ({ file, row: firstRow + 77 }));
    const names = places.map((_, at) => `w-${at * 100_000 + 77}`);
    assert.deepEqual(
      (await table.readRows(wanted)).map((row) => row?.[2]),
      names,
    );
    await table.publishStaged(checkpointOf(2));
    assert.deepEqual(
      (await table.readRows(wanted)).map((row) => row?.[2]),
      names,
    );
    await table.close();
    assert.deepEqual(await s3.listUploads('large'), []);
  });
});
