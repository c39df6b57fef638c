import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createOutbound } from '../../src/outbound/index.ts';
import type { JobView } from '../../src/orchestrate/index.ts';
import { createLab, type Lab } from '../../src/orchestrate/lab.test-support.ts';
import { createComponentCaller } from '../../src/orchestrate/protocol/call.ts';
import { noteKill, testKills } from './points.ts';

const WORKER = fileURLToPath(new URL('support/orchestrate-worker.ts', import.meta.url));
const LEASE_SECONDS = 2;

/** Starts that a component elsewhere has seen, by its path. */
const starts = new Map<string, number>();
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
    noteKill(stopAt);
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

/**
 * Everything that a job can call. Calls of a component elsewhere have nothing beside them: one that is on its way when the
 * worker is killed for the sake of another task is rightly interrupted.
 */
const everything = async (lab: Lab, path: string) => {
  const inner = await lab.define([{ component: 'lab.echo' }, { componentUrl: `${url}${path}/inner` }]);
  return [
    { component: 'lab.echo', phase: 'p' },
    { component: 'lab.echo', phase: 'p' },
    { componentUrl: `${url}${path}/a` },
    { component: 'orchestrator', actionParameters: { config: inner } },
  ];
};

/** The points that such a job reaches, each as often as it does: `name:n`. */
async function pointsOf(tasks: (lab: Lab) => Promise<readonly object[]>): Promise<readonly string[]> {
  const lab = await createLab({ config, outbound: (settings) => createOutbound({ config: settings }) });
  lab.elsewhere = createComponentCaller(lab.rooms);
  try {
    await lab.define([{ component: 'lab.echo' }]);
    const begun = lab.points.length;
    const job = await lab.run(await tasks(lab));
    assert.equal(job.status, 'success', JSON.stringify(job.results));
    const counts = new Map<string, number>();
    const reached = lab.points.slice(begun).filter((point) => point.startsWith('orchestrate.'));
    for (const point of reached) counts.set(point, (counts.get(point) ?? 0) + 1);
    // What only the start reaches, this test does before its worker is there.
    const points = [...counts].filter(([point]) => point !== 'orchestrate.definition-written');
    return points.flatMap(([point, count]) => {
      const most = point === 'orchestrate.job-started' ? count - 1 : count;
      return Array.from({ length: most }, (_, index) => `${point}:${index + 1}`);
    });
  } finally {
    await lab.close();
  }
}

it('a job that calls everything comes to the same end, whichever point its worker is killed at', async (test) => {
  const points = await pointsOf((lab) => everything(lab, '/dry'));
  test.diagnostic(`${points.length} points`);
  const left = [...points];
  const kill = async (): Promise<void> => {
    for (let point = left.pop(); point !== undefined; point = left.pop()) {
      const path = `/at/${point}`;
      const { job, children } = await crashAt(point, (lab) => everything(lab, path));
      assert.equal(job.status, 'success', `${point}: ${JSON.stringify(job.results)}`);
      assert.equal(children, 3, point);
      for (const end of ['inner', 'a']) assert.equal(starts.get(`${path}/${end}`), 1, `${point}: ${end}`);
    }
  };
  await Promise.all([kill(), kill(), kill()]);
});

testKills('orchestrate-crash');
