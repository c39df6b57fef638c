import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Ajv } from 'ajv';
import { startS3 } from '../../../test/support/s3.ts';
import type { TestS3 } from '../../../test/support/s3.ts';
import { failureKinds } from '../../errors.ts';
import type { FailureKind } from '../../errors.ts';
import { createStorage } from '../../lakehouse/index.ts';
import { createWorld } from '../../world.ts';
import { connector as fileConnector } from '../file/index.ts';
import { inSession, keepAll, neverAborted, readWhole } from '../kit/conformance/source-place.ts';
import { parseConfig } from './config.ts';
import { connector } from './index.ts';

const CURSOR = { column: '_last_modified_time' };

describe('the S3 source', () => {
  let s3: TestS3;
  let bucket: string;
  before(async () => {
    s3 = await startS3({ pageKeys: 3 });
    bucket = await s3.makeBucket();
    await put('lake/in/orders/1.csv', 'id,note\n1,a\n2,b\n');
    await put('lake/in/orders/2024/2.csv.gz', gzipSync('id,note\n3,c\n'));
    await put('lake/in/orders/_SUCCESS', '');
    await put('lake/in/.hidden/3.csv', 'id\n9\n');
    await put('lake/in/flat.csv', 'x\n1\n');
    await put('lake/in/notes.json', '{"x":1}');
    await put('lake/inside/4.csv', 'id\n9\n');
  });
  after(() => s3.close());

  const put = (key: string, body: string | Uint8Array): Promise<boolean> =>
    createStorage({ world: createWorld(), s3: s3.settings }).put(`s3://${bucket}/${key}`, Buffer.from(body));
  const remove = (key: string): Promise<void> =>
    createStorage({ world: createWorld(), s3: s3.settings }).remove(`s3://${bucket}/${key}`);
  const config = (changes = {}): Record<string, unknown> => ({
    bucket_name: bucket,
    path_prefix: '/lake/in/',
    file_format: 'csv',
    endpoint: s3.endpoint,
    access_key_id: s3.settings.accessKey,
    secret_access_key: s3.settings.secretKey,
    ...changes,
  });
  const texts = (config_: unknown, name: string): Promise<(string | null)[][]> =>
    inSession({ connector, config: config_ }, async (session, select) => {
      const { rows } = await readWhole(session, await select(name), 1 << 30);
      return rows.map((row) => row.slice(0, -1)).toSorted();
    });

  it('has folders below the prefix and files in it as streams of the bucket', async () => {
    await inSession({ connector, config: config() }, async (session) => {
      const streams = await session.discover({ signal: neverAborted, threads: 2 });
      assert.deepEqual(
        streams.map(({ namespace, name }) => [namespace, name]),
        [
          [bucket, 'flat'],
          [bucket, 'orders'],
        ],
      );
    });
    assert.deepEqual(await texts(config(), 'orders'), [
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'c'],
    ]);
    assert.deepEqual(await texts(config({ file_pattern: String.raw`in/orders/\d\.csv$` }), 'orders'), [
      ['1', 'a'],
      ['2', 'b'],
    ]);
    assert.deepEqual(await texts(config({ file_format: 'json' }), 'notes'), [['1']]);
    assert.deepEqual(await texts(config({ path_prefix: 'lake/in/flat.csv' }), 'flat'), [['1']]);
  });

  it('reads new objects after the time of the last one', async () => {
    await inSession({ connector, config: config() }, async (session, select) => {
      const stream = await select('orders');
      const upTo = await session.maxCursor(stream, CURSOR);
      assert.match(upTo.primary!, /^20\d\d-.*Z$/);
      const kept = keepAll();
      await session.readAfter(stream, { ...kept, cursor: CURSOR, after: { primary: null, fallback: null }, upTo });
      assert.equal(kept.rows.length, 3);
      const names = await session.partsAt!(stream, { cursor: CURSOR, value: upTo.primary! });
      const nothing = keepAll();
      await session.readAfter(stream, { ...nothing, cursor: CURSOR, after: upTo, upTo, without: names });
      assert.equal(nothing.rows.length, 0);
    });
  });

  it('reads Parquet objects in parts', async () => {
    const data = new URL('../../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url);
    await put('lake/in/flights.parquet', await readFile(data));
    await inSession({ connector, config: config({ file_format: 'parquet' }) }, async (session, select) => {
      assert.equal(await session.countRows(await select('flights'), { signal: neverAborted }), 3_000_000);
    });
  });

  it('refuses objects that changed or vanished after they were listed, to be tried again', async () => {
    const changes = [() => put('lake/in/moved/1.csv', 'id\n3\n'), () => remove('lake/in/moved/1.csv')];
    for (const change of changes) {
      await put('lake/in/moved/1.csv', 'id\n1\n');
      await inSession({ connector, config: config() }, async (session, select) => {
        const stream = await select('moved');
        await change();
        const read = session.readChunk(stream, { ...keepAll(), chunk: { min: null, max: null } });
        await assert.rejects(read, ({ kind }: { kind: FailureKind }) => failureKinds[kind].retry);
      });
    }
    await put('lake/in/moved/1.csv', 'id\n1\n');
    await remove('lake/in/moved/1.csv');
  });

  it('is reached by the file source as well', async () => {
    const access = {
      endpoint: s3.endpoint,
      access_key_id: s3.settings.accessKey,
      secret_access_key: s3.settings.secretKey,
    };
    const config_ = { url: `s3://${bucket}/lake/in`, s3: access };
    await inSession({ connector: fileConnector, config: config_ }, async (session, select) => {
      assert.equal((await readWhole(session, await select('orders'), 1 << 30)).rows.length, 3);
      assert.equal((await readWhole(session, await select('notes'), 1 << 30)).rows.length, 1);
    });
  });

  it('tells a missing bucket, wrong keys and an empty prefix apart', async () => {
    const context = { world: createWorld(), log: () => undefined, signal: neverAborted };
    await connector.check(config(), context);
    await assert.rejects(connector.check(config({ bucket_name: 'no-such-bucket' }), context), {
      kind: 'object_missing',
    });
    await assert.rejects(connector.check(config({ path_prefix: 'nowhere' }), context), { kind: 'object_missing' });
    await assert.rejects(connector.check(config({ endpoint: 'http://127.0.0.1:1' }), context), { kind: 'unreachable' });
  });

  it('has a configuration that names wrong fields, and a schema that marks the secret', () => {
    for (const [changes, message] of [
      [{ bucket_name: '' }, /^bucket_name is required/],
      [{ bucket_name: 'a/b' }, /^bucket_name must be the name alone/],
      [{ file_format: undefined }, /^file_format/],
    ] as const) {
      assert.throws(() => parseConfig(config(changes)), { kind: 'configuration_invalid', message });
    }
    const older = parseConfig({ bucket_name: 'b', file_format: 'csv', aws_access_key: 'k', aws_secret_key: 's' });
    assert.deepEqual([older.bucket.access.accessKey, older.bucket.access.secretKey], ['k', 's']);
    const { jsonschema } = connector.spec();
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(jsonschema);
    assert.ok(validate(config()), JSON.stringify(validate.errors));
    assert.match(JSON.stringify(jsonschema), /"secret_access_key":\{"type":"string","format":"password"/);
  });
});
