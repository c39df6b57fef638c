import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createOutbound } from '../../outbound/index.ts';
import { createLab, type Lab } from '../lab.test-support.ts';
import { createComponentCaller } from '../protocol/call.ts';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly at: number;
  readonly headers: IncomingMessage['headers'];
}

/** A component on a server of its own: `refusals` starts are answered 503, then jobs go on until `isDone`. */
const there = { refusals: 0, isDone: false, isKilled: false, seen: [] as Seen[] };
let server: Server;
let lab: Lab;
let url: string;

before(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    there.seen.push({ method: request.method ?? '', path, at: performance.now(), headers: request.headers });
    const answer = (status: number, body: object, headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    let sent = '';
    request.on('data', (piece: Buffer) => (sent += piece.toString()));
    request.on('end', () => {
      if (path.endsWith('/kill')) {
        there.isKilled = true;
        return answer(202, {});
      }
      if (path.startsWith('/echo')) {
        const shown = { message: `refused: ${sent}`, headers: request.headers, pin: 4711 };
        if (request.method === 'GET') return answer(200, { ...shown, status: 'error', isFinished: true });
        return path === '/echo' ? answer(400, shown) : answer(202, { id: 1, url: `${url}/echo` });
      }
      const status = there.isKilled ? 'terminated' : there.isDone ? 'success' : 'processing';
      if (request.method === 'GET') return answer(200, { id: 5, status, isFinished: status !== 'processing' });
      if (there.refusals-- > 0) return answer(503, { status: 'maintenance' }, { 'retry-after': '1' });
      return answer(202, { id: 5, status: 'waiting', url: `${url}/queue/job/5` });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  const settings = { PENSTOCK_TRUSTED_COMPONENT_HOSTS: `127.0.0.1:${port}` };
  lab = await createLab({ config: settings, outbound: (config) => createOutbound({ config }) });
  lab.elsewhere = createComponentCaller(lab.rooms);
});

after(async () => {
  await lab?.close();
  server?.close();
});

describe('a component on another server', () => {
  it('is waited for while it is in maintenance, started once, and polled to its end (34)', async () => {
    Object.assign(there, { refusals: 2, isDone: false, isKilled: false, seen: [] });
    const { run } = await lab.start(await lab.define([{ componentUrl: `${url}/writer/run` }]));
    await lab.until(() => there.seen.some(({ method }) => method === 'GET'));
    there.isDone = true;
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'success', JSON.stringify(job.results));
    assert.deepEqual(job.results![0]!.reached!.response!.body, { id: 5, status: 'success', isFinished: true });
    const starts = there.seen.filter(({ method }) => method === 'POST');
    assert.equal(starts.length, 3);
    assert.ok(starts[2]!.at - starts[0]!.at >= 1900, 'the waits that it asked for are kept');
    assert.equal(new Set(starts.map(({ headers }) => headers['x-idempotency-key'])).size, 1);
    assert.equal(starts[0]!.headers['user-agent'], 'Penstock/0.0.0');
    assert.equal(starts[0]!.headers['x-kbc-runid'], String(run.number));
  });

  it('goes on to be polled after a restart of the worker', async () => {
    Object.assign(there, { refusals: 0, isDone: false, isKilled: false, seen: [] });
    const { run } = await lab.start(await lab.define([{ componentUrl: `${url}/writer/run` }]));
    await lab.until(() => there.seen.some(({ method }) => method === 'GET'));
    await lab.restart();
    there.isDone = true;
    assert.equal((await lab.ended(run.number)).status, 'success');
    assert.equal(there.seen.filter(({ method }) => method === 'POST').length, 1);
  });

  it('is killed with the job', async () => {
    Object.assign(there, { refusals: 0, isDone: false, isKilled: false, seen: [] });
    const { run } = await lab.start(await lab.define([{ componentUrl: `${url}/writer/run` }]));
    await lab.until(() => there.seen.some(({ method }) => method === 'GET'));
    await lab.orchestrate.componentRuns.kill(lab.scope(), run.number);
    const job = await lab.ended(run.number);
    assert.equal(job.status, 'terminated');
    assert.ok(there.seen.some(({ method, path }) => method === 'POST' && path === '/queue/jobs/5/kill'));
    assert.equal(job.results![0]!.reached!.status, 'terminated');
  });

  it('shows nobody the token and the secrets that it was sent', async () => {
    const actionParameters = { '#password': 'hunter"2\n', '#pin': 4711, user: 'kim' };
    const tasks = ['/echo', '/echo-later'].map((path) => ({ componentUrl: url + path, actionParameters, phase: 'a' }));
    const { run, results } = await lab.run(tasks);
    const events = await lab.orchestrate.jobs.events('1', { number: run.number, after: null, limit: 100 });
    const rows = await lab.store.pool.query<{ all: string }>(`select json_agg(t)::text as all from task t`);
    assert.deepEqual(
      results!.map(({ reached }) => reached?.status),
      ['error', 'error'],
    );
    for (const shown of [JSON.stringify(results), JSON.stringify(events), rows.rows[0]!.all]) {
      assert.match(shown, /refused/);
      assert.doesNotMatch(shown, /hunter|(?<!\d)4711(?!\d)|\b1-\d+-[0-9a-f]{40}/);
    }
  });

  it('hears for which instant a job of the schedule or of a backfill stands', async () => {
    Object.assign(there, { refusals: 0, isDone: true, isKilled: false, seen: [] });
    const define = (path: string, more: object = {}) => lab.define([{ componentUrl: url + path }], more);
    const told = (path: string) =>
      there.seen
        .filter((one) => one.method === 'POST' && one.path === path)
        .map(({ headers }) => headers['x-penstock-logical-time']);
    const ticked = await define('/ticked', { crontabRecord: '0 0 29 2 *' });
    await lab.store.pool.query(`update schedule set next_fire_at = '2026-03-01T04:05:06.789Z' where key = $1`, [
      `orchestration/${ticked}`,
    ]);
    await lab.scheduler.tick();
    const orchestrationId = await define('/filled', { crontabRecord: '@hourly', zone: 'Asia/Kolkata' });
    const sent = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T02:00:00Z' };
    await lab.orchestrate.schedules.startBackfill(lab.scope(), { orchestrationId, path: '/backfill', sent });
    const { run } = await lab.start(await define('/manual'));
    await lab.ended(run.number);
    await lab.until(() => told('/filled').length === 2 && told('/ticked').length === 1);
    assert.deepEqual(told('/ticked'), ['2026-03-01T04:05:06.789Z']);
    assert.deepEqual(told('/filled'), ['2026-01-01T00:30:00.000Z', '2026-01-01T01:30:00.000Z']);
    assert.deepEqual(told('/manual'), [undefined]);
  });

  it('is not called when its host is on no list', async () => {
    there.seen = [];
    const job = await lab.run([{ componentUrl: 'https://hooks.tern.example/refresh' }]);
    assert.equal(job.status, 'error');
    assert.match(job.results![0]!.reached!.message!, /hooks\.tern\.example/);
  });
});
