import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createOutbound } from '../../src/outbound/index.ts';
import type { JobView } from '../../src/orchestrate/index.ts';
import { createLab, type Lab } from '../../src/orchestrate/lab.test-support.ts';
import { createComponentCaller } from '../../src/orchestrate/protocol/call.ts';

const WORKER = fileURLToPath(new URL('support/orchestrate-worker.ts', import.meta.url));
const LEASE_SECONDS = 2;

/** Starts that a component elsewhere has seen, by its path. */
const starts = new Map<string, number>();
let paths = 0;
let server: Server;
let url: string;
let config: Record<string, string>;

before(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    if (request.method === 'POST') starts.set(path, (starts.get(path) ?? 0) + 1);
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    request.resume().on('end', () => {
      if (request.method === 'GET') return answer(200, { id: 1, status: 'success', isFinished: true });
      return answer(202, { id: 1, status: 'waiting', url: `${url}/queue/job/1` });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  config = { PENSTOCK_TRUSTED_COMPONENT_HOSTS: `127.0.0.1:${port}` };
});

after(() => server?.close());

/** Runs a job in a process that dies at the point, then goes on in this one. */
async function crashAt(stopAt: string, tasks: (lab: Lab) => Promise<readonly object[]>): Promise<Crashed> {
  const lab = await createLab({
    config,
    leaseSeconds: LEASE_SECONDS,
    works: false,
    outbound: (settings) => createOutbound({ config: settings }),
  });
  lab.elsewhere = createComponentCaller(lab.rooms);
  try {
    const { run } = await lab.start(await lab.define(await tasks(lab)));
    const joins = { url: lab.store.url, dataDir: lab.rooms.config.dataDir };
    const options = JSON.stringify({ joins, config, leaseSeconds: LEASE_SECONDS, stopAt });
    const child = spawn(process.execPath, [WORKER, options], { stdio: 'inherit' });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL', `the worker reached ${stopAt}`);
    await lab.restart();
    const job = await lab.ended(run.number);
    const living = await lab.engine.list({ states: ['planned', 'queued', 'running'], limit: 10, offset: 0 });
    assert.equal(living.total, 0, 'nothing is left behind');
    const children = await lab.engine.children(run.id);
    return { job, children: children.length };
  } finally {
    await lab.close();
  }
}

interface Crashed {
  readonly job: JobView;
  readonly children: number;
}

const local = async () => [
  { component: 'lab.echo', phase: 'p' },
  { component: 'lab.echo', phase: 'p' },
  { component: 'lab.echo' },
];
const nested = async (lab: Lab) => {
  const inner = await lab.define(await local());
  return [{ component: 'orchestrator', actionParameters: { config: inner } }, { component: 'lab.echo' }];
};

describe('a job whose worker is killed', { concurrency: 3 }, () => {
  for (const point of ['orchestrate.token-bound', 'orchestrate.child-started:2', 'orchestrate.task-ended:2']) {
    it(`goes on at ${point} with the runs that it had started`, async () => {
      const { job, children } = await crashAt(point, local);
      assert.equal(job.status, 'success', JSON.stringify(job.results));
      assert.equal(children, 3);
    });
  }

  for (const point of ['orchestrate.job-started', 'orchestrate.child-started', 'orchestrate.task-ended:3']) {
    it(`goes on at ${point} with the job that it had started`, async () => {
      const { job, children } = await crashAt(point, nested);
      assert.equal(job.status, 'success', JSON.stringify(job.results));
      assert.equal(children, 2);
    });
  }

  for (const point of ['orchestrate.token-minted', 'orchestrate.task-ended']) {
    it(`goes on at ${point} with what it had started elsewhere, once`, async () => {
      const path = `/writer-${++paths}/run`;
      const { job } = await crashAt(point, async () => [{ componentUrl: url + path }, { component: 'lab.echo' }]);
      assert.equal(job.status, 'success', JSON.stringify(job.results));
      assert.equal(starts.get(path), 1);
    });
  }
});
