import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { readConfig } from '../config.ts';
import { Failure } from '../errors.ts';
import { createObserve } from '../observe/index.ts';
import { createWorld } from '../world.ts';
import { addFormParser, createServer, type Face, type Server } from './index.ts';

const config = readConfig({ PENSTOCK_PORT: '0', PENSTOCK_LOG_LEVEL: 'info', PENSTOCK_HTTP_MAX_BODY_BYTES: '20000' });
const MOST = 2000;

const loose: Face = {
  name: 'loose',
  title: 'Loose face',
  version: '1',
  prefixes: ['/loose', '/second'],
  readsAnyTypeAsJson: true,
  mostBodyBytes: MOST,
  headers: { 'cache-control': 'private', 'x-loose': 'yes' },
  answerCors(request, reply) {
    if (request.method !== 'OPTIONS') return false;
    void reply.code(200).header('access-control-allow-origin', '*').send();
    return true;
  },
  rewriteUrl: (url) => (url.startsWith('//loose') ? url.slice(1) : undefined),
  errorReply: ({ status, kind }) => ({ status, body: { kind }, type: 'application/json', reference: 'ref-7' }),
  async register(app) {
    app.post('/loose/any', async (request) => ({ got: request.body ?? null, asked: request.originalUrl }));
    app.post('/loose/ignores', { config: { body: 'ignored' } }, async (request) => ({ got: request.body ?? null }));
    app.get('/loose/broken', async () => {
      throw new Error('broke');
    });
    await app.register(async (forms) => {
      addFormParser(forms, MOST);
      forms.post('/second/form', async (request) => ({ got: request.body ?? null }));
    });
  },
};
const strict: Face = {
  name: 'strict',
  title: 'Strict face',
  version: '1',
  prefixes: ['/strict'],
  errorReply: ({ status, kind }) => ({ status, body: { kind } }),
  register(app) {
    app.post('/strict/any', async (request) => ({ got: request.body ?? null }));
    app.get('/strict/not', async () => {
      throw new Failure('method_not_allowed', 'Not like this.');
    });
  },
};

describe('what a face may choose', () => {
  let server: Server;
  let url: string;
  const lines: string[] = [];
  const output = new Writable({
    decodeStrings: false,
    write: (line: unknown, _encoding, done) => {
      lines.push(String(line));
      done();
    },
  }) as unknown as NodeJS.WriteStream;

  before(async () => {
    const access = { authenticate: async () => null };
    const observe = createObserve(config, output);
    server = await createServer({ config, faces: [strict, loose], access, observe, world: createWorld() });
    url = await server.listen();
  });
  after(() => server.close());

  const post = (path: string, body?: RequestInit['body'], type?: string) =>
    fetch(url + path, { method: 'POST', body, ...(type && { headers: { 'content-type': type } }), ...pieces(body) });
  /** What fetch asks for before it sends a stream. */
  const pieces = (body: unknown) => (body instanceof ReadableStream ? { duplex: 'half' as const } : {});
  const stream = (...texts: string[]) => ReadableStream.from(texts.map((text) => Buffer.from(text)));

  it('headers of its own, on errors and unknown paths too, and only there', async () => {
    for (const path of ['/loose/broken', '/loose/nowhere', '/second', '/loose/%zz']) {
      const { headers } = await fetch(url + path);
      assert.deepEqual([headers.get('x-loose'), headers.get('cache-control')], ['yes', 'private'], path);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
    }
    assert.equal((await fetch(`${url}/strict/not`)).headers.get('cache-control'), 'no-store');
  });

  it('what pages of other sites may do', async () => {
    const ask = (path: string) =>
      fetch(url + path, { method: 'OPTIONS', headers: { origin: 'http://localhost:8000' } });
    const answer = await ask('/loose/nowhere');
    assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [200, '*']);
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    const other = await ask('/strict/any');
    assert.equal(other.headers.get('access-control-allow-origin'), 'http://localhost:8000');
  });

  it('the form in which its paths may be written', async () => {
    const answer = await post('//loose/any?x=1', '{"a":1}');
    assert.deepEqual(await answer.json(), { got: { a: 1 }, asked: '//loose/any?x=1' });
    assert.equal((await post('//strict/any', '{}')).status, 404);
  });

  it('a smaller limit for bodies', async () => {
    const large = `"${'x'.repeat(MOST)}"`;
    assert.equal((await post('/loose/any', large)).status, 413);
    assert.equal((await post('/loose/any', stream(large))).status, 413);
    assert.equal((await post('/second/form', `a=${large}`, 'application/x-www-form-urlencoded')).status, 413);
    assert.equal((await post('/strict/any', large, 'application/json')).status, 200);
  });

  it('to read forms, in which JSON objects are still found', async () => {
    const form = async (text: string) => (await post('/second/form', text, 'application/x-www-form-urlencoded')).json();
    assert.deepEqual(await form('a=1&b[]=x'), { got: { a: '1', b: { 0: 'x' } } });
    assert.deepEqual(await form(' {"a":true}'), { got: { a: true } });
    assert.deepEqual(await form('{bad'), { kind: 'bad_request' });
    assert.deepEqual(await form('a=%00'), { kind: 'bad_request' });
    assert.deepEqual(await (await post('/second/form', 'a=1', 'text/plain')).json(), { kind: 'bad_request' });
    assert.deepEqual(await (await post('/loose/any', 'a=1', 'application/x-www-form-urlencoded')).json(), {
      kind: 'bad_request',
    });
  });

  it('not to look at a body', async () => {
    for (const body of ['{bad', 'x'.repeat(5 * MOST), stream('{"a"', ':1}'), undefined]) {
      const answer = await post('/loose/ignores', body);
      assert.deepEqual([answer.status, await answer.json()], [200, { got: null }]);
    }
  });

  it('an id in its errors that the log has too', async () => {
    lines.length = 0;
    await fetch(`${url}/loose/broken`);
    await fetch(`${url}/loose/nowhere?token=hunter2`);
    await fetch(`${url}/strict/not`);
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const ofFace = logged.filter(({ reference }) => reference === 'ref-7').map(({ path, level }) => [path, level]);
    assert.deepEqual(ofFace, [
      ['/loose/broken', 50],
      ['/loose/nowhere', 30],
    ]);
    assert.ok(!lines.join('').includes('hunter2'));
  });

  it('the content type of its errors', async () => {
    assert.equal((await fetch(`${url}/loose/nowhere`)).headers.get('content-type'), 'application/json');
    const other = (await fetch(`${url}/strict/not`)).headers.get('content-type');
    assert.equal(other, 'application/json; charset=utf-8');
  });

  it('nothing about paths that are not there: what is sent to them is not looked at', async () => {
    for (const path of ['/loose/nowhere', '/strict/nowhere', '/nowhere']) {
      const answer = await post(path, '{bad', 'text/strange');
      assert.equal(answer.status, 404, path);
    }
  });

  it('nothing about a body that holds nothing: it is none, in one piece or in several', async () => {
    assert.deepEqual(await (await post('/loose/any', stream())).json(), { got: null, asked: '/loose/any' });
    assert.deepEqual(await (await post('/strict/any', stream(), 'application/json')).json(), { got: null });
  });
});
