import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { jobKey } from '../../../src/sync/index.ts';
import { ADMIN, startRig, type Rig } from './rig.ts';
import { send, signIn, untar, type Reply } from './wire.ts';

const WAIT_MS = 30_000;
let rig: Rig;
let headers: Record<string, string>;

before(async () => {
  rig = await startRig();
  headers = await signIn(rig.url, ADMIN);
});

after(() => rig?.close());

const P = '/api/v1/project/wire';
const source = { name: 'shop_db', type: 'postgres', version: 'v1', config: { host: 'h', password: 'hunter2' } };
const lake = { name: 'lake', type: 'parquet', version: 'v1', config: {} };

function jobOf(name: string, stream: string) {
  const streams_config = {
    selected_streams: { public: [{ stream_name: stream }] },
    streams: [{ stream: { name: stream, namespace: 'public' } }],
  };
  return {
    name,
    source,
    destination: lake,
    frequency: 'manual',
    streams_config,
    advanced_settings: { retry_count: 0 },
  };
}

function call(method: string, path: string, body?: unknown): Promise<Reply> {
  return send(rig.url, { method, path, headers, ...(body !== undefined && { text: JSON.stringify(body) }) });
}

function dataOf<T>(reply: Reply): T {
  assert.equal(reply.status, 200, reply.text);
  return (reply.body as { data: T }).data;
}

async function createJob(name: string, stream: string): Promise<number> {
  return dataOf<{ id: number }>(await call('POST', `${P}/jobs`, jobOf(name, stream))).id;
}

interface Task {
  readonly id: string;
  readonly status: string;
  readonly trigger: string;
}

async function waitForRun(job: number): Promise<Task> {
  for (const until = Date.now() + WAIT_MS; ;) {
    const [task] = dataOf<Task[]>(await call('GET', `${P}/jobs/${job}/tasks`));
    if (task && task.status !== 'Running') return task;
    assert.ok(Date.now() < until, 'the run ends');
    await delay(50);
  }
}

describe('over the wire', () => {
  it('a GET carries a body, announced or chunked, and with any or no content type', async () => {
    const { cookie } = headers as { cookie: string };
    const text = JSON.stringify({ type: 'postgres', version: 'v9' });
    for (const chunked of [false, true]) {
      for (const type of ['application/json', 'text/plain', undefined]) {
        const sent = { cookie, ...(type && { 'content-type': type }) };
        const reply = await send(rig.url, { method: 'GET', path: `${P}/sources/spec`, headers: sent, text, chunked });
        assert.equal(dataOf<{ version: string }>(reply).version, 'v9');
      }
    }
    const ask = JSON.stringify({ type: 'postgres', config: { host: 'h' } });
    const streams = await send(rig.url, {
      method: 'GET',
      path: `${P}/source/streams`,
      headers,
      text: ask,
      chunked: true,
    });
    assert.ok(dataOf<{ streams_config: unknown }>(streams).streams_config);
  });

  it('a GET without a body but with a content type is a plain GET', async () => {
    assert.equal((await call('GET', `${P}/jobs`)).status, 200);
    const spec = await call('GET', `${P}/sources/spec?type=postgres`);
    assert.equal(dataOf<{ type: string }>(spec).type, 'postgres');
  });

  it('a preflight from a listed origin is allowed, from another it is not', async () => {
    const ask = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
    const path = `${P}/sources`;
    const listed = await send(rig.url, {
      method: 'OPTIONS',
      path,
      headers: { ...ask, origin: 'http://localhost:8000' },
    });
    assert.ok([200, 204].includes(listed.status));
    assert.equal(listed.headers['access-control-allow-origin'], 'http://localhost:8000');
    assert.equal(listed.headers['access-control-allow-credentials'], 'true');
    assert.match(String(listed.headers['access-control-allow-methods']), /GET, POST, PUT,.* DELETE, OPTIONS/);
    assert.match(String(listed.headers['access-control-allow-headers']), /Origin, Content-Type, Accept, Authorization/);
    assert.equal(listed.headers['access-control-max-age'], '86400');
    const other = await send(rig.url, { method: 'OPTIONS', path, headers: { ...ask, origin: 'http://evil.example' } });
    assert.equal(other.headers['access-control-allow-origin'], undefined);
  });

  it('errors carry the headers for listed origins too', async () => {
    const origin = 'http://localhost:8000';
    for (const path of ['/auth', '/api/v1/nope']) {
      const reply = await send(rig.url, { method: 'GET', path, headers: { origin } });
      assert.ok(reply.status >= 400);
      assert.equal(reply.headers['access-control-allow-origin'], origin);
    }
  });

  it('HEAD and unsupported methods are answered, never a defect', async () => {
    for (const method of ['HEAD', 'PATCH', 'OPTIONS']) {
      const reply = await send(rig.url, { method, path: `${P}/jobs`, headers });
      assert.ok(reply.status < 500, `${method} ${reply.status}`);
    }
  });

  it('raw quotes in the path reach the filter', async () => {
    const { hostname, port } = new URL(rig.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `GET ${P}/jobs/dest_id="99" HTTP/1.1\r\nhost: x\r\ncookie: ${headers['cookie']}\r\nconnection: close\r\n\r\n`,
        );
      });
      let text = '';
      socket.on('data', (piece) => (text += piece.toString()));
      socket.on('end', () => resolve(text)).on('error', reject);
    });
    assert.match(answer, /^HTTP\/1\.1 200/);
    assert.match(answer, /"data":\[\]/);
  });

  it('signing out ends the session and its token', async () => {
    const text = JSON.stringify(ADMIN);
    const login = await send(rig.url, {
      method: 'POST',
      path: '/login',
      headers: { 'content-type': 'text/plain' },
      text,
    });
    const { token } = dataOf<{ token: string }>(login);
    const cookie = String(login.headers['set-cookie']).split(';')[0]!;
    const byToken = { authorization: `Bearer ${token}` };
    assert.equal((await send(rig.url, { method: 'GET', path: '/auth', headers: byToken })).status, 200);
    const logout = await send(rig.url, { method: 'POST', path: '/logout', headers: { cookie } });
    assert.equal(logout.status, 200);
    assert.equal((await send(rig.url, { method: 'GET', path: '/auth', headers: { cookie } })).status, 401);
    assert.equal((await send(rig.url, { method: 'GET', path: '/auth', headers: byToken })).status, 401);
  });

  it('signing out with the token alone ends the session too', async () => {
    const text = JSON.stringify(ADMIN);
    const login = await send(rig.url, { method: 'POST', path: '/login', headers: {}, text });
    const { token } = dataOf<{ token: string }>(login);
    const cookie = String(login.headers['set-cookie']).split(';')[0]!;
    const byToken = { authorization: `Bearer ${token}` };
    assert.equal((await send(rig.url, { method: 'POST', path: '/logout', headers: byToken })).status, 200);
    for (const shown of [byToken, { cookie }]) {
      assert.equal((await send(rig.url, { method: 'GET', path: '/auth', headers: shown })).status, 401);
    }
  });
});

describe('what is kept', () => {
  it('of equal names sent at once, one is created and the others conflict', async () => {
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => call('POST', `${P}/destinations`, { ...lake, name: 'contested' })),
    );
    const statuses = replies.map((reply) => reply.status).toSorted();
    assert.deepEqual(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
  });

  it('jobs created at once with the same new source share it', async () => {
    const project = '/api/v1/project/shared';
    const replies = await Promise.all(
      Array.from({ length: 6 }, (_, index) => call('POST', `${project}/jobs`, jobOf(`job ${index}`, 'orders'))),
    );
    for (const reply of replies) dataOf(reply);
    const sources = dataOf<{ jobs: unknown[] }[]>(await call('GET', `${project}/sources`));
    assert.deepEqual(
      sources.map((one) => one.jobs.length),
      [6],
    );
  });

  it('numbers of a state beyond 2^53 survive', async () => {
    const id = await createJob('exact', 'orders');
    const state =
      '{"type":"STREAM","version":7,"streams":[{"stream":"orders","namespace":"public","sync_mode":"","state":{"id":9223372036854775807,"f":1.10,"t":"12345678901234567890"}}]}';
    await send(rig.url, { method: 'PUT', path: `${P}/jobs/${id}/state`, headers, text: `{"state":${state}}` });
    assert.match(
      (await call('GET', `${P}/jobs/${id}/state`)).text,
      /"id":9223372036854775807,"f":1\.10?,"t":"12345678901234567890"/,
    );
  });

  it('numbers of streams beyond 2^53 survive in both forms, and reach the run', async () => {
    const big = '9223372036854775807';
    const body = JSON.stringify(jobOf('exact streams', 'orders')).replace(
      '"stream_name":"orders"',
      `"stream_name":"orders","filter_config":{"logical_operator":"and","conditions":[{"column":"id","operator":"<","value":${big}}]}`,
    );
    const made = await send(rig.url, { method: 'POST', path: `${P}/jobs`, headers, text: body });
    const { id } = dataOf<{ id: number }>(made);
    assert.match(made.text, new RegExp(`"value":${big}[},]`));
    for (const form of ['object', 'string']) {
      const { text } = await call('GET', `${P}/jobs/${id}?form=${form}`);
      assert.match(text.replaceAll('\\', ''), new RegExp(`"value":${big}[},]`), form);
    }
    await call('POST', `${P}/jobs/${id}/sync`);
    const run = await waitForRun(id);
    const { rows } = await rig.store.pool.query<{ value: string }>(
      `select snapshot #>> '{catalog,selected_streams,public,0,filter_config,conditions,0}' as value from run where id = $1`,
      [run.id],
    );
    assert.match(rows[0]!.value, new RegExp(`"value": ?"${big}"`));
  });

  it('no secret is stored or shown in clear', async () => {
    const { rows } = await rig.store.pool.query<{ row: string }>('select c::text as row from connection c');
    assert.ok(rows.length > 0);
    for (const { row } of rows) assert.doesNotMatch(row, /hunter2/);
    for (const list of ['sources', 'destinations', 'jobs']) {
      assert.doesNotMatch((await call('GET', `${P}/${list}`)).text, /hunter2/);
    }
  });

  it('every write leaves an audit row with its request', async () => {
    const { rows } = await rig.store.pool.query<{ row: string }>('select a::text as row from audit a');
    for (const action of ['create source', 'create destination', 'create job', 'put state of job']) {
      assert.ok(
        rows.some(({ row }) => row.includes(action)),
        action,
      );
    }
  });

  it('a large catalog goes in and out', async () => {
    const names = Array.from({ length: 3000 }, (_, index) => `table_${index}`);
    const body = {
      ...jobOf('large', 'x'),
      streams_config: {
        selected_streams: { public: names.map((stream_name) => ({ stream_name })) },
        streams: names.map((name) => ({ stream: { name, namespace: 'public', destination_table: name } })),
      },
    };
    const { id } = dataOf<{ id: number }>(await call('POST', `${P}/jobs`, body));
    const job = dataOf<{ streams_config: unknown }>(await call('GET', `${P}/jobs/${id}`));
    assert.deepEqual(job.streams_config, body.streams_config);
  });
});

describe('runs', () => {
  it('the download is a tar of log, state and statistics', async () => {
    const job = await createJob('packed', 'orders');
    await call('POST', `${P}/jobs/${job}/sync`);
    const run = await waitForRun(job);
    const reply = await call('GET', `${P}/jobs/${job}/logs/download?task_id=${run.id}`);
    const files = untar(gunzipSync(reply.bytes));
    assert.deepEqual([...files.keys()], ['logs/olake.log', 'state.json', 'stats.json']);
    assert.match(files.get('logs/olake.log')!, /"message":"chunk 5"/);
    assert.equal(JSON.parse(files.get('stats.json')!)['Synced Records'], 12);
    assert.deepEqual(Object.keys(JSON.parse(files.get('stats.json')!)), [
      'Writer Threads',
      'Synced Records',
      'Bytes Read',
      'Speed',
      'Seconds Elapsed',
      'Estimated Remaining Time',
      'Memory Usage Bytes',
      'CPU Utilization',
      'Streams',
      'Reconciliation',
    ]);
    assert.deepEqual(JSON.parse(files.get('state.json')!), {});
  });

  it('a failed run alerts once, without secrets; others do not alert', async () => {
    const url = 'https://hooks.example/alert';
    await call('PUT', `${P}/settings`, { project_id: 'wire', webhook_alert_url: url });
    const good = await createJob('good', 'orders');
    const bad = await createJob('bad', 'broken');
    for (const job of [good, bad]) {
      await call('POST', `${P}/jobs/${job}/sync`);
      await waitForRun(job);
    }
    const until = Date.now() + WAIT_MS;
    while (rig.webhooks.length === 0 && Date.now() < until) await delay(50);
    assert.equal(rig.webhooks.length, 1);
    const { url: target, body } = rig.webhooks[0]!.payload as { url: string; body: { text: string } };
    assert.equal(target, url);
    assert.match(body.text, /bad.*password authentication failed for user reader/s);
  });

  it('a due schedule starts one run; an inactive job none', async () => {
    const job = await createJob('planned', 'orders');
    await call('PUT', `${P}/jobs/${job}`, { ...jobOf('planned', 'orders'), frequency: '1-hours' });
    await rig.store.pool.query(`update schedule set next_fire_at = now() - interval '1 second' where key = $1`, [
      jobKey(job),
    ]);
    await rig.scheduler.tick();
    await rig.scheduler.tick();
    const run = await waitForRun(job);
    assert.deepEqual([run.status, run.trigger], ['Completed', 'schedule']);
    assert.equal(dataOf<Task[]>(await call('GET', `${P}/jobs/${job}/tasks`)).length, 1);
    await call('POST', `${P}/jobs/${job}/activate`, { activate: false });
    assert.equal(await rig.scheduler.get(jobKey(job)), undefined);
    await call('POST', `${P}/jobs/${job}/activate`, { activate: true });
    assert.ok((await rig.scheduler.get(jobKey(job)))?.nextFireAt);
    await call('DELETE', `${P}/jobs/${job}`);
    assert.equal(await rig.scheduler.get(jobKey(job)), undefined);
  });
});

describe('a job that is changed while its schedule fires', () => {
  it('is neither lost nor stuck', async () => {
    const job = await createJob('busy', 'orders');
    const due = `update schedule set next_fire_at = now() - interval '1 second' where key = $1`;
    for (let round = 0; round < 10; round++) {
      const body = { ...jobOf('busy', 'orders'), frequency: `${round + 1}-hours` };
      await rig.store.pool.query(due, [jobKey(job)]);
      const [put, sync] = await Promise.all([
        call('PUT', `${P}/jobs/${job}`, body),
        call('POST', `${P}/jobs/${job}/sync`),
        rig.scheduler.tick(),
        rig.scheduler.tick(),
      ]);
      assert.deepEqual([put.status, sync.status], [200, 200], `${put.text} ${sync.text}`);
    }
    assert.equal((await waitForRun(job)).status, 'Completed');
    assert.equal(dataOf<{ frequency: string }>(await call('GET', `${P}/jobs/${job}`)).frequency, '10-hours');
  });
});
