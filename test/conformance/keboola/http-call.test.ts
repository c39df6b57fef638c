import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { component } from '../../../src/components/http-call/index.ts';
import type { ComponentPorts } from '../../../src/components/kit/index.ts';
import { createOutbound } from '../../../src/outbound/index.ts';
import { createWorld } from '../../../src/world.ts';
import type { Reply } from '../olake/wire.ts';
import { startRig, type Rig } from './rig.ts';

/** `http.call` (section 9) and components elsewhere (section 8), started by a client over HTTP. */
let rig: Rig;
let server: Server;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => unknown;

before(async () => {
  server = createServer((request, response) => void answer(request.resume(), response));
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  base = `http://${place}`;
  const config = { trustedComponentHosts: [place], componentHosts: [], anyPublicHost: 'refuse' } as const;
  const ports = { outbound: createOutbound({ config }), world: createWorld() } as unknown as ComponentPorts;
  rig = await startRig({
    components: [component(ports)],
    environment: { PENSTOCK_TRUSTED_COMPONENT_HOSTS: place },
  });
});

after(async () => {
  await rig?.close();
  server.closeAllConnections();
  server.close();
});

type Json = ReturnType<typeof JSON.parse>;

const start = (parameters: object): Promise<Reply> =>
  rig.ask('POST', '/docker/http.call/run', {
    body: { configData: { parameters: { url: `${base}/ping`, ...parameters } } },
  });

async function finished(path: string): Promise<Json> {
  for (let tries = 0; tries < 600; tries++) {
    const reply = await rig.ask('GET', path);
    if ((reply.body as Json)['isFinished'] === true) return reply.body;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${path} did not end`);
}

async function run(parameters: object): Promise<Json> {
  const reply = await start(parameters);
  assert.equal(reply.status, 202, reply.text);
  return finished(`/queue/job/${(reply.body as Json)['id']}`);
}

describe('http.call', () => {
  it('ends as the answer was expected, and shows no secret anywhere', async () => {
    answer = (request, response) => response.end(JSON.stringify({ sent: request.headers.authorization }));
    const parameters = { auth: { type: 'bearer', '#token': 'tern-token' }, expect: { path: 'sent' } };
    const job = await run(parameters);
    assert.equal(job.status, 'success', JSON.stringify(job));
    assert.deepEqual([job.result.httpStatus, job.result.body], [200, { sent: 'Bearer ********' }]);
    assert.doesNotMatch(JSON.stringify(job), /tern-token/);
  });

  it('ends with an error of the user else', async () => {
    answer = (_, response) => response.writeHead(500).end();
    const job = await run({});
    assert.deepEqual([job.status, job.error], ['error', 'user']);
    assert.match(job.result.message, /status 500/);
    const refused = await run({ url: 'https://any.example/' });
    assert.deepEqual([refused.status, refused.error], ['error', 'user']);
    assert.match(refused.result.message, /Host any.example is not on the allow-list/);
  });

  it('is refused at once with wrong parameters', async () => {
    for (const [parameters, message] of [
      [{ other: 1 }, /Parameter 'other' is not allowed. Allowed params are auth, body, expect, headers/],
      [{ url: 'http://any.example/' }, /Parameter 'url': only https is allowed/],
      [{ auth: { secret: 'crm' } }, /Parameter 'auth\.secret' is not allowed/],
      [{ timeoutSeconds: 0 }, /timeoutSeconds/],
      [{ auth: { type: 'bearer', '#token': '********' } }, /Parameter 'auth.#token' is masked; send the real value/],
    ] as const) {
      const reply = await start(parameters);
      assert.equal(reply.status, 400);
      assert.match((reply.body as Json)['message'], message);
    }
  });

  it('closes its connection when it is killed', async () => {
    const [arrived, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    answer = (request) => {
      request.socket.on('close', () => closed.resolve());
      arrived.resolve();
    };
    const reply = await start({ timeoutSeconds: 3600 });
    const id = (reply.body as Json)['id'];
    await arrived.promise;
    assert.equal((await rig.ask('POST', `/queue/jobs/${id}/kill`)).status, 202);
    await closed.promise;
    assert.equal((await finished(`/queue/job/${id}`)).status, 'terminated');
  });
});

describe('a component elsewhere (case 34)', () => {
  it('that is in maintenance twice, then accepts, ends well after at least three attempts', async () => {
    const starts: number[] = [];
    answer = (request, response) => {
      if (request.method === 'GET') return response.end(JSON.stringify({ id: 5, status: 'success', isFinished: true }));
      starts.push(performance.now());
      if (starts.length < 3) return response.writeHead(503, { 'retry-after': '1' }).end();
      return response.writeHead(202).end(JSON.stringify({ id: 5, url: `${base}/job/5`, status: 'waiting' }));
    };
    const tasks = [{ componentUrl: `${base}/refresh` }];
    const made = await rig.ask('POST', '/orchestrations', { body: { name: 'Refresh', tasks } });
    assert.equal(made.status, 201, made.text);
    const begun = await rig.ask('POST', '/run', { body: { config: (made.body as Json)['id'] } });
    const job = await finished(`/jobs/${(begun.body as Json)['id']}`);
    const [task] = job.results.tasks;
    assert.equal(task.status, 'success', JSON.stringify(task));
    assert.deepEqual(task.response, { id: 5, status: 'success', isFinished: true });
    assert.equal(starts.length, 3);
    assert.ok(starts[2]! - starts[0]! > 1800);
  });
});
