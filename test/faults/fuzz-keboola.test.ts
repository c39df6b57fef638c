import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { startRig, type Rig } from '../conformance/keboola/rig.ts';
import type { Reply } from '../conformance/olake/wire.ts';
import { HOSTILE_TEXTS, HOSTILE_VALUES, placesOf, RAW_BODIES, withValue } from './support/hostile.ts';
import { describe, fireAll, judgeAny, type Shot } from './support/volleys.ts';

let rig: Rig;
const ids: Record<string, number> = {};

before(async () => {
  rig = await startRig({ works: false });
  const made = await rig.ask('POST', '/orchestrations', { body: orchestration });
  assert.equal(made.status, 201, made.text);
  ids['orchestration'] = (made.body as { id: number }).id;
  const run = await rig.ask('POST', '/run', { body: { config: ids['orchestration'] } });
  assert.equal(run.status, 202, run.text);
  ids['job'] = (run.body as { id: number }).id;
  ids['token'] = (await rig.newToken()).token.id;
});
after(() => rig?.close());

const task = {
  component: 'http.call',
  action: 'run',
  actionParameters: { url: 'https://tern.example', '#token': 'hunter2' },
  continueOnFailure: false,
  timeoutMinutes: 10,
  active: true,
  phase: 'a',
};
const orchestration = {
  name: 'Nightly',
  crontabRecord: '15 2 * * *',
  active: true,
  notifications: [{ email: 'ops@tern.example', channel: 'waiting', parameters: { timeout: 5 } }],
  tasks: [task, { componentUrl: 'https://hooks.tern.example/x', actionParameters: {}, active: false }],
};
const override = { notificationsEmails: ['kim@tern.example'], tasks: orchestration.tasks };
const token = {
  description: 'x',
  canManageBuckets: true,
  bucketPermissions: { 'in.c-main': 'read' },
  componentAccess: ['http.call'],
  expiresIn: 60,
};

/** Requests that go deep before something in them is wrong; `:name` stands for an id. */
const ROUTES: readonly { readonly send: string; readonly body?: object }[] = [
  { send: 'GET /orchestrations' },
  { send: 'POST /orchestrations', body: orchestration },
  { send: 'GET /orchestrations/:orchestration' },
  { send: 'PUT /orchestrations/:orchestration', body: { ...orchestration, tokenId: 1 } },
  { send: 'PUT /orchestrations/:orchestration/tasks', body: orchestration.tasks },
  { send: 'PUT /orchestrations/:orchestration/notifications', body: orchestration.notifications },
  { send: 'POST /orchestrations/:orchestration/create-token', body: {} },
  { send: 'GET /orchestrations/:orchestration/jobs' },
  { send: 'POST /orchestrations/:orchestration/jobs', body: override },
  { send: 'POST /orchestrations/:orchestration/trigger', body: {} },
  { send: 'POST /run', body: { config: 1, ...override } },
  { send: 'GET /jobs/:job' },
  { send: 'GET /jobs/:job/events' },
  { send: 'POST /jobs/:job/retry', body: override },
  { send: 'GET /queue/job/:job' },
  { send: 'GET /queue/jobs' },
  { send: 'GET /components' },
  { send: 'POST /components/http.call/run', body: { url: 'https://tern.example' } },
  { send: 'POST /docker/http.call/run', body: { configData: { parameters: { url: 'https://tern.example' } } } },
  { send: 'POST /docker/http.call/run/tag/1', body: { config: 'x' } },
  { send: 'GET /v2/storage' },
  { send: 'GET /v2/storage/tokens' },
  { send: 'GET /v2/storage/tokens/:token' },
  { send: 'POST /v2/storage/tokens', body: token },
  { send: 'PUT /v2/storage/tokens/:token', body: token },
];
const QUERIES = ['limit', 'offset', 'q', 'after', '__proto__'];
const HEADERS = ['x-kbc-runid', 'x-idempotency-key', 'user-agent', 'if-match', 'x-storageapi-token', 'content-type'];

function* shotsAt({ send, body }: (typeof ROUTES)[number]): Generator<Shot> {
  const [method = '', pattern = ''] = send.split(' ');
  const path = pattern.replace(/:(\w+)/, (_all, name: string) => String(ids[name]));
  const text = body && JSON.stringify(body);
  if (body) {
    for (const raw of RAW_BODIES) yield { method, path, text: raw };
    for (const place of placesOf(body)) {
      for (const value of HOSTILE_VALUES) yield { method, path, text: JSON.stringify(withValue(body, place, value)) };
    }
  }
  for (const hostile of HOSTILE_TEXTS) {
    const word = encodeURIComponent(hostile.toWellFormed()).slice(0, 3000);
    for (const part of path.split('/').slice(2)) yield { method, path: path.replace(`/${part}`, `/${word}`), text };
    if (method === 'GET') for (const name of QUERIES) yield { method, path: `${path}?${name}=${word}` };
    // Only what may stand in a header at all reaches the server.
    const line = hostile.slice(0, 2000).replaceAll(/[^\t\u0020-\u007e\u0080-\u00ff]/g, '?');
    for (const name of HEADERS) yield { method, path, text, headers: { [name]: line } };
    if (path.startsWith('/v2') && body) {
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      yield { method, path, text: `description=x&${word}&bucketPermissions[${word}]=${word}`, headers: form };
    }
  }
}

const ERROR_KEYS = ['status', 'error', 'code', 'message', 'exceptionId', 'runId'];
const STORAGE_KEYS = ['error', 'code', 'exceptionId'];

function judge(shot: Shot, reply: Reply): void {
  judgeAny(shot, reply);
  const where = describe(shot);
  const { path, text } = shot;
  assert.ok(!reply.text.includes('hunter2') || text?.includes('hunter2') !== true || reply.status >= 400, where);
  assert.equal(reply.headers['access-control-allow-credentials'], undefined, where);
  if (reply.status < 400 || reply.status === 431) return;
  const keys = /^\/+v2/.test(path) ? STORAGE_KEYS : ERROR_KEYS;
  const body = reply.body as Record<string, unknown>;
  for (const key of keys) assert.ok(Object.hasOwn(body, key), `${key} of ${reply.text.slice(0, 300)}\n${where}`);
  assert.match(String(body['exceptionId']), /^penstock-[0-9a-f]{32}$/, where);
}

/** What a refused call must leave as it was. */
async function fingerprint(): Promise<string> {
  const { rows } = await rig.store.pool.query<{ all: string }>(`select json_build_array(
    (select json_agg(o order by id) from orchestration o), (select json_agg(t order by id) from storage_token t),
    (select count(*) from run), (select count(*) from orchestration_job), (select count(*) from audit))::text as all`);
  return rows[0]!.all;
}

it('no hostile input is answered by 5xx, and what is refused changes nothing', async (test) => {
  await fireAll(test, {
    shots: ROUTES.flatMap((route) => [...shotsAt(route)]),
    longestMs: 12_000,
    singly: 200,
    least: 400,
    send: ({ method, path, ...asking }) => rig.ask(method, path, asking),
    judge,
    fingerprint,
  });
  assert.equal((await rig.ask('GET', '/health')).status, 200);
});
