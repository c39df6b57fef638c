import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readConfig } from './config.ts';
import { createPlatform, type Platform } from './platform.ts';
import { createWorld } from './world.ts';

const password = 'platform test';
let folder: string;
let platform: Platform;
const settings = () => ({
  PENSTOCK_DATA_DIR: folder,
  PENSTOCK_PORT: '0',
  PENSTOCK_ADMIN_PASSWORD: password,
  PENSTOCK_LOG_LEVEL: 'silent',
});

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-platform-'));
  platform = await createPlatform(readConfig(settings()), createWorld());
});
after(async () => {
  await platform.close(0);
  await rm(folder, { recursive: true, force: true });
});

describe('the platform as a value', () => {
  it('answers requests without a port, with the parts that it shows', async () => {
    const { app } = platform.server!;
    const signedIn = await app.inject({ method: 'POST', url: '/login', payload: { username: 'admin', password } });
    assert.equal(signedIn.statusCode, 200);
    const { token } = signedIn.json<{ data: { token: string } }>().data;
    const jobs = await app.inject({ url: '/api/v1/project/p/jobs', headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual(jobs.json<{ data: unknown }>().data, []);
    assert.equal((await platform.access.listUsers({ offset: 0 })).total, 1);
    assert.equal((await app.inject({ url: '/ready' })).statusCode, 200);
    const metrics = (await app.inject({ url: '/metrics', remoteAddress: '127.0.0.1' })).body;
    for (const name of ['penstock_queue_depth', 'olake_sync_status']) assert.ok(metrics.includes(name), name);
  });

  it('serves the committed document of each face', async () => {
    const { app } = platform.server!;
    const document = (await app.inject({ url: '/openapi/olake.json' })).json<{ openapi: string }>();
    assert.equal(document.openapi, '3.1.0');
    const iceberg = (await app.inject({ url: '/openapi/iceberg.json' })).json<{ paths: object }>();
    assert.ok('/iceberg/v1/{prefix}/transactions/commit' in iceberg.paths);
    assert.equal((await app.inject({ url: '/openapi/none.json' })).statusCode, 404);
  });

  it('serves the orchestrator to the same people', async () => {
    const { app } = platform.server!;
    assert.equal((await app.inject({ url: '/orchestrator/orchestrations/' })).statusCode, 401);
    const { token } = await platform.access.signIn({ username: 'admin', password, address: 'x' });
    const headers = { 'x-storageapi-token': token };
    const verified = await app.inject({ url: '/v2/storage/tokens/verify', headers });
    assert.equal(verified.json<{ isMasterToken: boolean }>().isMasterToken, true, verified.body);
    const payload = { name: 'Nightly', tasks: [{ component: 'orchestrator', actionParameters: { config: 1 } }] };
    const made = await app.inject({ method: 'POST', url: '//orchestrator//orchestrations', headers, payload });
    assert.equal(made.statusCode, 201, made.body);
    assert.match(made.json<{ uri: string }>().uri, /\/orchestrator\/orchestrations\/1$/);
  });

  it('serves the tables of a project to other engines, files below its own warehouse', async () => {
    const { app } = platform.server!;
    const { token } = await platform.access.signIn({ username: 'admin', password, address: 'x' });
    const headers = { authorization: `Bearer ${token}` };
    assert.equal((await app.inject({ url: '/iceberg/v1/config' })).statusCode, 401);
    const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload, headers });
    await post('/iceberg/v1/p/namespaces', { namespace: ['n'] });
    const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: true, type: 'long' }] };
    const made = await post('/iceberg/v1/p/namespaces/n/tables', { name: 't', schema });
    const { metadata } = made.json<{ metadata: { location: string } }>();
    assert.equal(metadata.location, join(folder, 'warehouse', 'p', 'n', 't'));
    const place = (project: string, location: string) =>
      post(`/api/v1/project/${project}/destinations`, {
        name: 'lake',
        type: 'iceberg',
        version: 'v1',
        config: { writer: { catalog_type: 'builtin', iceberg_s3_path: location } },
      });
    const outside = join(folder, '..', `${folder.split('/').at(-1)}-lake`);
    const elsewhere = { name: 'e', schema, location: join(outside, 'e') };
    assert.equal((await post('/iceberg/v1/p/namespaces/n/tables', elsewhere)).statusCode, 400);
    assert.equal((await place('p', outside)).statusCode, 200);
    assert.equal((await post('/iceberg/v1/p/namespaces/n/tables', elsewhere)).statusCode, 200);
    await rm(outside, { recursive: true, force: true });
  });

  it('lets an api and a worker join its database, and go again', async () => {
    const world = createWorld();
    const api = await createPlatform(readConfig(settings()), world, { role: 'api' });
    const worker = await createPlatform(readConfig(settings()), world, { role: 'worker' });
    const url = await api.start();
    assert.equal(worker.server, undefined);
    assert.equal(await worker.start(), undefined);
    const { cookie } = await platform.access.signIn({ username: 'admin', password, address: 'x' });
    const me = await fetch(`${url}/auth`, { headers: { cookie: `olake-session=${cookie}` } });
    assert.equal(me.status, 200);
    await Promise.all([api.close(0), worker.close(0)]);
    assert.equal((await platform.server!.app.inject({ url: '/ready' })).statusCode, 200);
  });

  it('refuses a second owner of its data folder', async () => {
    await assert.rejects(createPlatform(readConfig(settings()), createWorld()), { kind: 'conflict' });
  });

  it('closes once, however often it is asked to', async () => {
    assert.equal(platform.close(0), platform.close(0));
    await platform.close(0);
  });
});
