import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { Failure } from '../../errors.ts';
import { createOutbound } from '../../outbound/index.ts';
import { createWorld } from '../../world.ts';
import { createTestCall, execute } from '../kit/attempt.test-support.ts';
import type { ComponentPorts, ComponentSpec } from '../kit/index.ts';
import { component } from './index.ts';

let server: Server;
let url: string;
let answer: RequestListener;
let requests: number;
let spec: ComponentSpec;

beforeEach(async () => {
  requests = 0;
  server = createServer((request, response) => {
    requests += 1;
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `http://${place}/x`;
  const config = { trustedComponentHosts: [place], componentHosts: [], anyPublicHost: 'refuse' } as const;
  spec = component({ outbound: createOutbound({ config }), world: createWorld() } as unknown as ComponentPorts);
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const json =
  (body: unknown, status = 200): RequestListener =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

/** Shows the other side what it was sent. */
const mirror: RequestListener = (request, response) => {
  void textOf(request).then((text) =>
    json({ method: request.method, headers: request.headers, text })(request, response),
  );
};

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += String(piece);
  return text;
}

interface Mirrored {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly text: string;
}

async function call(parameters: object = {}): Promise<Record<string, unknown>> {
  const all = { url, ...parameters };
  check(all);
  return (await execute(spec, all)) as Record<string, unknown>;
}

const mirrored = async (parameters: object): Promise<Mirrored> => (await call(parameters))['body'] as Mirrored;

function check(parameters: Record<string, unknown>): void {
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(spec.schema);
  if (!validate(parameters)) throw new Failure('bad_request', JSON.stringify(validate.errors));
  spec.check!(parameters);
}

describe('http.call', () => {
  it('answers status, headers, body and how long it took', async () => {
    answer = json({ pong: [1] });
    const { durationMs, headers, ...rest } = await call();
    assert.deepEqual(rest, { httpStatus: 200, body: { pong: [1] } });
    assert.equal((headers as Record<string, string>)['content-type'], 'application/json');
    assert.ok(typeof durationMs === 'number' && durationMs >= 0);
    answer = (_, response) => response.end('plain grün');
    assert.equal((await call())['body'], 'plain grün');
    answer = (_, response) => response.writeHead(204).end();
    assert.equal((await call())['body'], null);
  });

  it('sends by GET unless told otherwise; objects and arrays as JSON, texts as they are', async () => {
    answer = mirror;
    assert.equal((await mirrored({})).method, 'GET');
    const object = await mirrored({ method: 'PUT', body: { a: [1] } });
    assert.deepEqual(
      [object.method, object.text, object.headers['content-type']],
      ['PUT', '{"a":[1]}', 'application/json'],
    );
    assert.equal((await mirrored({ method: 'POST', body: [] })).text, '[]');
    const text = await mirrored({ method: 'POST', body: 'a=b' });
    assert.deepEqual([text.text, text.headers['content-type']], ['a=b', undefined]);
    const other = await mirrored({
      method: 'POST',
      body: {},
      headers: { 'Content-Type': 'application/vnd.tern+json' },
    });
    assert.equal(other.headers['content-type'], 'application/vnd.tern+json');
  });

  it('sends authorization, which no result shows in any form', async () => {
    const seen: (string | undefined)[] = [];
    answer = (request, response) => {
      seen.push(request.headers.authorization);
      mirror(request, response);
    };
    const shown = [
      await call({ auth: { type: 'bearer', '#token': 'tern-token' } }),
      await call({ auth: { type: 'basic', user: 'kim', '#password': 'päss "word"' } }),
      await call({ headers: { '#Authorization': 'Key hidden-key' } }),
    ];
    const basic = Buffer.from('kim:päss "word"').toString('base64');
    assert.deepEqual(seen, ['Bearer tern-token', `Basic ${basic}`, 'Key hidden-key']);
    assert.doesNotMatch(JSON.stringify(shown), new RegExp(`tern-token|hidden-key|${basic}`));
    assert.match(JSON.stringify(shown), /Bearer \*{8}/);
  });

  it('shows no secret that comes back: in texts, escaped, in URLs, in keys, at the cut, nor cookies', async () => {
    const secret = 'se"cret /ü';
    const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];
    const parameters = { method: 'POST', body: { deep: [{ '#key': secret }] } };
    answer = (_, response) => {
      response.writeHead(200, { 'set-cookie': 'session=abc', 'x-echo': encodeURIComponent(secret) });
      response.end(forms.join(' and '));
    };
    const text = await call(parameters);
    answer = json({ [secret]: forms });
    const value = await call(parameters);
    answer = (_, response) => response.end('x'.repeat(64 * 1024 - 5) + secret);
    const cut = await call(parameters);
    for (const result of [text, value, cut]) {
      assert.doesNotMatch(JSON.stringify(result), /cret|session=abc/);
    }
    assert.equal((text['headers'] as Record<string, string>)['set-cookie'], '********');
    assert.deepEqual(value['body'], { '********': ['********', '********', '********'] });
  });

  it('answers a large body by its beginning, and looks into it as a whole', async () => {
    const large = { items: Array.from({ length: 20_000 }, () => 'grün'), end: true };
    answer = json(large);
    const result = await call({ expect: { path: 'end', equals: true } });
    assert.equal(result['isTruncated'], true);
    const body = result['body'] as string;
    assert.ok(Buffer.byteLength(body) <= 65_536 && Buffer.byteLength(body) > 65_530);
    assert.ok(JSON.stringify(large).startsWith(body));
  });

  it('succeeds with any 2xx, or with the status that is expected', async () => {
    answer = json({}, 299);
    assert.equal((await call())['httpStatus'], 299);
    answer = json({}, 404);
    await assert.rejects(call(), { message: /status 404, expected is 2xx/, advice: /^The events of the run show/ });
    assert.equal((await call({ expect: { status: 404 } }))['httpStatus'], 404);
    assert.equal((await call({ expect: { status: [200, 404] } }))['httpStatus'], 404);
    await assert.rejects(call({ expect: { status: [200, 201] } }), { message: /expected is 200 or 201/ });
    answer = (_, response) => response.writeHead(307, { location: 'https://any.example/' }).end();
    assert.equal((await call({ expect: { status: 307 } }))['httpStatus'], 307);
    await assert.rejects(call(), { kind: 'unprocessable', message: /another origin/ });
  });

  it('looks for a value in the answer', async () => {
    answer = json({ a: { b: [{ c: null }, 5] }, '': 1, t: 'text' });
    for (const expect of [
      { path: 'a.b.0.c', equals: null },
      { path: 'a.b.1', equals: 5 },
      { path: 'a.b', equals: [{ c: null }, 5] },
      { path: 'a' },
      { equals: { a: { b: [{ c: null }, 5] }, '': 1, t: 'text' } },
    ]) {
      assert.equal((await call({ expect }))['httpStatus'], 200, JSON.stringify(expect));
    }
    for (const expect of [
      { path: 'a.x' },
      { path: 'a.b.2' },
      { path: 'a.b.length' },
      { path: 'constructor' },
      { path: 't.0' },
      { path: 'a.b.1.2' },
      { path: 'a.b.1', equals: '5' },
      { path: 'a.b', equals: [5, { c: null }] },
      { equals: {} },
    ]) {
      await assert.rejects(
        call({ expect }),
        { kind: 'unprocessable', message: /missing|not what/ },
        JSON.stringify(expect),
      );
    }
    answer = (_, response) => response.end('no json');
    await assert.rejects(call({ expect: { path: 'a' } }), { kind: 'unprocessable', message: /no JSON/ });
  });

  it('tells of an answer that is not as expected in its events, not in its failure', async () => {
    answer = json({ reason: 'closed for tern-token today' }, 500);
    const made = createTestCall({ url, auth: { type: 'bearer', '#token': 'tern-token' } });
    await assert.rejects(spec.execute(made.call), ({ message }: Error) => !message.includes('closed'));
    assert.match(made.lines.at(-1)!, /closed for \*{8} today/);
  });

  it('ends after its time limit, when nobody is there and when the address is refused: a mistake of the user', async () => {
    answer = () => {};
    await assert.rejects(call({ timeoutSeconds: 1 }), {
      kind: 'unprocessable',
      message: /within 1 s/,
      advice: /timeoutSeconds.* Find out there whether the call was carried out/,
    });
    answer = (_, response) => response.destroy();
    await assert.rejects(call(), { kind: 'unprocessable', message: /broke off/, advice: /Find out there whether/ });
    answer = (_, response) => response.end('x'.repeat(1024 * 1024 + 1));
    await assert.rejects(call(), { kind: 'unprocessable', message: /1048576 bytes/, advice: /answer less/ });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(call(), { kind: 'unprocessable', message: /could not be reached/ });
    const refused = { message: /allow-list/, advice: /^Ask the operator to add it to PENSTOCK_COMPONENT_HOSTS/ };
    await assert.rejects(call({ url: 'https://any.example/' }), { kind: 'unprocessable', ...refused });
  });

  it('closes its socket when it is killed', async () => {
    const closed = Promise.withResolvers<void>();
    const made = createTestCall({ url });
    answer = (request) => {
      request.socket.on('close', () => closed.resolve());
      made.controller.abort(new Failure('cancelled', 'killed'));
    };
    await assert.rejects(spec.execute(made.call), { kind: 'cancelled' });
    await closed.promise;
  });

  it('is not repeated after a crash when it may have changed something', async () => {
    answer = json({});
    const first = createTestCall({ url, method: 'POST' });
    await spec.execute(first.call);
    const memo = first.memo();
    assert.notEqual(memo, null);
    await assert.rejects(execute(spec, { url, method: 'POST' }, { number: 2, memo }), {
      kind: 'unprocessable',
      message: /Interrupted by a server restart/,
    });
    assert.equal(requests, 1);
    await execute(spec, { url, method: 'GET' }, { number: 2, memo });
    assert.equal(requests, 2);
  });
});

describe('parameters of http.call', () => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ url: undefined }, /url/],
    [{ url: 'nonsense' }, /Parameter 'url': this is no URL/],
    [{ url: 'http://any.example/' }, /Parameter 'url': only https is allowed/],
    [{ url: 'https://10.0.0.1/' }, /Parameter 'url': .*no public address/],
    [{ url: 'https://user:hush@any.example/' }, /user name or password/],
    [{ method: 'TRACE' }, /method/],
    [{ body: 5 }, /body/],
    [{ timeoutSeconds: 0 }, /timeoutSeconds/],
    [{ timeoutSeconds: 3601 }, /timeoutSeconds/],
    [{ timeoutSeconds: 1.5 }, /timeoutSeconds/],
    [{ expect: { status: 99 } }, /status/],
    [{ expect: { status: [] } }, /status/],
    [{ expect: { other: 1 } }, /additional/],
    [{ other: 1 }, /additional/],
    [{ headers: { a: 1 } }, /headers/],
    [{ headers: { host: 'other' } }, /Parameter 'headers': header host cannot be set/],
    [{ headers: { 'x-a': 'hush\r\nx-b: 1' } }, /header x-a holds line breaks/],
    [{ headers: { 'x-a': '1', '#X-A': '2' } }, /given twice/],
    [{ auth: {} }, /'auth.type' is required/],
    [{ auth: { type: 'bearer' } }, /'auth.#token' is required for bearer/],
    [{ auth: { type: 'basic', user: 'kim' } }, /'auth.#password' is required for basic/],
    [{ auth: { type: 'basic', user: 'k:m', '#password': 'hush' } }, /colon/],
    [{ auth: { type: 'bearer', '#token': 'hush\n' } }, /header authorization/],
    [{ auth: { type: 'bearer', '#token': 'hush' }, headers: { Authorization: 'hush' } }, /exclude each other/],
    [{ auth: { secret: 'crm' } }, /additional/],
  ];
  for (const [parameters, message] of wrong) {
    it(`are refused: ${JSON.stringify(parameters)}`, () => {
      const all: Record<string, unknown> = { url, ...parameters };
      assert.throws(
        () => check(all),
        (failure: Failure) =>
          failure.kind === 'bad_request' && message.test(failure.message) && !failure.message.includes('hush'),
      );
    });
  }
});
