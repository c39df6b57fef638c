import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createStorage } from '../../../src/lakehouse/index.ts';
import { createWorld } from '../../../src/world.ts';
import { startS3, type TestS3 } from '../../support/s3.ts';
import { call, startCatalog, type CatalogAnswer, type CatalogRig } from './rig.ts';

let fails: string | undefined;
let rig: CatalogRig;
let s3: TestS3;
let bucket: string;
const world = createWorld({
  onPoint(point) {
    if (point === fails) throw new Error('the process dies here');
  },
});

before(async () => {
  [rig, s3] = await Promise.all([startCatalog(world), startS3()]);
  bucket = await s3.makeBucket();
  const storage = createStorage({ world, s3: s3.settings });
  rig.places.push({ root: `s3://${bucket}/lake`, storage });
  await call(rig, 'POST /v1/p/namespaces', { body: { namespace: ['n'] } });
});
after(async () => {
  await Promise.all([rig.close(), s3.close()]);
});

const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: true, type: 'long' }] };
const create = (name: string, location?: string): Promise<CatalogAnswer> =>
  call(rig, 'POST /v1/p/namespaces/n/tables', { body: { name, schema, ...(location && { location }) } });
const setProperty = (table: string): Promise<CatalogAnswer> =>
  call(rig, `POST /v1/p/namespaces/n/tables/${table}`, {
    body: { updates: [{ action: 'set-properties', updates: { a: 'b' } }] },
  });

describe('a table in the bucket of a destination', () => {
  it('is made, changed, loaded and purged with the keys of the destination, which nobody gets to see', async () => {
    const location = `s3://${bucket}/lake/n/t`;
    assert.equal((await create('t', location)).status, 200);
    assert.equal((await setProperty('t')).status, 200);
    const loaded = await call(rig, 'GET /v1/p/namespaces/n/tables/t');
    assert.deepEqual(loaded.body['config'], {});
    assert.ok(!loaded.text.includes(s3.settings.secretKey));
    const files = await rig.places[0]!.storage.list(location);
    assert.equal(files.length, 2);
    assert.equal((await call(rig, 'DELETE /v1/p/namespaces/n/tables/t?purgeRequested=true')).status, 204);
    assert.deepEqual(await rig.places[0]!.storage.list(location), []);
  });

  it('cannot lie beside the place of the destination', async () => {
    for (const location of [
      `s3://${bucket}/lakes/t`,
      `s3://${bucket}/t`,
      `s3://other/lake/t`,
      `s3://${bucket}/lake/../t`,
    ]) {
      const { status, text } = await create('x', location);
      assert.equal(status, 400, text);
    }
  });

  it('cannot be loaded any more once no destination reaches it, and says so', async () => {
    assert.equal((await create('lost', `s3://${bucket}/lake/n/lost`)).status, 200);
    const [place] = rig.places.splice(0);
    const { status, body } = await call(rig, 'GET /v1/p/namespaces/n/tables/lost');
    assert.equal(status, 400);
    assert.match(
      (body['error'] as unknown as { message: string }).message,
      /No Iceberg destination of this project reaches/,
    );
    rig.places.push(place!);
    assert.equal((await call(rig, 'GET /v1/p/namespaces/n/tables/lost')).status, 200);
  });
});

describe('a server that dies in a commit', () => {
  it('between metadata file and swap leaves the table as it was; after the swap, as it is to be', async () => {
    await create('crash');
    const whole = (await call(rig, 'GET /v1/p/namespaces/n/tables/crash')).text;
    for (const point of ['warehouse.metadata-written', 'warehouse.before-swap']) {
      fails = point;
      assert.equal((await setProperty('crash')).status, 500);
      fails = undefined;
      assert.equal((await call(rig, 'GET /v1/p/namespaces/n/tables/crash')).text, whole);
    }
    assert.equal((await setProperty('crash')).status, 200);
    fails = 'warehouse.swapped';
    assert.equal((await setProperty('crash')).status, 500);
    fails = undefined;
    const later = await call(rig, 'GET /v1/p/namespaces/n/tables/crash');
    assert.equal(((later.body['metadata'] as unknown as Record<string, object[]>)['metadata-log'] ?? []).length, 2);
  });

  it('keeps a table that lost its metadata file droppable', async () => {
    const made = await create('torn');
    await writeFile(String(made.body['metadata-location']), '');
    assert.ok((await call(rig, 'GET /v1/p/namespaces/n/tables/torn')).status >= 500);
    assert.equal((await call(rig, 'DELETE /v1/p/namespaces/n/tables/torn')).status, 204);
    assert.deepEqual(await readdir(join(rig.folder, 'warehouse', 'p', 'n', 'torn')), ['metadata']);
  });
});
