import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Type } from 'typebox';
import type { Principal } from '../access/index.ts';
import { readConfig } from '../config.ts';
import { Failure } from '../errors.ts';
import { createObserve } from '../observe/index.ts';
import { createWorld } from '../world.ts';
import { createGuard, createServer, describeFace, requireRole, type Face, type Server } from './index.ts';

const config = readConfig({ PENSTOCK_PORT: '0', PENSTOCK_LOG_LEVEL: 'silent', PENSTOCK_HTTP_MAX_BODY_BYTES: '20000' });
const viewer: Principal = { userId: 7, username: 'vera', role: 'viewer', sessionId: 's' };
const access = {
  authenticate: async (shown: { cookies: readonly string[]; tokens: readonly string[] }) =>
    shown.cookies.includes('good') || shown.tokens.includes('good') ? viewer : null,
};
const guard = createGuard({ access, config });

/** Handed the means to let a slow request go, once it is being handled. */
let onSlow: (release: () => void) => void = () => {};
const face: Face = {
  name: 'tiny',
  title: 'Tiny face',
  version: '1',
  prefixes: ['/tiny', '/login'],
  errorReply: (failure) => ({
    status: failure.status,
    body: { success: false, message: failure.message, details: failure.details },
  }),
  register(app) {
    const Named = Type.Object({ name: Type.String({ minLength: 1 }), size: Type.Optional(Type.Integer()) });
    app.post('/tiny/named', { schema: { body: Named } }, async (request) => ({ got: request.body }));
    app.get(
      '/tiny/spec',
      { schema: { body: Type.Object({}) }, config: { body: 'optional' }, exposeHeadRoute: false },
      async (request) => ({ body: request.body }),
    );
    app.get(
      '/tiny/plain',
      { schema: { querystring: Type.Object({ limit: Type.Optional(Type.Integer()) }) } },
      async (request) => ({
        query: request.query,
      }),
    );
    app.post('/tiny/bodyless', async (request) => ({ body: request.body ?? null }));
    app.get('/tiny/broken', async () => {
      throw new Error('password=hunter2 leaked');
    });
    app.get('/tiny/taken', async () => {
      throw new Failure('conflict', 'It is taken.');
    });
    app.get('/tiny/slow', async () => {
      await new Promise<void>(onSlow);
      return { slow: true };
    });
    app.get('/tiny/me', { onRequest: guard.authenticate }, async (request) => ({ name: request.principal?.username }));
    app.post('/tiny/write', { onRequest: [guard.authenticate, requireRole('viewer')] }, async () => ({ done: true }));
    app.post('/tiny/admin', { onRequest: [guard.authenticate, requireRole('admin')] }, async () => ({ done: true }));
  },
};
const other: Face = {
  name: 'other',
  title: 'Other face',
  version: '1',
  prefixes: ['/tiny/other'],
  readsAnyTypeAsJson: true,
  errorReply: (failure) => ({ status: failure.status, body: { other: failure.kind } }),
  register(app) {
    app.post('/tiny/other/any', { schema: { body: Type.Object({}) } }, async (request) => ({ got: request.body }));
  },
};

async function start(): Promise<{ server: Server; url: string }> {
  const observe = createObserve(config);
  const server = await createServer({ config, faces: [face, other], access, observe, world: createWorld() });
  return { server, url: await server.listen() };
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any -- whatever the server sent
}

/** Sends exactly what is given; unlike fetch it can give a GET a body. */
function send(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const length: Record<string, string> =
      body === undefined || headers['transfer-encoding'] ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = httpRequest(url, { method, headers: { ...length, ...headers }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.includes('json') && text !== '';
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: isJson ? JSON.parse(text) : text,
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

const json = { 'content-type': 'application/json' };

describe('the web server', () => {
  let server: Server;
  let url: string;
  before(async () => {
    ({ server, url } = await start());
  });
  after(() => server.close());
  const post = (path: string, body: string | Buffer, headers: Record<string, string> = json) =>
    send(url + path, { method: 'POST', headers, body });

  it('says that it is alive', async () => {
    const answer = await send(`${url}/health`);
    assert.deepEqual([answer.status, answer.body], [200, { status: 'ok' }]);
  });

  it('welcomes a browser with a page that may load nothing but its own style', async () => {
    const { status, headers, body } = await send(`${url}/`);
    assert.equal(status, 200);
    assert.match(String(headers['content-type']), /text\/html/);
    assert.match(String(headers['content-security-policy']), /default-src 'none'; style-src 'sha256-/);
    assert.match(String(body), /href="\/openapi\/tiny.json"/);
    assert.match(String(body), /\/orchestrations" -H "X-StorageApi-Token/);
  });

  it('gives every answer security headers and an id of its own making', async () => {
    for (const path of ['/health', '/nowhere', '/tiny/taken', '/%zz']) {
      const { headers } = await send(url + path, { headers: { 'x-request-id': 'mine' } });
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.equal(headers['x-frame-options'], 'DENY');
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      assert.ok(headers['x-request-id'] && headers['x-request-id'] !== 'mine');
    }
  });

  it('answers unknown paths in the form of the face with the longest prefix, and neutrally elsewhere', async () => {
    const inTiny = await send(`${url}/tiny/nothing?x=1`);
    assert.deepEqual([inTiny.status, inTiny.body.success], [404, false]);
    const inOther = await send(`${url}/tiny/other/nothing`);
    assert.deepEqual([inOther.status, inOther.body], [404, { other: 'not_found' }]);
    const atLogin = await send(`${url}/login`, { method: 'PUT' });
    assert.equal(atLogin.body.success, false);
    for (const path of ['/tinyish', '/nowhere']) {
      const outside = await send(url + path);
      assert.deepEqual([outside.status, outside.body], [404, { error: 'not found' }], path);
    }
  });

  it('reads the body of a GET, sent at once or in chunks', async () => {
    const body = '{"type":"postgres"}';
    const whole = await send(`${url}/tiny/spec`, { headers: json, body });
    assert.deepEqual(whole.body, { body: { type: 'postgres' } });
    const chunked = await send(`${url}/tiny/spec`, { headers: { ...json, 'transfer-encoding': 'chunked' }, body });
    assert.deepEqual(chunked.body, { body: { type: 'postgres' } });
  });

  it('takes a GET without a body whatever content type it announces', async () => {
    for (const type of ['application/json', 'text/html', 'application/x-www-form-urlencoded', 'application/xml']) {
      const plain = await send(`${url}/tiny/plain`, { headers: { 'content-type': type } });
      assert.equal(plain.status, 200, type);
      const spec = await send(`${url}/tiny/spec`, { headers: { 'content-type': type } });
      assert.deepEqual([spec.status, spec.body], [200, { body: {} }], type);
    }
  });

  it('refuses a body that is no JSON object with 400 in the form of the face', async () => {
    for (const body of ['', '[]', 'null', '3', '"text"', '{', '{"name":', Buffer.from([0x7b, 0xff, 0x7d])]) {
      const answer = await post('/tiny/named', body);
      assert.deepEqual([answer.status, answer.body.success], [400, false], String(body));
    }
    const chunkedNothing = await post('/tiny/named', '', { ...json, 'transfer-encoding': 'chunked' });
    assert.equal(chunkedNothing.status, 400);
  });

  it('names the field that is wrong and does not turn a number into text', async () => {
    const missing = await post('/tiny/named', '{}');
    assert.deepEqual(missing.body.details, [{ field: 'name', reason: 'is required' }]);
    const wrong = await post('/tiny/named', '{"name":5}');
    assert.deepEqual(wrong.body.details, [{ field: 'name', reason: 'must be string' }]);
    const query = await send(`${url}/tiny/plain?limit=many`);
    assert.equal(query.status, 400);
    assert.match(query.body.message, /^query parameter limit must be integer/);
    assert.deepEqual((await send(`${url}/tiny/plain?limit=5`)).body, { query: { limit: 5 } });
  });

  it('takes an empty body on a route without a body schema', async () => {
    assert.equal((await send(`${url}/tiny/bodyless`, { method: 'POST' })).status, 200);
    assert.equal((await post('/tiny/bodyless', '')).status, 200);
  });

  it('drops keys that would change prototypes and refuses NUL and deep nesting', async () => {
    const poisoned = await post('/tiny/named', '{"name":"x","__proto__":{"admin":true}}');
    assert.deepEqual(poisoned.body, { got: { name: 'x' } });
    assert.equal((await post('/tiny/named', String.raw`{"name":"a\u0000b"}`)).status, 400);
    assert.equal((await post('/tiny/named', String.raw`{"name":"a\\u0000b"}`)).status, 200);
    assert.equal((await send(`${url}/tiny/plain?x=%00`)).status, 400);
    const deep = `{"name":"x","deep":${'['.repeat(101)}${']'.repeat(101)}}`;
    assert.match((await post('/tiny/named', deep)).body.message, /nested deeper/);
    assert.equal((await post('/tiny/named', `{"name":"${'['.repeat(500)}"}`)).status, 200);
  });

  it('refuses other content types than JSON, unless the face reads any', async () => {
    assert.equal((await post('/tiny/named', 'name=x', { 'content-type': 'text/plain' })).status, 415);
    const any = await post('/tiny/other/any', '{"a":1}', { 'content-type': 'text/plain' });
    assert.deepEqual([any.status, any.body], [200, { got: { a: 1 } }]);
    assert.equal((await post('/tiny/other/any', '{"a":1}', {})).status, 200);
  });

  it('answers a body beyond the limit with 413 that the client can read', async () => {
    const big = Buffer.alloc(30_000_000, 0x20);
    assert.equal((await post('/tiny/named', big)).status, 413);
    assert.equal((await post('/tiny/named', big, { ...json, 'transfer-encoding': 'chunked' })).status, 413);
    assert.equal((await post('/tiny/named', big.subarray(0, 20_001))).body.success, false);
  });

  it('answers 413 from the announced length, before the body arrives', async () => {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      'POST /tiny/named HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n',
    );
    const [first] = (await new Promise<Buffer[]>((resolve) => socket.once('data', (data) => resolve([data])))) as [
      Buffer,
    ];
    socket.destroy();
    assert.match(first.toString(), /^HTTP\/1\.1 413/);
  });

  it('hides what broke behind a 500 and keeps a failure what it is', async () => {
    const broken = await send(`${url}/tiny/broken`);
    assert.deepEqual([broken.status, broken.body.message], [500, 'Internal server error']);
    assert.equal((await send(`${url}/tiny/taken`)).status, 409);
    assert.equal((await send(`${url}/%zz`)).status, 400);
  });

  it('lets listed origins read every answer and tells others nothing', async () => {
    const listed = { origin: 'http://localhost:8000' };
    for (const path of ['/health', '/tiny/taken', '/tiny/nothing', '/tiny/me', '/%zz']) {
      const { headers } = await send(url + path, { headers: listed });
      assert.equal(headers['access-control-allow-origin'], listed.origin, path);
      assert.equal(headers['access-control-allow-credentials'], 'true');
      assert.match(String(headers['vary']), /Origin/);
    }
    const foreign = await send(`${url}/health`, { headers: { origin: 'http://evil.example' } });
    assert.equal(foreign.headers['access-control-allow-origin'], undefined);
    const preflight = { ...listed, 'access-control-request-method': 'PUT' };
    for (const path of ['/tiny/me', '/tiny/nothing']) {
      const answer = await send(url + path, { method: 'OPTIONS', headers: preflight });
      assert.equal(answer.status, 204);
      assert.match(String(answer.headers['access-control-allow-methods']), /PUT/);
      assert.equal(answer.headers['access-control-max-age'], '86400');
    }
  });

  it('knows who asks by cookie or by any of the token headers, in spite of bad ones beside', async () => {
    assert.equal((await send(`${url}/tiny/me`)).status, 401);
    const shown: Record<string, string>[] = [
      { cookie: 'olake-session=good', authorization: 'Bearer authenticated' },
      { cookie: 'a=b; olake-session=old; olake-session=good' },
      { authorization: 'Bearer good' },
      { 'x-storageapi-token': 'good' },
      { 'auth-token': 'good', authorization: 'Basic eDp5' },
    ];
    for (const headers of shown) {
      assert.deepEqual((await send(`${url}/tiny/me`, { headers })).body, { name: 'vera' }, JSON.stringify(headers));
    }
  });

  it('refuses a role that is too low', async () => {
    const answer = await send(`${url}/tiny/admin`, { method: 'POST', headers: { authorization: 'Bearer good' } });
    assert.equal(answer.status, 403);
  });

  it('refuses a write by cookie from a page of another site, but not one by token', async () => {
    const write = (headers: Record<string, string>) => send(`${url}/tiny/write`, { method: 'POST', headers });
    const cookie = 'olake-session=good';
    assert.equal((await write({ cookie, origin: 'http://evil.example' })).status, 403);
    assert.equal((await write({ cookie, origin: 'null' })).status, 403);
    assert.equal((await write({ cookie, origin: 'http://localhost:8000' })).status, 200);
    assert.equal((await write({ cookie, origin: url })).status, 200);
    assert.equal((await write({ cookie })).status, 200);
    assert.equal((await write({ authorization: 'Bearer good', origin: 'http://evil.example' })).status, 200);
    assert.equal((await write({ origin: 'http://evil.example' })).status, 401);
  });

  it('shows metrics by route template on loopback, and off it only with a credential', async () => {
    await send(`${url}/tiny/taken`);
    const text = String((await send(`${url}/metrics`)).body);
    assert.match(text, /penstock_http_request_seconds_count\{method="GET",route="\/tiny\/taken",status="409"\}/);
    const outside = { 'x-forwarded-for': '203.0.113.9' };
    assert.equal((await send(`${url}/metrics`, { headers: outside })).status, 401);
    assert.equal((await send(`${url}/metrics`, { headers: { ...outside, authorization: 'Bearer good' } })).status, 200);
  });

  it('names the remedy when the port is taken', async () => {
    const taken = { ...config, port: Number(new URL(url).port) };
    const second = await createServer({
      config: taken,
      faces: [],
      access,
      observe: createObserve(config),
      world: createWorld(),
    });
    await assert.rejects(second.listen(), { kind: 'configuration_invalid', message: /is in use/ });
    await second.close();
  });
});

describe('stopping the web server', () => {
  it('answers what is under way, lets idle keep-alive clients go and ends', async () => {
    const { server, url } = await start();
    const idle = connect(Number(new URL(url).port), '127.0.0.1');
    idle.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise((resolve) => idle.once('data', resolve));
    const handled = new Promise<() => void>((resolve) => {
      onSlow = resolve;
    });
    const slow = send(`${url}/tiny/slow`);
    const release = await handled;
    const closed = server.close();
    const idleEnded = new Promise((resolve) => idle.once('close', resolve));
    idle.resume();
    await idleEnded;
    release();
    const answer = await slow;
    assert.deepEqual([answer.body, answer.headers['connection']], [{ slow: true }, 'close']);
    await closed;
  });
});

describe('the document of a face', () => {
  it('is OpenAPI 3.1 with the body of a GET', async () => {
    const document = (await describeFace(face)) as {
      openapi: string;
      paths: Record<string, { get?: { requestBody?: object } }>;
    };
    assert.equal(document.openapi, '3.1.0');
    assert.ok(document.paths['/tiny/spec']?.get?.requestBody);
    assert.equal(document.paths['/health'], undefined);
  });
});
