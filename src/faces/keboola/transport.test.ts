import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../../errors.ts';
import { createErrorReply } from './errors.ts';
import { readPage } from './paging.ts';
import { readRunId, showRunId } from './run-id.ts';
import { showStorageTime, showTime } from './times.ts';
import { mountOf, rewriteUrl } from './transport.ts';
import { baseOf, originOf } from './uri.ts';

type Request = Parameters<typeof baseOf>[0];
const requestOf = (parts: object): Request =>
  ({ headers: {}, originalUrl: '/run', url: '/run', protocol: 'http', socket: {}, ...parts }) as unknown as Request;

describe('the paths of the face', () => {
  it('lose repeated slashes and one at the end, and the mount', () => {
    const cases: Record<string, string | undefined> = {
      '/orchestrations': '/orchestrations',
      '/orchestrations/': '/orchestrations',
      '//orchestrator//run': '/run',
      '/orchestrator/orchestrations/12/tasks/?a=//b/': '/orchestrations/12/tasks?a=//b/',
      '/queue/job/7': '/queue/job/7',
      '///v2/storage///tokens/verify/': '/v2/storage/tokens/verify',
      '/orchestrator': '/orchestrator',
      '/orchestrator/': '/orchestrator',
    };
    for (const [sent, known] of Object.entries(cases)) assert.equal(rewriteUrl(sent), known, sent);
  });

  it('stay apart from the paths of others', () => {
    for (const path of [
      '/',
      '//',
      '/login',
      '//login',
      '/api/v1/x',
      '/runs',
      '/jobsx',
      '/orchestrationsx',
      '/?a=/run',
    ]) {
      assert.equal(rewriteUrl(path), undefined, path);
    }
  });

  it('below the mount are those of the orchestrator only', () => {
    for (const path of ['/orchestrator/v2/storage', '/orchestrator/login', '/orchestrator/orchestrator/run']) {
      assert.equal(rewriteUrl(path), path);
    }
    assert.equal(mountOf(requestOf({ originalUrl: '//orchestrator//run?x' })), '/orchestrator');
    assert.equal(mountOf(requestOf({ originalUrl: '/orchestrations?x=/orchestrator/' })), '');
    assert.equal(mountOf(requestOf({ originalUrl: '/orchestratorx' })), '');
  });

  it('of hostile length are rewritten in time that grows with them only', () => {
    const begin = performance.now();
    for (let round = 0; round < 200; round++) rewriteUrl(`/orchestrations${'/'.repeat(30_000)}x`);
    assert.ok(performance.now() - begin < 5000);
  });
});

describe('addresses in answers', () => {
  const config = { publicUrl: null };

  it('are those that the request was sent to, with its mount', () => {
    const request = requestOf({ headers: { host: 'flows.tern.example:8443' }, originalUrl: '/orchestrator/run' });
    assert.equal(baseOf(request, config), 'http://flows.tern.example:8443/orchestrator');
    assert.equal(originOf(request, config), 'http://flows.tern.example:8443');
  });

  it('are the public ones where there are', () => {
    const request = requestOf({ headers: { host: 'inside:1' }, originalUrl: '/orchestrator/run' });
    assert.equal(baseOf(request, { publicUrl: 'https://tern.example/' }), 'https://tern.example/orchestrator');
  });

  it('take no host that is none', () => {
    const socket = { localAddress: '::ffff:127.0.0.1', localPort: 8080 };
    for (const host of [undefined, '', 'a b', 'a/b', 'user@host', 'x"y', 'h:port', '<script>', 'a:1:2']) {
      assert.equal(originOf(requestOf({ headers: { host }, socket }), config), 'http://127.0.0.1:8080');
    }
    assert.equal(originOf(requestOf({ socket: { localAddress: '::1', localPort: 80 } }), config), 'http://[::1]:80');
    assert.equal(originOf(requestOf({ headers: { host: '[::1]:8080' } }), config), 'http://[::1]:8080');
  });
});

describe('values', () => {
  it('times have seconds and a numeric offset, in two forms', () => {
    const time = new Date('2026-11-20T13:00:00.987Z');
    assert.equal(showTime(time), '2026-11-20T13:00:00+00:00');
    assert.equal(showStorageTime(time), '2026-11-20T13:00:00+0000');
    assert.equal(showTime(null), null);
    assert.equal(showStorageTime(null), null);
  });

  it('run ids are numbers for roots, dotted texts for children, and nothing else', () => {
    assert.deepEqual(['77', '77.81', '99999999999999999999'].map(showRunId), [77, '77.81', '99999999999999999999']);
    const read = (text: string) => readRunId({ 'x-kbc-runid': text });
    assert.equal(read('77.81'), '77.81');
    for (const text of ['', 'x', '1.', '.1', '1..2', '-1', '1 ', `1${'.1'.repeat(127)}1`])
      assert.equal(read(text), null);
    assert.equal(read(`1${'.1'.repeat(127)}`)?.length, 255);
    assert.equal(readRunId({}), null);
  });

  it('pages are counted in whole numbers, a thousand at most', () => {
    const page = (given: Record<string, string>) => readPage((name) => given[name], 20);
    assert.deepEqual(page({}), { limit: 20, offset: 0 });
    assert.deepEqual(page({ limit: '5000', offset: '7' }), { limit: 1000, offset: 7 });
    for (const wrong of ['abc', '', '-1', '1.5', '1e2', ' 1', '0x1', '9'.repeat(16)]) {
      assert.throws(() => page({ limit: wrong }), /^Failure: limit: must be/);
      assert.throws(() => page({ offset: wrong }), /^Failure: offset: must be/);
    }
    assert.throws(() => page({ limit: '0' }), Failure);
    assert.equal(page({ offset: '0' }).offset, 0);
  });
});

describe('errors', () => {
  const reply = createErrorReply({ random: (bytes) => Buffer.alloc(bytes, 0xab) });
  const exceptionId = `penstock-${'ab'.repeat(16)}`;

  it('have all keys of their form', () => {
    const failure = new Failure('conflict', 'Job 77 is processing');
    const request = requestOf({ headers: { 'x-kbc-runid': '5.6' } });
    assert.deepEqual(reply(failure, request), {
      status: 409,
      type: 'application/json',
      reference: exceptionId,
      body: {
        status: 'error',
        error: 'User error',
        code: 409,
        message: 'Job 77 is processing',
        exceptionId,
        runId: '5.6',
        errorCode: 'STATE_CONFLICT',
      },
    });
  });

  it('of ours say nothing but their id', () => {
    for (const kind of ['internal', 'unreachable', 'storage_failed', 'timed_out'] as const) {
      const { status, body } = reply(new Failure(kind, 'password=hunter2'), requestOf({}));
      assert.ok(status >= 500);
      const { error, message, code } = body as Record<string, unknown>;
      assert.deepEqual([error, code], ['Application error', status]);
      assert.equal(message, `Internal error, see the log of the server for ${exceptionId}.`);
    }
  });

  it('of an override that differs are a warning with a word of its own', () => {
    const { status, body } = reply(new Failure('unprocessable', 'Task 1 is different'), requestOf({}));
    const { status: word, code, error } = body as Record<string, unknown>;
    assert.deepEqual([status, word, code, error], [400, 'warning', 'JOB_VALIDATION', 'User error']);
  });

  it('of the storage subset have a form of their own', () => {
    const words = (['unauthenticated', 'forbidden', 'not_found', 'bad_request', 'internal'] as const).map((kind) => {
      const { body } = reply(new Failure(kind, 'm'), requestOf({ url: '/v2/storage/tokens' }));
      assert.deepEqual(Object.keys(body as object), ['error', 'code', 'exceptionId']);
      return (body as { code: string }).code;
    });
    assert.deepEqual(words, [
      'storage.tokenInvalid',
      'storage.accessDenied',
      'storage.notFound',
      'storage.validation',
      'storage.failed',
    ]);
  });
});
