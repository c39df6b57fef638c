import assert from 'node:assert/strict';

import { after, afterEach, before, describe, it } from 'node:test';
import type { TestS3 } from '../../../test/support/s3.ts';
import { startS3 } from '../../../test/support/s3.ts';
import { createWorld } from '../../world.ts';
import type { S3Settings, Storage } from './index.ts';
import { createS3Storage, createStorage, probeStorage } from './index.ts';
import { partSize } from './s3-upload.ts';
import { storageSuite } from './suite.test-support.ts';

const world = createWorld();
let s3: TestS3;
let bucket = '';
before(async () => {
  s3 = await startS3({ pageKeys: 10 });
  bucket = await s3.makeBucket('lake');
});
after(() => s3.close());
afterEach(() => s3.faults.clear());

const openStorage = (more: S3Settings = {}): Storage =>
  createS3Storage(world, { ...s3.settings, partBytes: 1000, copyBytes: 900, ...more });
const operations = (): string[] => s3.takeRequests().map((request) => request.operation);
const pathOf = (key: string): string => `s3://${bucket}/${key}`;

storageSuite('a bucket', async () => ({ storage: openStorage(), root: pathOf('root'), close: async () => {} }));

async function write(storage: Storage, path: string, bytes: Uint8Array): Promise<void> {
  const output = await storage.createFile(path);
  for (let at = 0; at < bytes.length; at += 300) await output.write([bytes.subarray(at, at + 300)]);
  await output.close();
}

describe('an upload', () => {
  it('is one request up to the size of a part, and parts beyond it', async () => {
    const storage = openStorage();
    const bytes = world.random(4700);
    operations();
    await write(storage, pathOf('one'), bytes.subarray(0, 999));
    assert.deepEqual(operations(), ['PutObject']);
    for (const size of [1000, 1001, 2000, 4700]) {
      const path = pathOf(`parts/${size}`);
      await write(storage, path, bytes.subarray(0, size));
      const parts = operations().filter((operation) => operation === 'UploadPart');
      assert.equal(parts.length, Math.ceil(size / 1000));
      assert.ok((await storage.read(path))?.equals(bytes.subarray(0, size)));
      operations();
    }
    assert.deepEqual(await s3.listUploads(bucket), []);
  });

  it('has parts of one size until the thousandth, and room for 5 TB in ten thousand', () => {
    assert.equal(partSize(1, 8 << 20), partSize(1000, 8 << 20));
    let total = 0;
    for (let number = 1; number <= 10_000; number++) total += partSize(number, 8 << 20);
    assert.ok(total > 5e12);
    assert.ok(partSize(10_000, 8 << 20) <= 5 * 2 ** 30);
  });

  it('that is aborted, or fails, leaves no parts behind', async () => {
    const storage = openStorage();
    const output = await storage.createFile(pathOf('gone'));
    await output.write([Buffer.alloc(10_000)]);
    assert.equal((await s3.listUploads(bucket)).length, 1);
    await output.abort();
    assert.deepEqual(await s3.listUploads(bucket), []);
    s3.faults.add({ operation: 'UploadPart', after: 3, effect: { status: 403, code: 'AccessDenied' } });
    const refused = await storage.createFile(pathOf('gone'));
    await assert.rejects(
      refused.write([Buffer.alloc(10_000)]).then(() => refused.close()),
      { kind: 'permission_missing' },
    );
    await refused.abort();
    assert.deepEqual(await s3.listUploads(bucket), []);
    assert.equal(await storage.size(pathOf('gone')), undefined);
  });

  it('waits while the store is slow instead of gathering bytes', async () => {
    const storage = openStorage();
    const output = await storage.createFile(pathOf('slow'));
    s3.faults.add({ operation: 'UploadPart', effect: { delayMs: 300 } });
    let accepted = 0;
    const writing = (async () => {
      for (; accepted < 6; accepted++) await output.write([Buffer.alloc(1000)]);
    })();
    await waitUntil(() => accepted >= 2);
    assert.ok(accepted < 6, 'two parts are under way and a third was asked for');
    await writing;
    await output.close();
    assert.equal(await storage.size(pathOf('slow')), 6000);
  });
});

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe('a store that stumbles', () => {
  const everyCall = [
    'PutObject',
    'CreateMultipartUpload',
    'UploadPart',
    'CompleteMultipartUpload',
    'GetObject',
    'HeadObject',
    'ListObjectsV2',
    'CopyObject',
    'UploadPartCopy',
    'DeleteObject',
    'DeleteObjects',
  ];
  const effects = [{ status: 500, code: 'InternalError' }, 'reset', 'lost answer', 'truncate'] as const;
  for (const effect of effects) {
    const name = typeof effect === 'string' ? effect : effect.code;
    it(`is asked again, and the outcome is the same: ${name}`, async () => {
      const storage = openStorage();
      const bytes = world.random(3500);
      await storage.put(pathOf(`${name}/first`), bytes);
      for (const operation of everyCall) {
        s3.faults.add({ operation, count: 1, effect });
      }
      await write(storage, pathOf(`${name}/a`), bytes);
      assert.ok((await storage.read(pathOf(`${name}/a`)))?.equals(bytes));
      assert.equal(await storage.put(pathOf(`${name}/claim`), bytes, { ifAbsent: true }), true);
      await storage.move(pathOf(`${name}/a`), pathOf(`${name}/b`));
      assert.equal(await storage.size(pathOf(`${name}/b`)), 3500);
      await storage.removeFolder(pathOf(name));
      assert.deepEqual(await storage.list(pathOf(name)), []);
    });
  }

  it('and asks for fewer requests is given time', async () => {
    const storage = openStorage();
    const bytes = world.random(3500);
    s3.faults.add({ operation: 'UploadPart', count: 2, effect: { status: 503, code: 'SlowDown' } });
    await write(storage, pathOf('throttled'), bytes);
    assert.ok((await storage.read(pathOf('throttled')))?.equals(bytes));
  });

  it('tells the writer that it was first, also when the answer to that was lost', async () => {
    const storage = openStorage();
    assert.equal(await storage.put(pathOf('claims/0'), Buffer.from('0'), { ifAbsent: true }), true);
    s3.faults.add({ operation: 'PutObject', key: /claims\/1/, count: 2, effect: 'lost answer' });
    assert.equal(await storage.put(pathOf('claims/1'), Buffer.from('mine'), { ifAbsent: true }), true);
    assert.equal(await storage.put(pathOf('claims/1'), Buffer.from('other'), { ifAbsent: true }), false);
    s3.faults.add({ operation: 'PutObject', count: 1, effect: { status: 409, code: 'ConditionalRequestConflict' } });
    assert.equal(await storage.put(pathOf('claims/2'), Buffer.from('mine'), { ifAbsent: true }), true);
  });

  it('is read on from where the connection broke, piece by piece', async () => {
    const storage = openStorage();
    const bytes = world.random(400_000);
    await storage.put(pathOf('long'), bytes);
    operations();
    s3.faults.add({ operation: 'GetObject', count: 4, effect: 'truncate' });
    assert.ok((await storage.read(pathOf('long')))?.equals(bytes));
    assert.deepEqual(operations(), Array(5).fill('GetObject'));
  });

  it('is not read on when the object has changed', async () => {
    const storage = openStorage();
    await storage.put(pathOf('changing'), world.random(400_000));
    s3.faults.add({ operation: 'GetObject', count: 1, effect: 'truncate' });
    const reading = storage.readStream(pathOf('changing'))[Symbol.asyncIterator]();
    await reading.next();
    await storage.put(pathOf('changing'), world.random(400_000));
    await assert.rejects(
      async () => {
        while (!(await reading.next()).done);
      },
      { kind: 'storage_failed', message: /changed while/ },
    );
  });

  it('that never answers fails in time', async () => {
    const storage = openStorage({ timeoutMs: 100 });
    s3.faults.add({ operation: 'HeadObject', effect: { delayMs: 1000 } });
    await assert.rejects(storage.size(pathOf('x')), { kind: 'unreachable', message: /in time/ });
  });
});

describe('what is wrong with a store', () => {
  const cases: readonly (readonly [number, string, string, RegExp])[] = [
    [403, 'AccessDenied', 'permission_missing', /"lake".*refuses/],
    [403, 'InvalidAccessKeyId', 'credentials_refused', /access key/],
    [403, 'SignatureDoesNotMatch', 'credentials_refused', /secret key/],
    [400, 'ExpiredToken', 'credentials_refused', /expired/],
    [301, 'PermanentRedirect', 'configuration_invalid', /eu-west-1, not in us-east-1/],
    [400, 'AuthorizationHeaderMalformed', 'configuration_invalid', /eu-west-1, not in us-east-1/],
    [507, 'XMinioStorageFull', 'storage_failed', /no space/],
    [418, 'Teapot', 'storage_failed', /Teapot, 418/],
  ];
  for (const [status, code, kind, message] of cases) {
    it(`is said in words: ${code}`, async () => {
      s3.faults.add({ effect: { status, code, headers: { 'x-amz-bucket-region': 'eu-west-1' } } });
      await assert.rejects(openStorage().read(pathOf('x')), (error: Error & { kind?: string }) => {
        assert.equal(error.kind, kind);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /S3RVER/);
        return true;
      });
    });
  }

  it('is told for a bucket that does not exist and for an endpoint where nothing listens', async () => {
    await assert.rejects(openStorage().read('s3://nowhere/x'), { kind: 'object_missing', message: /"nowhere"/ });
    await assert.rejects(openStorage().list('s3://nowhere/x'), { kind: 'object_missing' });
    const closed = createS3Storage(world, { ...s3.settings, endpoint: 'http://127.0.0.1:1' });
    await assert.rejects(closed.read(pathOf('x')), { kind: 'unreachable', message: /nothing listens/ });
  });
});

describe('settings and paths', () => {
  it('are refused before anything is asked', () => {
    const wrong: readonly S3Settings[] = [
      { accessKey: 'a' },
      { secretKey: 'b' },
      { region: 'eu west' },
      { endpoint: 'ftp://x' },
      { endpoint: 'http://a:b@x' },
      { endpoint: 'http://169.254.169.254/latest' },
      { endpoint: '169.254.170.2' },
      { endpoint: 'http://2852039166' },
      { endpoint: 'http://[::ffff:169.254.169.254]:80' },
      { endpoint: 'http://[fe80::1]' },
      { endpoint: 'http://[fd00:ec2::254]' },
      { endpoint: 'http://100.100.100.200' },
      { endpoint: 'http://metadata.google.internal.' },
    ];
    for (const settings of wrong) {
      assert.throws(
        () => createS3Storage(world, settings),
        { kind: 'configuration_invalid' },
        JSON.stringify(settings),
      );
    }
    for (const endpoint of ['http://10.0.0.5:9000', 'minio:9000', 'https://s3.example.com/', 'http://[fd12::1]:9000']) {
      createS3Storage(world, { endpoint });
    }
  });

  it('lead to no place that they do not name', async () => {
    const storage = openStorage();
    for (const path of [
      's3://lake',
      's3://lake/',
      's3://lake/a/',
      's3://lake/../x',
      's3://lake/a//b',
      's3://a/x',
      's3:///x',
      '/x',
    ]) {
      await assert.rejects(storage.read(path), { kind: 'configuration_invalid' }, path);
    }
    await assert.rejects(storage.removeFolder('s3://lake'), { kind: 'internal' });
    const local = createStorage({ world });
    await assert.rejects(local.read(pathOf('x')), { kind: 'configuration_invalid', message: /no settings for S3/ });
  });

  it('may spell the scheme as other engines do, and listings answer in the same words', async () => {
    const storage = createStorage({ world, s3: s3.settings });
    await storage.put('s3a://lake/spelled/x', Buffer.from('x'));
    assert.deepEqual(await storage.list('s3n://lake/spelled'), ['s3n://lake/spelled/x']);
    assert.equal(await storage.size('s3://lake/spelled/x'), 1);
  });
});

describe('a folder in a bucket', () => {
  it('of many pages is listed, walked and removed whole', async () => {
    const storage = openStorage();
    const keys = Array.from({ length: 35 }, (_, at) => `many/${String(at).padStart(2, '0')}`);
    await Promise.all(keys.map((key) => storage.put(pathOf(key), Buffer.from(key))));
    assert.deepEqual(await storage.list(pathOf('many')), keys.map(pathOf));
    operations();
    for await (const file of storage.walk(pathOf('many'))) if (file.path.endsWith('05')) break;
    assert.deepEqual(operations(), ['ListObjectsV2'], 'a walk that ends early asks for no further page');
    await storage.removeFolder(pathOf('many'));
    assert.deepEqual(await storage.list(pathOf('many')), []);
  });

  it('is removed one by one where the store knows no batches, and listed where uploads cannot be', async () => {
    const storage = openStorage();
    await storage.put(pathOf('single/a'), Buffer.from('a'));
    await storage.put(pathOf('single/b'), Buffer.from('b'));
    s3.faults.add({ operation: 'DeleteObjects', effect: { status: 400, code: 'MissingContentMD5' } });
    s3.faults.add({ operation: 'ListMultipartUploads', effect: { status: 403, code: 'AccessDenied' } });
    assert.equal((await storage.list(pathOf('single'), { unfinished: true })).length, 2);
    await storage.removeFolder(pathOf('single'));
    assert.deepEqual(await storage.list(pathOf('single')), []);
  });
});

describe('a probe of a bucket', () => {
  it('leaves nothing', async () => {
    await probeStorage({ storage: openStorage(), world }, pathOf('probed/deep'), { conditional: true });
    assert.deepEqual(await openStorage().list(pathOf('probed'), { unfinished: true }), []);
  });

  it('tells a store that refuses conditions from one that has other troubles', async () => {
    s3.faults.add({ operation: 'PutObject', count: 1, effect: { status: 501, code: 'NotImplemented' } });
    const fresh = openStorage();
    await assert.rejects(fresh.put(pathOf('c/1'), Buffer.from('x'), { ifAbsent: true }), { message: /If-None-Match/ });
    s3.faults.add({ operation: 'PutObject', count: 1, effect: { status: 403, code: 'AccessDenied' } });
    await assert.rejects(fresh.put(pathOf('c/1'), Buffer.from('x'), { ifAbsent: true }), {
      kind: 'permission_missing',
    });
    assert.equal(await fresh.put(pathOf('c/1'), Buffer.from('x'), { ifAbsent: true }), true);
    assert.deepEqual(await fresh.list(pathOf('c')), [pathOf('c/1')]);
  });

  it('refuses a store that ignores conditions, where they are needed', async () => {
    const careless = await startS3({ conditions: false });
    try {
      await careless.makeBucket('lake');
      const storage = createS3Storage(world, careless.settings);
      await assert.rejects(probeStorage({ storage, world }, pathOf('p'), { conditional: true }), {
        kind: 'configuration_invalid',
        message: /If-None-Match/,
      });
      await assert.rejects(storage.put(pathOf('claim'), Buffer.from('x'), { ifAbsent: true }), {
        kind: 'configuration_invalid',
      });
      await probeStorage({ storage, world }, pathOf('p'));
      assert.deepEqual(await storage.list(pathOf('p')), []);
    } finally {
      await careless.close();
    }
  });
});
