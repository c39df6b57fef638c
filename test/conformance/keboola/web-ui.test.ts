import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createHolds, echo, fail } from '../../../src/orchestrate/components.test-support.ts';
import { openConnection, poll, withLength, type Answer, type Connection, type Json } from './connection.ts';
import { MASTER, startRig, type Rig } from './rig.ts';

/** What the pages of the original send from a browser, byte for byte. */
let rig: Rig;
let host: string;
const { holds, spec: hold } = createHolds();

before(async () => {
  rig = await startRig({ components: [echo, fail, hold] });
  host = new URL(rig.url).host;
});
after(() => rig?.close());

describe('the web UI', () => {
  const origin = 'Origin: https://connection.keboola.com';

  async function ask(connection: Connection, request: string, body?: unknown): Promise<Answer> {
    const [method = '', path = ''] = request.split(' ');
    const preflight = await connection.send([
      `OPTIONS ${path} HTTP/1.1`,
      `Host: ${host}`,
      origin,
      `Access-Control-Request-Method: ${method}`,
      'Access-Control-Request-Headers: content-type,x-storageapi-token',
    ]);
    assert.deepEqual([preflight.status, preflight.headers['access-control-allow-origin']], [200, '*']);
    assert.ok(preflight.headers['access-control-allow-methods']?.split(', ').includes(method));
    for (const name of ['content-type', 'x-storageapi-token']) {
      assert.ok(preflight.headers['access-control-allow-headers']?.split(', ').includes(name), name);
    }
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `Host: ${host}`,
      origin,
      'Sec-Fetch-Site: cross-site',
      `X-StorageApi-Token: ${MASTER}`,
      'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/70.0 Safari/537.36',
      'Accept: application/json',
      ...(body === undefined ? [] : ['Content-Type: application/json']),
    ];
    const text = body === undefined ? '' : JSON.stringify(body);
    const answer = await connection.send(withLength(lines, text), text);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['access-control-expose-headers'] ?? '', /X-Total-Count/);
    return answer;
  }

  it('starts with phases of its own making and keys for its display, retries, and ends jobs', async () => {
    const connection = await openConnection(rig.url);
    const call = (method: string, path: string, body?: unknown) => ask(connection, `${method} ${path}`, body);
    const defined = [
      { component: 'lab.echo', actionParameters: { a: 1 } },
      { component: 'lab.fail', actionParameters: { message: 'no' }, phase: 'x' },
      { component: 'lab.hold', actionParameters: { name: 'ui' }, phase: 'x', active: false },
    ];
    const { id } = (await call('POST', '/orchestrations', { name: 'UI' })).json;
    assert.equal((await call('PUT', `/orchestrations/${id}/tasks`, defined)).status, 202);
    const { tasks } = (await call('GET', `/orchestrations/${id}`)).json;
    const shown = tasks.map((task: Json, at: number) => ({
      ...task,
      phase: task.phase ?? `Phase ${at + 1}`,
      hasConfig: true,
      config: { name: 'n' },
    }));
    const started = await call('POST', '/run', { config: id, tasks: shown });
    assert.equal(started.status, 202);
    assert.deepEqual(started.json.tasks, tasks);

    const ended = await poll(
      async () => (await call('GET', `/jobs/${started.json.id}`)).json,
      ({ isFinished }) => isFinished,
    );
    assert.deepEqual(
      ended.results.phases.map((phase: Json) => phase.map(({ status = null }: Json) => status)),
      [['success'], ['error', null]],
    );
    const [row] = (await call('GET', '/orchestrations')).json.filter((each: Json) => each.id === id);
    assert.deepEqual([row.lastExecutedJob.id, row.lastExecutedJob.status], [ended.id, 'error']);
    const page = await call('GET', `/orchestrations/${id}/jobs?limit=10&offset=0`);
    assert.deepEqual([page.json.length, page.headers['x-total-count']], [1, '1']);

    const again = ended.tasks.map((task: Json, at: number) => ({ ...task, phase: 'Phase', active: at === 2 }));
    const retried = await call('POST', `/jobs/${ended.id}/retry`, { tasks: again });
    assert.deepEqual([retried.status, retried.json.retryOf], [202, ended.id]);
    await holds.begun('ui');
    const query = encodeURIComponent(`+params.config:${id} +status:processing`);
    assert.deepEqual(
      (await call('GET', `/queue/jobs?q=${query}&limit=5`)).json.map((job: Json) => job.id),
      [retried.json.id],
    );
    assert.equal((await call('POST', `/queue/jobs/${retried.json.id}/kill`, {})).status, 202);
    const killed = await poll(
      async () => (await call('GET', `/jobs/${retried.json.id}`)).json,
      ({ isFinished }) => isFinished,
    );
    assert.equal(killed.status, 'terminated');
    const other = await call('POST', '/run', { config: id, tasks: shown.with(0, { ...shown[0], action: 'discover' }) });
    assert.deepEqual([other.status, other.json.status, other.json.code], [400, 'warning', 'JOB_VALIDATION']);
    assert.match(other.json.message, /different from orchestration task/);
    connection.close();
  });
});
