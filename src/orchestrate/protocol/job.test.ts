import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createOutbound } from '../../outbound/index.ts';
import { createWorld } from '../../world.ts';
import { createLab, type Lab } from '../lab.test-support.ts';
import { createComponentCaller } from './call.ts';

let server: Server;
let lab: Lab;
let base: string;
let seen: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => unknown;

before(async () => {
  server = createServer((request, response) => {
    request.resume();
    seen.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  base = `http://${place}`;
  const config = { trustedComponentHosts: [place], componentHosts: [], anyPublicHost: 'refuse' } as const;
  const outbound = createOutbound({ config });
  lab = await createLab({
    outbound: () => outbound,
    rooms: { callComponent: createComponentCaller({ outbound, world: createWorld() }) },
  });
});

after(async () => {
  await lab?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  seen = [];
});

const send = (response: ServerResponse, status: number, body: unknown): unknown =>
  response.writeHead(status).end(JSON.stringify(body));
const asked = (method: string, path: string): IncomingMessage[] =>
  seen.filter((request) => request.method === method && request.url === path);
const task = (more: object = {}) => ({ componentUrl: `${base}/refresh`, ...more });

/** Accepts the start, and is busy until it is killed. */
function busy(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/refresh') send(response, 202, { id: 5, url: `${base}/queue/job/5`, status: 'waiting' });
  else if (request.url === '/queue/jobs/5/kill') send(response, 202, {});
  else if (asked('POST', '/queue/jobs/5/kill').length > 0)
    send(response, 200, { status: 'terminated', isFinished: true });
  else send(response, 200, { status: 'processing', isFinished: false });
}

describe('a job whose task calls a component elsewhere', () => {
  it('waits for its maintenance to end, polls, and shows the finished job there', async () => {
    const rights: unknown[] = [];
    let refused = 2;
    answer = async (request, response) => {
      const token = await lab.access.tokens.identify(String(request.headers['x-storageapi-token']));
      rights.push(token?.kind, token?.id);
      if (request.url === '/refresh' && refused-- > 0) return send(response.setHeader('retry-after', '0'), 503, {});
      if (request.url === '/refresh') return busy(request, response);
      const isFinished = asked('GET', '/queue/job/5').length === 2;
      return send(response, 200, { id: 5, status: isFinished ? 'success' : 'processing', isFinished });
    };
    const id = await lab.define([task()]);
    const job = await lab.ended((await lab.start(id)).run.number);
    const { tokenId } = await lab.orchestrate.definitions.get(lab.scope().project, id);
    assert.equal(job.status, 'success');
    assert.deepEqual(job.results![0]!.reached!.response!.body, { id: 5, status: 'success', isFinished: true });
    assert.equal(asked('POST', '/refresh').length, 3);
    for (const request of seen) {
      assert.equal(request.headers['x-idempotency-key'], `${job.run.number}-0`);
      assert.equal(request.headers['x-kbc-runid'], String(job.run.number));
    }
    assert.deepEqual(new Set(rights), new Set(['run', tokenId]));
  });

  it('goes on polling after its worker stopped, and starts nothing twice', async () => {
    let isFinished = false;
    answer = (request, response) => {
      if (request.url === '/refresh') return busy(request, response);
      return send(response, 200, { status: isFinished ? 'success' : 'processing', isFinished });
    };
    const { run } = await lab.start(await lab.define([task()]));
    await lab.until(() => asked('GET', '/queue/job/5').length > 0);
    await lab.restart();
    isFinished = true;
    assert.equal((await lab.ended(run.number)).status, 'success');
    assert.equal(asked('POST', '/refresh').length, 1);
    assert.equal(asked('POST', '/queue/jobs/5/kill').length, 0);
  });

  it('fails when its worker stopped before the answer, and calls nobody again', async () => {
    answer = () => {};
    const { run } = await lab.start(await lab.define([task()]));
    await lab.until(() => seen.length > 0);
    await lab.restart();
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'error');
    assert.deepEqual(job.results![0]!.reached!.response!.body, {
      status: 'error',
      message: 'Interrupted by a server restart',
    });
    assert.equal(seen.length, 1);
  });

  it('kills the job there when it is killed', async () => {
    answer = busy;
    const { run } = await lab.start(await lab.define([task()]));
    await lab.until(() => asked('GET', '/queue/job/5').length > 0);
    await lab.orchestrate.componentRuns.kill(lab.scope(), run.number);
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'terminated');
    assert.equal(asked('POST', '/queue/jobs/5/kill').length, 1);
    assert.equal(job.results![0]!.reached!.status, 'terminated');
  });

  it('kills the job there when its time is over, and shows how it ended', async () => {
    answer = busy;
    const job = await lab.run([task({ timeoutMinutes: 1 })]);
    assert.equal(job.status, 'error');
    assert.equal(asked('POST', '/queue/jobs/5/kill').length, 1);
    assert.deepEqual(job.results![0]!.reached!.response!.body, {
      status: 'error',
      message: 'Task timeout after 1 minute(s)',
      lastResponse: { status: 'terminated', isFinished: true },
    });
  });

  it('fails at once when its host is not allowed', async () => {
    const job = await lab.run([{ componentUrl: 'https://hooks.tern.example/refresh' }]);
    assert.equal(job.status, 'error');
    assert.deepEqual(job.results![0]!.reached!.response!.body, {
      status: 'error',
      message: 'Host hooks.tern.example is not on the allow-list',
    });
  });

  it('keeps characters that databases do not like', async () => {
    const body = { text: 'nul \0, lone \ud800', '\0': 1 };
    answer = (_, response) => send(response, 200, body);
    const job = await lab.run([task()]);
    assert.equal(job.status, 'success');
    assert.deepEqual(job.results![0]!.reached!.response!.body, body);
  });
});
