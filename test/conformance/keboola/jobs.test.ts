import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createHolds, echo, fail } from '../../../src/orchestrate/components.test-support.ts';
import type { Reply } from '../olake/wire.ts';
import { startRig, type Rig } from './rig.ts';

/** Cases 20 to 35 of the conformance list, and the answers of the queue and of components. */
let rig: Rig;
const { holds, spec: hold } = createHolds();

before(async () => {
  rig = await startRig({ components: [echo, fail, hold] });
});

after(async () => {
  await rig?.close();
});

/** Answers are looked into as they are. */
type Json = ReturnType<typeof JSON.parse>;

function json(reply: Reply): Json {
  return reply.body as Json;
}

async function define(tasks: readonly object[], more: object = {}): Promise<Json> {
  const made = await rig.ask('POST', '/orchestrations', { body: { name: 'Nightly', tasks, ...more } });
  assert.equal(made.status, 201, made.text);
  return json(made);
}

async function finished(job: Json, path = `/jobs/${job['id']}`): Promise<Json> {
  for (let tries = 0; tries < 600; tries++) {
    const reply = await rig.ask('GET', path);
    assert.equal(reply.status, 200);
    if (json(reply)['isFinished'] === true) return json(reply);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`job ${job['id']} did not end`);
}

const SUMMARY = [
  'id',
  'orchestrationId',
  'createdTime',
  'startTime',
  'endTime',
  'status',
  'isFinished',
  'initializedBy',
  'token',
  'initiatorToken',
  'results',
  'notificationsEmails',
  'runId',
  'uri',
  'url',
];
const good = { component: 'lab.echo', actionParameters: { a: 1 } };
const bad = { component: 'lab.fail', actionParameters: { message: 'it broke' } };
const waits = (name: string, more: object = {}) => ({ component: 'lab.hold', actionParameters: { name }, ...more });

describe('starting a job', () => {
  it('answers the job as it was made (20, 21, 22)', async () => {
    const { id, tasks, token } = await define([good]);
    const starts: [string, string, object, number][] = [
      ['POST', `/orchestrations/${id}/jobs`, {}, 201],
      ['POST', '/run', { config: id }, 202],
      ['POST', '//orchestrator//run/', { config: String(id) }, 202],
    ];
    for (const [method, path, body, status] of starts) {
      const headers = { 'user-agent': 'conformance' };
      const sent = { ...body, notificationsEmails: ['kim@tern.example'] };
      const reply = await rig.ask(method, path, { body: sent, headers });
      assert.equal(reply.status, status, reply.text);
      const job = json(reply);
      assert.deepEqual(Object.keys(job), [...SUMMARY, 'tasks']);
      assert.equal(job['status'], 'waiting');
      assert.equal(job['isFinished'], false);
      assert.equal(job['startTime'], null);
      assert.equal(job['results'], null);
      assert.equal(job['initializedBy'], 'manually');
      assert.deepEqual(job['notificationsEmails'], ['kim@tern.example']);
      assert.equal(job['initiatorToken'].userAgent, 'conformance');
      assert.deepEqual(job['token'], token);
      assert.deepEqual(job['tasks'], tasks);
      assert.equal(job['runId'], job['id']);
      const mount = path.startsWith('//orchestrator') ? '/orchestrator' : '';
      assert.equal(job['uri'], `${rig.url}${mount}/jobs/${job['id']}`);
      assert.equal(job['url'], job['uri']);
      assert.equal((await finished(job))['status'], 'success');
    }
  });

  it('refuses what is wrong with it, and makes no job (23, 24)', async () => {
    const { id } = await define([good]);
    const refused = async (body: unknown, status: number, more: object) => {
      const reply = await rig.ask('POST', '/run', { body });
      assert.equal(reply.status, status, reply.text);
      for (const [key, value] of Object.entries(more)) assert.deepEqual(json(reply)[key], value);
    };
    await refused({}, 400, { status: 'error', code: 400 });
    await refused({ config: {} }, 400, {});
    await refused({ config: 999_999 }, 404, { message: 'Orchestration 999999 not found' });
    await refused({ config: id, notificationsEmails: ['nobody'] }, 400, {});
    await refused({ config: id, tasks: [{ ...good, action: 'discover' }] }, 400, {
      status: 'warning',
      error: 'User error',
      code: 'JOB_VALIDATION',
      message: 'Task 1 is different from orchestration task (action)',
      runId: 0,
    });
    await refused({ config: id, tasks: [] }, 400, { code: 'JOB_VALIDATION' });
    await refused({ config: (await define([]))['id'] }, 400, { message: 'Orchestration has no tasks' });
    const list = await rig.ask('GET', `/orchestrations/${id}/jobs`);
    assert.deepEqual([json(list), list.headers['x-total-count']], [[], '0']);
  });

  it('runs the tasks that an override leaves active', async () => {
    const { id } = await define([bad, good]);
    const tasks = [{ ...bad, active: false, phase: 'shown' }, good];
    const job = await finished(json(await rig.ask('POST', '/run', { body: { config: id, tasks } })));
    assert.equal(job['status'], 'success');
    assert.equal(job['tasks'][0].active, false);
    assert.equal(json(await rig.ask('GET', `/orchestrations/${id}`))['tasks'][0].active, true);
  });

  it('by trigger needs an active orchestration (33)', async () => {
    const { id, tasks } = await define([good]);
    const reply = await rig.ask('POST', `/orchestrations/${id}/trigger`, { text: 'no JSON at all' });
    assert.equal(reply.status, 202, reply.text);
    assert.equal(json(reply)['initializedBy'], 'trigger');
    assert.deepEqual(json(reply)['tasks'], tasks);
    await rig.ask('PUT', `/orchestrations/${id}`, { body: { active: false } });
    assert.equal((await rig.ask('POST', `/orchestrations/${id}/trigger`)).status, 409);
    assert.equal((await rig.ask('POST', '/run', { body: { config: id } })).status, 202);
  });

  it('gives one job for one idempotency key', async () => {
    const { id } = await define([good]);
    const headers = { 'x-idempotency-key': 'again' };
    const first = await rig.ask('POST', '/run', { body: { config: id }, headers });
    const second = await rig.ask('POST', '/orchestrator/run', { body: { config: id }, headers });
    assert.deepEqual([second.status, json(second)['id']], [202, json(first)['id']]);
    const other = await rig.ask('POST', '/run', { body: { config: id, notificationsEmails: [] }, headers });
    assert.equal(other.status, 409);
  });

  it('below another run makes a child', async () => {
    const { id } = await define([good]);
    const headers = { 'x-kbc-runid': '4711.12' };
    const job = json(await rig.ask('POST', '/run', { body: { config: id }, headers }));
    assert.equal(job['runId'], `4711.12.${job['id']}`);
    assert.equal(json(await rig.ask('GET', `/queue/job/${job['id']}`))['nestingLevel'], 2);
  });
});

describe('the history of an orchestration', () => {
  it('is paged, newest first, with a count (25)', async () => {
    const { id } = await define([{ ...good, active: false }]);
    const ids: number[] = [];
    for (let n = 0; n < 25; n++) ids.push(json(await rig.ask('POST', '/run', { body: { config: id } }))['id']);
    const path = `/orchestrations/${id}/jobs`;
    const page = await rig.ask('GET', path);
    assert.equal(page.headers['x-total-count'], '25');
    assert.deepEqual(
      json(page).map((job: Json) => job['id']),
      ids.toReversed().slice(0, 20),
    );
    assert.ok(json(page).every((job: Json) => !('tasks' in job) && 'results' in job));
    const rest = await rig.ask('GET', `${path}?limit=10&offset=20`);
    assert.deepEqual(
      json(rest).map((job: Json) => job['id']),
      ids.toReversed().slice(20),
    );
    assert.deepEqual(json(await rig.ask('GET', `${path}?offset=99`)), []);
    for (const query of ['limit=abc', 'limit=0', 'limit=-1', 'offset=x', 'offset=-1']) {
      assert.equal((await rig.ask('GET', `${path}?${query}`)).status, 400, query);
    }
    const last = json(await rig.ask('GET', `/orchestrations/${id}`))['lastExecutedJob'];
    assert.equal(last.id, ids.at(-1));
  });

  it('knows jobs of orchestrations only (26)', async () => {
    const run = json(await rig.ask('POST', '/components/lab.echo/run', { body: {} }));
    assert.equal((await rig.ask('GET', `/jobs/${run['id']}`)).status, 404);
    assert.equal((await rig.ask('GET', '/jobs/abc')).status, 404);
    assert.equal(json(await rig.ask('GET', '/jobs/999999'))['message'], 'Job 999999 not found');
  });
});

describe('the end of a job', () => {
  it('is an error at a failing task, and what is behind it stays without results (28)', async () => {
    const { id } = await define([bad, good]);
    const job = await finished(json(await rig.ask('POST', '/run', { body: { config: id } })));
    assert.equal(job['status'], 'error');
    const [failed, unreached] = job['results'].tasks;
    assert.deepEqual(failed, {
      ...job['tasks'][0],
      status: 'error',
      startTime: failed.startTime,
      endTime: failed.endTime,
      duration: failed.duration,
      runParameters: { message: 'it broke' },
      response: failed.response,
    });
    assert.equal(failed.response.status, 'error');
    assert.equal(failed.response.result.message, 'it broke');
    assert.equal(job['message'], 'it broke');
    assert.equal(failed.response.error, 'user');
    assert.deepEqual(unreached, job['tasks'][1]);
    for (const [position, task] of [failed, unreached].entries()) {
      assert.deepEqual(json(await rig.ask('GET', `/orchestrator/jobs/${job['id']}/tasks/${position}`)), {
        ...task,
        ...(task.response && {
          response: { ...task.response, url: task.response.url.replace('/queue', '/orchestrator/queue') },
        }),
      });
    }
    for (const none of [`${job['id']}/tasks/2`, `${job['id']}/tasks/x`, '999999/tasks/0']) {
      assert.equal((await rig.ask('GET', `/jobs/${none}`)).status, 404);
    }
  });

  it('is a warning when the failure may be (29)', async () => {
    const { id } = await define([{ ...bad, continueOnFailure: true }, good]);
    const job = await finished(json(await rig.ask('POST', '/run', { body: { config: id } })));
    assert.equal(job['status'], 'warning');
    assert.deepEqual(
      job['results'].tasks.map((task: Json) => task['status']),
      ['error', 'success'],
    );
  });

  it('comes after phases whose tasks overlap (31)', async () => {
    const { id } = await define([
      waits('left', { phase: 10 }),
      waits('right', { phase: 10 }),
      good,
      good,
      { ...good, phase: 'test' },
    ]);
    const started = json(await rig.ask('POST', '/run', { body: { config: id } }));
    await Promise.all([holds.begun('left'), holds.begun('right')]);
    holds.release('left');
    holds.release('right');
    const { results } = await finished(started);
    assert.deepEqual(
      results.phases.map((phase: Json[]) => phase.length),
      [2, 1, 1, 1],
    );
    assert.deepEqual(results.phases.flat(), results.tasks);
  });

  it('is asked for by DELETE while it waits, and by kill when it runs (27)', async () => {
    const { id } = await define([waits('killed')]);
    const first = json(await rig.ask('POST', '/run', { body: { config: id } }));
    const second = json(await rig.ask('POST', '/run', { body: { config: id } }));
    await holds.begun('killed');
    const gone = await rig.ask('DELETE', `/jobs/${second['id']}`);
    assert.deepEqual([gone.status, gone.text, gone.headers['content-type']], [204, '', undefined]);
    const cancelled = await finished(second);
    assert.deepEqual([cancelled['status'], cancelled['startTime']], ['cancelled', null]);
    const refused = await rig.ask('DELETE', `/jobs/${first['id']}`);
    assert.equal(refused.status, 409);
    assert.equal(json(refused)['errorCode'], 'STATE_CONFLICT');
    assert.match(json(refused)['message'], new RegExp(`POST /queue/jobs/${first['id']}/kill`));
    const killed = await rig.ask('POST', `/queue/jobs/${first['id']}/kill`);
    assert.equal(killed.status, 202);
    assert.equal(json(killed)['id'], first['id']);
    const ended = await finished(first);
    assert.equal(ended['status'], 'terminated');
    assert.equal(ended['results'].tasks[0].status, 'terminated');
    assert.equal((await rig.ask('POST', `/queue/jobs/${first['id']}/kill`)).status, 409);
    const killer = json(await rig.ask('GET', '/v2/storage/tokens/verify'));
    const child = ended['results'].tasks[0].response;
    for (const told of [json(await rig.ask('GET', `/queue/job/${first['id']}`)), child]) {
      assert.deepEqual(told.terminatedBy, { id: Number(killer['id']), description: killer['description'] });
    }
  });

  it('lets the rest be run again (30)', async () => {
    const { id } = await define([good, bad, good]);
    const old = await finished(json(await rig.ask('POST', '/run', { body: { config: id } })));
    const preview = json(await rig.ask('GET', `/jobs/${old['id']}/retry`));
    const reply = await rig.ask('POST', `/jobs/${old['id']}/retry`);
    assert.deepEqual(json(reply)['tasks'], preview);
    assert.equal(reply.status, 202);
    assert.equal(json(reply)['retryOf'], old['id']);
    assert.deepEqual(
      json(reply)['tasks'].map((task: Json) => task['active']),
      [false, true, true],
    );
    const other = await rig.ask('POST', `/jobs/${old['id']}/retry`, { body: { tasks: [good] } });
    assert.equal(json(other)['code'], 'JOB_VALIDATION');
  });

  it('of a nested job is copied; a warning is a failure (32)', async () => {
    const inner = await define([{ ...bad, continueOnFailure: true }]);
    const { id } = await define([{ component: 'orchestrator', actionParameters: { config: inner['id'] } }]);
    const job = await finished(json(await rig.ask('POST', '/run', { body: { config: id } })));
    assert.equal(job['status'], 'error');
    const [task] = job['results'].tasks;
    assert.equal(task.status, 'warning');
    assert.equal(task.response.orchestrationId, inner['id']);
    assert.equal(task.response.runId, `${job['id']}.${task.response.id}`);
    assert.equal(task.response.isFinished, true);
  });

  it('ends the stream of its events', async () => {
    const { id } = await define([good]);
    const started = json(await rig.ask('POST', '/run', { body: { config: id } }));
    const stream = await rig.ask('GET', `/jobs/${started['id']}/events`, { headers: { accept: 'text/event-stream' } });
    assert.equal(stream.headers['content-type'], 'text/event-stream');
    assert.equal(stream.headers['access-control-allow-origin'], '*');
    assert.match(stream.text, /event: end\ndata: \{\}\n\n$/);
    const list = json(await rig.ask('GET', `/jobs/${started['id']}/events?limit=2`));
    assert.equal(list.length, 2);
    assert.deepEqual(Object.keys(list[0]), ['id', 'created', 'type', 'message', 'runId']);
    const next = json(await rig.ask('GET', `/jobs/${started['id']}/events?after=${list[1].id}`));
    assert.ok(next.length > 0 && next[0].id !== list[1].id);
    assert.equal((await rig.ask('GET', `/jobs/${started['id']}/events?after=x`)).status, 400);
  });
});

describe('components', () => {
  it('are listed with their schemas', async () => {
    const list: Json[] = json(await rig.ask('GET', '/components')) as never;
    const one = list.find((component) => component['id'] === 'lab.hold')!;
    assert.deepEqual(Object.keys(one), ['id', 'name', 'enabled', 'uri', 'description', 'schema']);
    assert.equal(one['uri'], `${rig.url}/components/lab.hold`);
    assert.ok(list.some((component) => component['id'] === 'orchestrator'));
  });

  it('are run as by other servers of components', async () => {
    const body = { configData: { parameters: { a: 1, '#key': 'very hidden' } } };
    const reply = await rig.ask('POST', '/docker/lab.echo/run/tag/2.1', { body });
    assert.equal(reply.status, 202, reply.text);
    const made = json(reply);
    assert.equal(made['url'], `${rig.url}/queue/job/${made['id']}`);
    assert.deepEqual([made['status'], made['isFinished'], made['result']], ['waiting', false, null]);
    const run = await finished(made, `/queue/job/${made['id']}`);
    assert.equal(run['status'], 'success');
    assert.deepEqual(run['params'], { a: 1, '#key': '********' });
    assert.deepEqual(run['result'], { echoed: { a: 1, '#key': '********' } });
    assert.deepEqual(run['project'], { id: 1, name: 'Penstock' });
    assert.equal(run['error'], null);
    const told = await rig.ask('GET', `/queue/job/${made['id']}/events`);
    assert.deepEqual([told.status, json(told)[0].runId], [200, made['id']]);
    assert.match(told.text, /echoes/);
    assert.doesNotMatch(told.text, /very hidden/);
    assert.equal((await rig.ask('GET', `/jobs/${made['id']}/events`)).status, 404);
    assert.equal((await rig.ask('GET', '/queue/job/999999/events')).status, 404);
  });

  it('are refused with the status of the place', async () => {
    const status = async (path: string, body: object) => {
      const reply = await rig.ask('POST', path, { body });
      return [reply.status, json(reply)['message']];
    };
    assert.deepEqual(await status('/docker/none/run', { config: 1 }), [400, "Component 'none' not found"]);
    assert.deepEqual(await status('/components/none/run', {}), [404, "Component 'none' not found"]);
    assert.deepEqual(await status('/docker/run', {}), [400, 'Specify the component: /docker/{component}/run']);
    assert.deepEqual(await status('/docker/lab.echo/run', {}), [400, "Specify 'config' or 'configData'."]);
    assert.deepEqual(await status('/components/lab.fail/run', { x: 1 }), [
      400,
      "Parameter 'x' is not allowed. Allowed params are kind, message",
    ]);
  });

  it('that fail by a defect tell only where to look', async () => {
    const made = json(await rig.ask('POST', '/components/lab.fail/run', { body: {} }));
    const run = await finished(made, `/queue/job/${made['id']}`);
    assert.deepEqual([run['status'], run['error']], ['error', 'application']);
    assert.match(run['result'].exceptionId, /^penstock-[0-9a-f]{32}$/);
    assert.ok(!JSON.stringify(run).includes('a defect'));
  });

  it('appear in the queue, found by q', async () => {
    const made = json(await rig.ask('POST', '/components/lab.echo/run', { body: { a: 5 } }));
    await finished(made, `/queue/job/${made['id']}`);
    const reply = await rig.ask('GET', `/queue/jobs?q=${encodeURIComponent(`component:lab.echo runId:${made['id']}`)}`);
    assert.deepEqual([json(reply).length, reply.headers['x-total-count']], [1, '1']);
    const other = await rig.ask(
      'GET',
      `/queue/jobs?q=${encodeURIComponent('status:ok -component:orchestrator')}&limit=3`,
    );
    assert.ok(json(other).every((run: Json) => run['status'] === 'success' && run['component'] !== 'orchestrator'));
    assert.equal((await rig.ask('GET', '/queue/jobs?q=nonsense')).status, 400);
  });
});
