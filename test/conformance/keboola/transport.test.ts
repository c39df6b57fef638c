import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startRig, MASTER, type Rig } from './rig.ts';

let rig: Rig;
before(async () => {
  rig = await startRig({ works: false });
});
after(() => rig?.close());

interface Made {
  readonly id: number;
  readonly uri: string;
}

async function make(path = '/orchestrations'): Promise<Made> {
  const reply = await rig.ask('POST', path, { body: { name: 'A', tasks: [{ component: 'http.call' }] } });
  assert.equal(reply.status, 201, reply.text);
  return reply.body as Made;
}

/** One raw answer: status line, headers by lower-case name, the bytes after them. */
function readAnswer(text: string) {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(':', 1)[0]!.toLowerCase(), line.replace(/^[^:]*: ?/, '')]),
  );
  return { first, status: Number(first.split(' ')[1]), headers, body: rest.join('\r\n\r\n') };
}

const OPEN = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': '*',
  'access-control-allow-headers': '*',
  'access-control-expose-headers': 'X-Total-Count',
  'cache-control': 'private, no-cache, no-store, must-revalidate',
};

describe('paths', () => {
  it('are served at the root and below /orchestrator, with addresses that say which', async () => {
    for (const mount of ['', '/orchestrator']) {
      const { id, uri } = await make(`${mount}/orchestrations`);
      assert.equal(uri, `${rig.url}${mount}/orchestrations/${id}`);
      assert.equal((await rig.ask('GET', `${mount}/orchestrations/${id}`)).status, 200);
    }
  });

  it('may have slashes too many', async () => {
    const { id } = await make('//orchestrator///orchestrations/');
    for (const path of [`//orchestrations//${id}/`, `/orchestrator//orchestrations/${id}`]) {
      assert.equal((await rig.ask('GET', path)).status, 200, path);
    }
    const run = await rig.ask('POST', '//orchestrator//run', { body: { config: id } });
    assert.equal(run.status, 202, run.text);
    assert.match(String((run.body as { uri: string }).uri), new RegExp(`^${rig.url}/orchestrator/jobs/\\d+$`));
  });

  it('that are not there are told in JSON, also to browsers and without a credential', async () => {
    for (const path of [
      '/orchestrator',
      '/orchestrations/1/nothing',
      '/jobs',
      '/queue',
      '/components/a/b/c',
      '/docker',
      '/v2',
      '/v2/other',
      '/orchestrator/v2/storage',
      '/orchestrator/orchestrator/run',
    ]) {
      const reply = await rig.ask('GET', path, { token: null, headers: { accept: 'text/html' } });
      assert.equal(reply.status, 404, path);
      assert.equal(reply.headers['content-type'], 'application/json');
      assert.ok(Object.hasOwn(reply.body as object, 'exceptionId'), reply.text);
    }
  });

  it('know which methods they have, before anything else is asked', async () => {
    const cases: readonly [string, string, string][] = [
      ['PATCH', '/orchestrations/12', 'GET, PUT, DELETE, OPTIONS'],
      ['DELETE', '/orchestrator/orchestrations', 'GET, POST, OPTIONS'],
      ['HEAD', '/orchestrations', 'GET, POST, OPTIONS'],
      ['GET', '/run', 'POST, OPTIONS'],
      ['PUT', '/v2/storage', 'GET, OPTIONS'],
      ['PATCH', '/v2/storage/tokens/1', 'GET, PUT, DELETE, OPTIONS'],
    ];
    for (const [method, path, allow] of cases) {
      const reply = await rig.ask(method, path, { token: null, text: '{bad' });
      assert.deepEqual([reply.status, reply.headers['allow']], [405, allow], `${method} ${path}`);
      if (method === 'HEAD') continue;
      const { message, error } = reply.body as Record<string, string>;
      assert.equal(message ?? error, `Method ${method} is not allowed`);
    }
  });

  it('of other faces stay what they are', async () => {
    assert.equal((await rig.ask('GET', '//health')).status, 404);
    const { headers, status } = await rig.ask('GET', '/health');
    assert.equal(status, 200);
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.equal(headers['cache-control'], 'no-store');
  });

  it('take the host of the request only where it is one', async () => {
    const { id } = await make();
    const uriFor = async (host: string) => {
      const reply = await rig.ask('GET', `/orchestrations/${id}`, { headers: { host } });
      return (reply.body as Made).uri;
    };
    assert.equal(await uriFor('flows.tern.example'), `http://flows.tern.example/orchestrations/${id}`);
    for (const host of ['evil"host', 'a b', 'x/../y', 'u@h']) {
      assert.equal(await uriFor(host), `${rig.url}/orchestrations/${id}`, host);
    }
  });
});

describe('bodies', () => {
  it('are JSON whatever they are called', async () => {
    for (const type of [
      undefined,
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/xml; charset=x',
      '',
    ]) {
      const headers = type === undefined ? {} : { 'content-type': type };
      const text = JSON.stringify({ name: 'typed' });
      const reply = await rig.ask('POST', '/orchestrations', { text, headers: { 'content-type': '', ...headers } });
      assert.equal(reply.status, 201, `${type}: ${reply.text}`);
    }
  });

  it('that are empty or null are empty objects', async () => {
    const { id } = await make();
    for (const text of [undefined, '', 'null', '{}']) {
      const reply = await rig.ask('PUT', `/orchestrations/${id}`, text === undefined ? {} : { text });
      assert.equal(reply.status, 200, `${text}: ${reply.text}`);
    }
  });

  it('that are no JSON, or no object, are named', async () => {
    const bad = await rig.ask('POST', '/orchestrations', { text: '{bad' });
    assert.equal(bad.status, 400);
    assert.match(bad.text, /"message":"Bad JSON format of request body: /);
    for (const text of ['1', '"x"', 'true', '[]', '[{"name":"A"}]']) {
      assert.equal((await rig.ask('POST', '/orchestrations', { text })).status, 400, text);
    }
  });

  it('end at one mebibyte', async () => {
    const sized = (bytes: number) => {
      const text = JSON.stringify({ name: 'A', more: '' });
      return text.replace('""', `"${'x'.repeat(bytes - text.length)}"`);
    };
    assert.equal((await rig.ask('POST', '/orchestrations', { text: sized(1_048_576) })).status, 201);
    const over = await rig.ask('POST', '/orchestrations', { text: sized(1_048_577) });
    assert.equal(over.status, 413);
    assert.equal((over.body as { code: number }).code, 413);
    assert.equal((await rig.ask('POST', '/v2/storage/tokens', { text: sized(1_048_577) })).status, 413);
  });

  it('are looked at after path, method, credential, right and the thing itself', async () => {
    const { id } = await make();
    const bad = { text: '{bad' };
    const status = async (method: string, path: string, asking = {}) =>
      (await rig.ask(method, path, { ...bad, ...asking })).status;
    assert.equal(await status('POST', '/orchestrations/1/nothing', { token: null }), 404);
    assert.equal(await status('PATCH', `/orchestrations/${id}`, { token: null }), 405);
    assert.equal(await status('PUT', `/orchestrations/${id}`, { token: null }), 401);
    assert.equal(await status('PUT', '/orchestrations/999999999', {}), 404);
    assert.equal(await status('PUT', '/orchestrations/abc', {}), 404);
    assert.equal(await status('PUT', `/orchestrations/${id}`, {}), 400);
  });
});

describe('answers', () => {
  it('have one content type, and none without a body', async () => {
    const { id } = await make();
    for (const [method, path] of [
      ['GET', '/orchestrations'],
      ['GET', '/orchestrations/999999'],
      ['GET', '/v2/storage/tokens/verify'],
    ] as const) {
      const { headers } = await rig.ask(method, path);
      assert.equal(headers['content-type'], 'application/json', path);
      assert.ok(Number(headers['content-length']) > 0);
      assert.equal(headers['transfer-encoding'], undefined);
    }
    const gone = await rig.ask('DELETE', `/orchestrations/${id}`);
    assert.deepEqual([gone.status, gone.text, gone.headers['content-type']], [204, '', undefined]);
    assert.equal((await rig.ask('GET', `/orchestrations/${id}`)).status, 404);
  });

  it('may be read by pages of any site, without the cookie', async () => {
    for (const path of ['/orchestrations', '/orchestrations/999', '/jobs/nothing/here', '/v2/storage', '/queue/%zz']) {
      const { headers } = await rig.ask('GET', path, { headers: { origin: 'http://localhost:8000' } });
      for (const [name, value] of Object.entries(OPEN)) assert.equal(headers[name], value, `${path} ${name}`);
      assert.equal(headers['access-control-allow-credentials'], undefined);
    }
  });

  it('to the question before a request from another site need no credential', async () => {
    for (const path of ['/orchestrations', '/orchestrator/run', '/v2/storage/tokens', '/jobs/1/nowhere']) {
      const asked: readonly Record<string, string>[] = [
        {},
        { origin: 'https://any.example', 'access-control-request-method': 'PUT' },
      ];
      for (const headers of asked) {
        const reply = await rig.ask('OPTIONS', path, { token: null, headers });
        assert.deepEqual([reply.status, reply.text], [200, ''], path);
        const { 'access-control-allow-headers': allowed, ...rest } = reply.headers;
        assert.match(String(allowed), /^content-type, .*x-storageapi-token, x-kbc-runid, .*x-idempotency-key$/);
        assert.equal(rest['access-control-allow-origin'], '*');
        assert.equal(rest['access-control-allow-methods'], 'GET, POST, PUT, PATCH, DELETE, OPTIONS');
        assert.equal(rest['access-control-max-age'], '86400');
        assert.equal(rest['access-control-allow-credentials'], undefined);
      }
    }
  });

  it('to errors name the run that asked', async () => {
    const runIdFor = async (text: string) => {
      const { body } = await rig.ask('GET', '/orchestrations/999999', { headers: { 'x-kbc-runid': text } });
      return (body as { runId: unknown }).runId;
    };
    assert.deepEqual(await Promise.all(['77', '77.81', 'x', '1..2'].map(runIdFor)), [77, '77.81', 0, 0]);
  });
});

describe('bare connections', () => {
  const request = (lines: readonly string[], body = '') => rig.raw(`${lines.join('\r\n')}\r\n\r\n${body}`);
  const credential = `X-StorageApi-Token: ${MASTER}`;

  it('of HTTP/1.0 get whole answers and are closed', async () => {
    const { id } = await make();
    const body = '[{"component":"http.call"}]';
    const put = `PUT /orchestrations/${id}/tasks HTTP/1.0`;
    const answer = readAnswer(await request([put, credential, `Content-Length: ${body.length}`], body));
    assert.equal(answer.status, 202, answer.body);
    assert.equal(Number(answer.headers['content-length']), Buffer.byteLength(answer.body));
    assert.equal(answer.headers['transfer-encoding'], undefined);
    assert.equal(answer.headers['connection'], 'close');
    assert.equal((JSON.parse(answer.body) as unknown[]).length, 1);
  });

  it('of HTTP/1.0 stay open when they ask for it', async () => {
    const get = ['GET /orchestrations HTTP/1.0', credential, 'Connection: keep-alive'];
    const last = ['GET /orchestrations/0 HTTP/1.0', credential];
    const text = await request([...get, '', ...last]);
    const answers = text.split(/(?=HTTP\/1\.1 \d{3})/).map(readAnswer);
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers['connection']]),
      [
        [200, 'keep-alive'],
        [404, 'close'],
      ],
    );
  });

  it('without a host get addresses of the server itself', async () => {
    const { id } = await make();
    const { body } = readAnswer(await request([`GET /orchestrations/${id} HTTP/1.0`, credential]));
    assert.equal((JSON.parse(body) as Made).uri, `${rig.url}/orchestrations/${id}`);
  });

  it('that have nothing to answer get neither body nor content type', async () => {
    const { id } = await make();
    const gone = await request([`DELETE /orchestrations/${id} HTTP/1.0`, credential]);
    const { status, headers, body } = readAnswer(gone);
    assert.deepEqual([status, body, headers['content-type']], [204, '', undefined]);
  });

  it('that wait for the word to go on get it', async () => {
    const body = '{"name":"expected"}';
    const lines = ['POST /orchestrations HTTP/1.1', 'Host: x', credential, 'Connection: close'];
    const text = await request([...lines, 'Expect: 100-continue', `Content-Length: ${body.length}`], body);
    assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 Created/);
  });

  it('with two lengths, or a length and pieces, are refused', async () => {
    const lines = ['POST /orchestrations HTTP/1.1', 'Host: x', credential, 'Connection: close'];
    const pieces = 'Transfer-Encoding: chunked';
    for (const wrong of [
      ['Content-Length: 2', pieces],
      ['Content-Length: 2', 'Content-Length: 3'],
      ['Transfer-Encoding: chunked, identity'],
      ['Content-Length: -1'],
    ]) {
      const { status } = readAnswer(await request([...lines, ...wrong], '2\r\n{}\r\n0\r\n\r\n'));
      assert.equal(status, 400, wrong.join(' and '));
    }
    const { status } = readAnswer(await request([...lines, pieces], '9\r\n{"name":"\r\n3\r\nA"}\r\n0\r\n\r\n'));
    assert.equal(status, 201);
  });

  it('may show the token in any of three headers, and nowhere else', async () => {
    const get = (path: string, ...lines: string[]) => request([`GET ${path} HTTP/1.0`, ...lines]).then(readAnswer);
    const verify = '/v2/storage/tokens/verify';
    for (const header of [
      credential,
      `Authorization: Bearer ${MASTER}`,
      `authorization: bearer ${MASTER}`,
      `Auth-Token: ${MASTER}`,
    ]) {
      assert.equal((await get(verify, header)).status, 200, header);
    }
    for (const query of ['token', 'X-StorageApi-Token', 'access_token']) {
      assert.equal((await get(`${verify}?${query}=${MASTER}`)).status, 401);
    }
    assert.equal((await get(verify, `Cookie: X-StorageApi-Token=${MASTER}; token=${MASTER}`)).status, 401);
    assert.equal(
      (await get(verify, `Authorization: Basic ${Buffer.from(`x:${MASTER}`).toString('base64')}`)).status,
      401,
    );
  });
});

describe('while the server is in maintenance', () => {
  it('whoever asks is told why, and when to come again', async () => {
    const until = new Date(Math.floor(Date.now() / 1000) * 1000 + 600_000);
    const notice = `${until.toISOString()} the database moves`;
    const closed = await startRig({ works: false, environment: { PENSTOCK_MAINTENANCE: notice } });
    try {
      for (const [method, path] of [
        ['GET', '/orchestrations'],
        ['POST', '/orchestrator/run'],
        ['GET', '/v2/storage/tokens/verify'],
      ] as const) {
        const reply = await closed.ask(method, path, { text: '{bad' });
        const estimatedEndTime = `${until.toISOString().slice(0, 19)}+00:00`;
        assert.equal(reply.status, 503);
        assert.deepEqual(reply.body, { status: 'maintenance', estimatedEndTime, reason: 'the database moves' });
        const seconds = Number(reply.headers['retry-after']);
        assert.ok(seconds > 60 && seconds <= 600, String(seconds));
        assert.equal(reply.headers['content-type'], 'application/json');
      }
      assert.equal((await closed.ask('OPTIONS', '/run')).status, 200);
      assert.equal((await closed.ask('GET', '/health')).status, 200);
    } finally {
      await closed.close();
    }
  });
});
