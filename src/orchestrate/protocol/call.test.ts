import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Failure } from '../../errors.ts';
import { createOutbound, type Outbound } from '../../outbound/index.ts';
import { createWorld } from '../../world.ts';
import { createComponentCaller } from './call.ts';
import type { ComponentRequest } from './types.ts';
import type { Pause } from './waits.ts';

const HEADERS = {
  'x-storageapi-token': '1-31-token',
  'x-kbc-runid': '77',
  'x-idempotency-key': '77-0',
  'user-agent': 'Penstock/0',
};

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answer = (seen: Seen, response: ServerResponse) => unknown;

let server: Server;
let base: string;
let seen: Seen[];
/** What the component answers to start, poll and kill; the last one again and again. */
let script: { start: Answer[]; poll: Answer[]; kill: Answer[] };
/** Milliseconds of the waits that were made, which moved the time of the world instead. */
let waits: number[];
let elapsed: number;
/** Told before every wait. */
let waiting: (ms: number) => void;
let outbound: Outbound;

beforeEach(async () => {
  seen = [];
  waits = [];
  elapsed = 0;
  waiting = () => {};
  script = {
    start: [json(200, {})],
    poll: [json(200, { status: 'success', isFinished: true })],
    kill: [json(202, {})],
  };
  server = createServer((request, response) => void receive(request, response));
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  base = `http://127.0.0.1:${port}`;
  outbound = createOutbound({
    config: { trustedComponentHosts: [`127.0.0.1:${port}`], componentHosts: [], anyPublicHost: 'refuse' },
  });
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const piece of request) body += String(piece);
  const asked = { method: request.method!, path: request.url!, headers: request.headers, body };
  seen.push(asked);
  const answers = script[asked.path.endsWith('/kill') ? 'kill' : asked.method === 'POST' ? 'start' : 'poll'];
  const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
  answer(asked, response);
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (_, response) => response.writeHead(status, headers).end(JSON.stringify(body));
}

const text =
  (status: number, body: string): Answer =>
  (_, response) =>
    response.writeHead(status).end(body);
const cut: Answer = (_, response) => response.destroy();
const accepted = (more: object = {}): Answer =>
  json(202, { id: 91, url: `${base}/queue/job/91`, status: 'waiting', ...more });
const running = json(200, { status: 'processing', isFinished: false });

const pause: Pause = async (ms, signal) => {
  signal?.throwIfAborted();
  waits.push(ms);
  elapsed += ms;
  waiting(ms);
  signal?.throwIfAborted();
};

interface Made extends ComponentRequest {
  readonly memos: unknown[];
  readonly lines: string[];
  readonly answers: unknown[];
  readonly controller: AbortController;
}

function ask(more: Partial<ComponentRequest> = {}): Made {
  const [memos, lines, answers]: [unknown[], string[], unknown[]] = [[], [], []];
  const controller = new AbortController();
  return {
    url: `${base}/refresh`,
    body: { a: 1, '#b': 'clear' },
    headers: HEADERS,
    signal: controller.signal,
    memo: null,
    remember: async (memo) => void memos.push(JSON.parse(JSON.stringify(memo))),
    log: (_, message) => void lines.push(message),
    answered: (body) => void answers.push(body),
    memos,
    lines,
    answers,
    controller,
    ...more,
  };
}

function call(request: ComponentRequest) {
  const world = { ...createWorld(), elapsed: () => elapsed, now: () => new Date(1_795_255_200_000 + elapsed) };
  return createComponentCaller({ outbound, world, pause })(request);
}

const starts = (): Seen[] => seen.filter(({ method, path }) => method === 'POST' && !path.endsWith('/kill'));

describe('a synchronous component', () => {
  it('gets the parameters and headers, and its body is the response', async () => {
    script.start = [json(201, { rows: 3 })];
    const request = ask();
    assert.deepEqual(await call(request), { status: 'success', response: { rows: 3 } });
    const [one] = seen;
    assert.equal(one!.method, 'POST');
    assert.equal(one!.path, '/refresh');
    assert.deepEqual(JSON.parse(one!.body), { a: 1, '#b': 'clear' });
    assert.equal(one!.headers['content-type'], 'application/json');
    for (const [name, value] of Object.entries(HEADERS)) assert.equal(one!.headers[name], value);
    assert.deepEqual(request.answers, [{ rows: 3 }]);
  });

  it('succeeds without a body', async () => {
    for (const status of [200, 201, 204, 206]) {
      script.start = [text(status, '')];
      assert.deepEqual(await call(ask()), { status: 'success', response: {} });
    }
  });

  it('fails with what is not JSON, is nested without end, or is not text', async () => {
    for (const body of ['<html>', 'true or not', `${'['.repeat(5000)}${']'.repeat(5000)}`]) {
      script.start = [text(200, body)];
      const { status, response } = await call(ask());
      assert.equal(status, 'error');
      assert.match((response as { message: string }).message, /not JSON/);
    }
    script.start = [(_, response) => response.end(Buffer.from([0x22, 0xff, 0x22]))];
    assert.equal((await call(ask())).status, 'error');
  });

  it('fails at once with 4xx, other 5xx and redirects, and its body is kept', async () => {
    for (const status of [400, 401, 404, 429, 500, 502, 504]) {
      script.start = [json(status, { message: `no ${status}` })];
      assert.deepEqual(await call(ask()), { status: 'error', response: { message: `no ${status}` } });
    }
    script.start = [text(500, '')];
    const answer = await call(ask());
    assert.deepEqual(answer.response, { status: 'error', message: 'The component answered 500' });
    script.start = [(_, response) => response.writeHead(302, { location: '/elsewhere' }).end()];
    assert.equal((await call(ask())).status, 'error');
    assert.equal(starts().length, 9);
    assert.deepEqual(waits, []);
  });

  it('is not started again when the connection breaks: it may have begun', async () => {
    script.start = [cut];
    const { status, response } = await call(ask());
    assert.equal(status, 'error');
    assert.match((response as { message: string }).message, /broke off/);
    assert.equal(seen.length, 1);
  });

  it('with more than 1 MiB is an error', async () => {
    script.start = [text(200, JSON.stringify('x'.repeat(1024 * 1024)))];
    const { status, response } = await call(ask());
    assert.equal(status, 'error');
    assert.match((response as { message: string }).message, /1048576 bytes/);
  });

  it('whose address is refused is an error, and nobody is called', async () => {
    const { status, response } = await call(ask({ url: 'https://any.example/x' }));
    assert.equal(status, 'error');
    assert.deepEqual(response, { status: 'error', message: 'Host any.example is not on the allow-list' });
    assert.deepEqual([seen.length, waits], [0, []]);
  });
});

describe('a component in maintenance', () => {
  it('is started again after the time that it asks for, with the same key', async () => {
    const date = new Date(1_795_255_200_000 + 1000 + 9000).toUTCString();
    script.start = [
      json(503, {}, { 'retry-after': '1' }),
      json(503, {}, { 'retry-after': date }),
      json(503, {}, { 'retry-after': '999999999' }),
      json(503, {}, { 'retry-after': '0' }),
      json(503, {}, { 'retry-after': 'soon' }),
      json(200, { done: true }),
    ];
    const request = ask();
    assert.deepEqual(await call(request), { status: 'success', response: { done: true } });
    assert.deepEqual(waits, [1000, 9000, 3_600_000, 200, 16_000]);
    assert.deepEqual(new Set(seen.map(({ headers }) => headers['x-idempotency-key'])), new Set(['77-0']));
    assert.match(request.lines[0]!, /503.*trying again in 1 s \(attempt 1 of 12\)/);
  });

  it('whose name nobody knows is told at once, with what to do, and tried again', async () => {
    const failure = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    outbound = createOutbound({
      config: { trustedComponentHosts: ['typo.test:80'], componentHosts: [], anyPublicHost: 'refuse' },
      resolve: async () => Promise.reject(failure),
    });
    const request = ask({ url: 'http://typo.test/refresh' });
    const { status, response } = await call(request);
    assert.deepEqual([status, response], ['error', { status: 'error', message: 'the name typo.test is not known' }]);
    assert.match(request.lines[0]!, /the name typo.test is not known; trying again in 1 s .*\. Correct the host/);
    assert.doesNotMatch(request.lines[1]!, /Correct/);
    assert.equal(waits.length, 11);
  });

  it('is given up after 12 attempts, 1, 2, 4 … 60 s apart, and its last body is kept', async () => {
    script.start = [json(503, { status: 'maintenance' })];
    assert.deepEqual(await call(ask()), { status: 'error', response: { status: 'maintenance' } });
    assert.equal(seen.length, 12);
    assert.deepEqual(
      waits,
      [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60].map((seconds) => seconds * 1000),
    );
  });

  it('that refuses connections is started again as well', async () => {
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const opened = Promise.withResolvers<void>();
    waiting = () => {
      if (waits.length === 2) server.listen(port, '127.0.0.1', opened.resolve);
    };
    const world = { ...createWorld(), elapsed: () => elapsed };
    const caller = createComponentCaller({
      outbound,
      world,
      pause: async (ms, signal) => {
        await pause(ms, signal);
        if (waits.length === 2) await opened.promise;
      },
    });
    assert.deepEqual(await caller(ask()), { status: 'success', response: {} });
    assert.deepEqual(waits, [1000, 2000]);
    assert.equal(seen.length, 1);
  });

  it('is not waited for when the job is to end', async () => {
    script.start = [json(503, {})];
    const request = ask();
    waiting = () => request.controller.abort(new Failure('cancelled', 'stop'));
    await assert.rejects(call(request), { kind: 'cancelled', message: 'stop' });
    assert.equal(seen.length, 1);
  });
});

describe('an asynchronous component', () => {
  it('is polled with the same headers, 0.2 s apart at first and 5 s at most, until it has finished', async () => {
    script.start = [accepted()];
    script.poll = [
      ...Array.from({ length: 10 }, () => running),
      json(200, { id: 91, status: 'success', isFinished: true }),
    ];
    const request = ask();
    assert.deepEqual(await call(request), {
      status: 'success',
      response: { id: 91, status: 'success', isFinished: true },
    });
    assert.deepEqual(waits.slice(0, 4).map(Math.round), [200, 300, 450, 675]);
    assert.deepEqual(waits.slice(-2), [5000, 5000]);
    assert.ok(Math.max(...waits) === 5000);
    const polls = seen.slice(1);
    assert.equal(polls.length, 11);
    for (const { method, path, headers } of polls) {
      assert.deepEqual([method, path], ['GET', '/queue/job/91']);
      for (const [name, value] of Object.entries(HEADERS)) assert.equal(headers[name], value);
      assert.equal(headers['content-type'], undefined);
    }
    assert.equal(request.answers.length, 12);
  });

  it('is polled when it asks to be', async () => {
    script.start = [accepted()];
    script.poll = [
      json(200, { isFinished: false }, { 'retry-after': '7' }),
      json(200, { isFinished: false }),
      json(200, { status: 'success', isFinished: true }),
    ];
    await call(ask());
    assert.deepEqual(waits, [200, 7000, 450]);
  });

  it('ends as its job does, in whatever spelling', async () => {
    const ends: Record<string, string> = {
      success: 'success',
      ok: 'success',
      warn: 'warning',
      warning: 'warning',
      error: 'error',
      canceled: 'cancelled',
      cancelled: 'cancelled',
      terminated: 'terminated',
      blessed: 'error',
      constructor: 'error',
    };
    for (const [word, status] of Object.entries(ends)) {
      script.start = [accepted()];
      script.poll = [json(200, { status: word, isFinished: true, result: [word] })];
      assert.deepEqual(await call(ask()), { status, response: { status: word, isFinished: true, result: [word] } });
    }
  });

  it('has finished by its word when it does not say so otherwise', async () => {
    script.start = [accepted()];
    script.poll = [json(200, { status: 'processing' }), json(200, { status: 'waiting' }), json(200, { status: 'ok' })];
    assert.deepEqual(await call(ask()), { status: 'success', response: { status: 'ok' } });
    assert.equal(seen.length, 4);
    script.poll = [
      json(200, { status: 'success', isFinished: false }),
      json(200, { status: 'error', isFinished: true }),
    ];
    assert.equal((await call(ask())).status, 'error');
  });

  it('that cannot be understood is an error', async () => {
    script.start = [accepted()];
    for (const poll of [
      json(200, { status: 'dancing' }),
      json(200, {}),
      json(200, []),
      text(200, '<html>'),
      text(204, ''),
    ]) {
      script.poll = [poll];
      assert.equal((await call(ask())).status, 'error');
    }
    script.poll = [json(404, { message: 'gone' })];
    assert.deepEqual(await call(ask()), { status: 'error', response: { message: 'gone' } });
  });

  it('takes its address from uri, and relative to its own', async () => {
    for (const address of [{ url: undefined, uri: `${base}/queue/job/5` }, { url: '/queue/job/5' }]) {
      script.start = [accepted(address)];
      assert.equal((await call(ask())).status, 'success');
      assert.equal(seen.at(-1)!.path, '/queue/job/5');
    }
  });

  it('without an address, or with one elsewhere, is an error; the token goes nowhere', async () => {
    for (const more of [
      { url: undefined },
      { url: 5 },
      { url: 'http://' },
      { url: 'https://evil.example/queue/job/91' },
      { url: base.replace('http:', 'https:') },
      { url: base.replace('127.0.0.1', 'localhost') },
      { url: 'http://127.0.0.1:1/queue/job/91' },
      { url: 'file:///etc/passwd' },
    ]) {
      script.start = [accepted(more)];
      const { status, response } = await call(ask());
      assert.equal(status, 'error');
      assert.match((response as { message: string }).message, /without an address|another origin/);
    }
    script.start = [text(202, 'later')];
    assert.equal((await call(ask())).status, 'error');
    assert.equal(seen.length, 9);
  });

  it('may fail ten times in a row, not more', async () => {
    const bad = [json(500, {}), cut, json(503, {}, { 'retry-after': '3' })];
    const nine = Array.from({ length: 9 }, (_, index) => bad[index % 3]!);
    script.start = [accepted()];
    script.poll = [...nine, running, ...nine, json(200, { status: 'success' })];
    assert.equal((await call(ask())).status, 'success');
    assert.ok(waits.includes(3000));
    script.poll = [...nine, json(502, {})];
    const before = seen.length;
    const { status, response } = await call(ask());
    assert.equal(status, 'error');
    assert.match((response as { message: string }).message, /could not be polled 10 times: it answered 502/);
    assert.equal(seen.length - before, 11);
  });
});

describe('a lost attempt', () => {
  it('is known by what was remembered before and after each step', async () => {
    script.start = [json(503, {}), accepted()];
    const request = ask();
    await call(request);
    assert.deepEqual(request.memos, [
      { step: 'starting', attempts: 1 },
      { step: 'waiting', attempts: 1 },
      { step: 'starting', attempts: 2 },
      { step: 'polling', job: { url: `${base}/queue/job/91`, id: '91' } },
    ]);
  });

  it('remembers before it asks', async () => {
    const request = ask({ remember: () => Promise.reject(new Failure('lease_lost', 'lost')) });
    await assert.rejects(call(request), { kind: 'lease_lost' });
    assert.equal(seen.length, 0);
  });

  it('that had a start on its way ends with an error: whether it was done, nobody knows', async () => {
    await assert.rejects(call(ask({ memo: { step: 'starting', attempts: 1 } })), {
      kind: 'worker_lost',
      message: 'Interrupted by a server restart',
    });
    assert.equal(seen.length, 0);
  });

  it('that waited for its next start goes on counting', async () => {
    script.start = [json(503, {})];
    assert.equal((await call(ask({ memo: { step: 'waiting', attempts: 10 } }))).status, 'error');
    assert.equal(seen.length, 2);
  });

  it('that polled goes on polling, and starts nothing', async () => {
    const memo = { step: 'polling', job: { url: `${base}/queue/job/91`, id: '91' } };
    assert.equal((await call(ask({ memo }))).status, 'success');
    assert.deepEqual(
      seen.map(({ method, path }) => [method, path]),
      [['GET', '/queue/job/91']],
    );
  });

  it('that had its answer has it still', async () => {
    script.start = [json(400, { message: 'no' })];
    const request = ask();
    const answer = await call(request);
    assert.deepEqual(await call(ask({ memo: request.memos.at(-1) })), answer);
    assert.equal(seen.length, 1);
  });

  it('keeps no answer that is too large to be remembered', async () => {
    script.start = [json(200, 'x'.repeat(40_000))];
    const request = ask();
    assert.equal((await call(request)).status, 'success');
    assert.deepEqual(request.memos, [{ step: 'starting', attempts: 1 }]);
  });

  it('kills nothing when another attempt goes on', async () => {
    script.start = [accepted()];
    script.poll = [running];
    const request = ask();
    waiting = () => waits.length === 3 && request.controller.abort(new Failure('worker_lost', 'shutdown'));
    await assert.rejects(call(request), { kind: 'worker_lost' });
    assert.ok(!seen.some(({ path }) => path.endsWith('/kill')));
  });
});

describe('a kill', () => {
  const kinds = ['cancelled', 'timed_out'] as const;
  const kills = (): Seen[] => seen.filter(({ path }) => path.endsWith('/kill'));
  /** Aborts at the third wait. */
  const abortLater = (request: Made, kind: (typeof kinds)[number] = 'cancelled'): void => {
    waiting = () => waits.length === 3 && request.controller.abort(new Failure(kind, `because ${kind}`));
  };

  it('is asked of the component after cancel and time limit, and its end is awaited', async () => {
    for (const kind of kinds) {
      [seen, waits] = [[], []];
      script.start = [accepted()];
      script.kill = [
        (_, response) => {
          script.poll = [running, running, json(200, { status: 'terminated', isFinished: true })];
          response.writeHead(202).end('{}');
        },
      ];
      script.poll = [running];
      const request = ask();
      abortLater(request, kind);
      await assert.rejects(call(request), { kind, message: `because ${kind}` });
      const [kill] = kills();
      assert.deepEqual([kills().length, kill!.path], [1, '/queue/jobs/91/kill']);
      for (const [name, value] of Object.entries(HEADERS)) assert.equal(kill!.headers[name], value);
      assert.deepEqual(request.answers.at(-1), { status: 'terminated', isFinished: true });
      assert.match(request.lines.at(-1)!, /ended with terminated/);
    }
  });

  it('waits no longer than 30 s, and says that the job is left alone', async () => {
    script.start = [accepted()];
    script.poll = [running];
    const request = ask();
    abortLater(request);
    await assert.rejects(call(request), { kind: 'cancelled' });
    const waited = waits.slice(3).reduce((sum, ms) => sum + ms, 0);
    assert.ok(waited >= 29_000 && waited <= 30_000, String(waited));
    assert.match(request.lines.at(-1)!, /left alone/);
  });

  it('is asked again when the component was not reached', async () => {
    script.start = [accepted({ id: 'a/../b?c' })];
    script.poll = [running];
    script.kill = [cut, cut, json(409, {})];
    const request = ask();
    abortLater(request);
    await assert.rejects(call(request), { kind: 'cancelled' });
    assert.deepEqual(
      kills().map(({ path }) => path),
      Array.from({ length: 3 }, () => '/queue/jobs/a%2F..%2Fb%3Fc/kill'),
    );
  });

  it('is asked of a job that an earlier attempt started', async () => {
    const request = ask({ memo: { step: 'polling', job: { url: `${base}/queue/job/91`, id: '91' } } });
    request.controller.abort(new Failure('cancelled', 'stop'));
    await assert.rejects(call({ ...request, signal: request.controller.signal }), { kind: 'cancelled' });
    assert.equal(kills().length, 1);
    assert.equal(starts().length, 0);
  });

  it('closes the connection of a start that has not answered, and kills nothing', async () => {
    const closed = Promise.withResolvers<void>();
    const request = ask();
    script.start = [
      (_, response) => {
        response.on('close', closed.resolve);
        request.controller.abort(new Failure('cancelled', 'stop'));
      },
    ];
    await assert.rejects(call(request), { kind: 'cancelled', message: 'stop' });
    await closed.promise;
    assert.equal(seen.length, 1);
  });

  it('is not possible without an id', async () => {
    script.start = [accepted({ id: undefined })];
    script.poll = [running];
    const request = ask();
    abortLater(request);
    await assert.rejects(call(request), { kind: 'cancelled' });
    assert.equal(kills().length, 0);
    assert.match(request.lines.at(-1)!, /told no id/);
  });
});
