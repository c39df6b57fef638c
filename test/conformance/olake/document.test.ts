import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { ADMIN, startRig, type Rig } from './rig.ts';
import { knownRoutes } from './routes.ts';
import { send, signIn } from './wire.ts';

const WAIT_MS = 30_000;
const VERBS = ['get', 'put', 'post', 'delete'];

type Json = Readonly<Record<string, unknown>>;
interface Response {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Json }>>;
}
interface Operation {
  readonly summary?: string;
  readonly operationId?: string;
  readonly responses: Readonly<Record<string, Response>>;
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const document = JSON.parse(
  await readFile(new URL('../../../openapi/olake.json', import.meta.url), 'utf8'),
) as Document;

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([verb, operation]) => ({ path, verb, operation })),
);

function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = (value as { $ref?: unknown }).$ref;
  return [...(typeof own === 'string' ? [own] : []), ...Object.values(value).flatMap(refsIn)];
}

function resolve(pointer: string): unknown {
  const keys = pointer.slice(2).split('/');
  return keys.reduce<unknown>(
    (at, key) => (at as Json | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')],
    document,
  );
}

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1: every operation has a summary, statuses with descriptions, and every reference resolves', () => {
    assert.match(document.openapi, /^3\.1\.\d+$/);
    assert.ok(document.info.title && document.info.version);
    assert.ok(operations.length > 50);
    for (const { path, verb, operation } of operations) {
      assert.ok(path.startsWith('/') && VERBS.includes(verb), `${verb} ${path}`);
      assert.ok(operation.operationId ?? operation.summary, `${verb} ${path} says what it does`);
      for (const [status, response] of Object.entries(operation.responses)) {
        assert.match(status, /^[2-5]\d\d$/);
        assert.ok(response.description, `${verb} ${path} describes ${status}`);
      }
    }
    const refs = refsIn(document);
    assert.ok(refs.length > 0);
    for (const ref of refs) assert.ok(ref.startsWith('#/') && resolve(ref) !== undefined, ref);
  });

  it('says the shape of the data of every answer', () => {
    for (const { path, verb, operation } of operations) {
      const content = operation.responses['200']?.content ?? {};
      if (content['application/gzip']) continue;
      const { properties } = content['application/json']!.schema as { properties: Record<string, Json> };
      assert.ok(Object.keys(properties['data']!).length > 0, `${verb} ${path}`);
    }
  });

  it('holds every route of the contract', () => {
    for (const { method, path } of knownRoutes) {
      const template = path
        .replace(/\?.*/, '')
        .replace(':p', '{projectid}')
        .replace(':id', '{id}')
        .replace('/1/', '/{taskid}/');
      assert.ok(document.paths[template]?.[method.toLowerCase()], `${method} ${template}`);
    }
  });
});

const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
(formats as unknown as (to: Ajv2020) => void)(ajv);
ajv.addSchema(document, 'document');

const escape = (key: string) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));

let rig: Rig;
let headers: Record<string, string>;

before(async () => {
  rig = await startRig();
  headers = await signIn(rig.url, ADMIN);
});

after(() => rig?.close());

interface Ask {
  readonly status?: number;
  readonly body?: unknown;
  /** For the placeholders of the path. */
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls an operation of the document, holds the answer against what it says of this status, and answers the data. */
async function call<T>(operation: string, ask: Ask = {}): Promise<T> {
  const [method = '', template = ''] = operation.replace('P/', '/api/v1/project/{projectid}/').split(' ');
  const params: Ask['params'] = { projectid: 'document', ...ask.params };
  const path = template.replaceAll(/\{(\w+)\}/g, (_match, key: string) => String(params[key]));
  const text = ask.body === undefined ? {} : { text: JSON.stringify(ask.body) };
  const reply = await send(rig.url, {
    method,
    path: path + (ask.query ?? ''),
    headers: ask.headers ?? headers,
    ...text,
  });
  assert.equal(reply.status, ask.status ?? 200, `${operation}: ${reply.text}`);
  const steps = ['paths', template, method.toLowerCase(), 'responses', String(reply.status)];
  const pointer = [...steps, 'content', 'application/json', 'schema'].map(escape).join('/');
  const validate = ajv.compile({ $ref: `document#/${pointer}` });
  assert.ok(validate(reply.body), `${operation} ${reply.status}: ${ajv.errorsText(validate.errors)} in ${reply.text}`);
  return (reply.body as { data: T }).data;
}

const source = { name: 'shop_db', type: 'postgres', version: 'v1', config: { host: 'h', password: 'hunter2' } };
const lake = { name: 'lake', type: 'parquet', version: 'v1', config: '{"type":"PARQUET"}' };

function jobOf(name: string, stream: string) {
  const streams_config = {
    selected_streams: { public: [{ stream_name: stream, normalization: true }] },
    streams: [{ stream: { name: stream, namespace: 'public' } }],
  };
  const advanced_settings = { retry_count: 0 };
  return { name, source, destination: lake, frequency: 'manual', streams_config, advanced_settings };
}

interface Task {
  readonly id: string;
  readonly status: string;
}

async function runToEnd(id: number): Promise<Task> {
  await call('POST P/jobs/{id}/sync', { params: { id } });
  for (const until = Date.now() + WAIT_MS; ;) {
    const [task] = await call<Task[]>('GET P/jobs/{id}/tasks', { params: { id } });
    if (task!.status !== 'Running') return task!;
    assert.ok(Date.now() < until, 'the run ends');
    await delay(50);
  }
}

describe('answers are as the document says', () => {
  it('of sessions, users and the platform', async () => {
    await call('POST /login', { body: ADMIN, headers: { 'content-type': 'application/json' } });
    await call('POST /login', { body: { ...ADMIN, password: 'no' }, status: 401, headers: {} });
    const guest = { username: 'guest', email: 'guest@example.com', password: 'p' };
    await call('POST /signup', { body: guest });
    await call('POST /signup', { body: guest, status: 409 });
    await call('POST /login', { body: {}, status: 400 });
    await call('GET /auth');
    await call('GET /telemetry-id', { headers: {} });
    const body = { username: 'viewer', email: 'viewer@example.com', password: 'p', role: 'viewer' };
    const { id } = await call<{ id: number }>('POST /api/v1/users', { body });
    await call('GET /api/v1/users');
    await call('GET /api/v1/users', { status: 403, headers: await signIn(rig.url, body) });
    await call('PUT /api/v1/users/{id}', { params: { id }, body: { role: 'member' } });
    await call('DELETE /api/v1/users/{id}', { params: { id } });
    await call('DELETE /api/v1/users/{id}', { params: { id }, status: 404 });
    await call('GET /api/v1/platform/releases');
    await call('GET /api/v1/platform/opt/status');
    await call('POST /logout', { headers: {} });
  });

  it('of sources and destinations, their forms and tries', async () => {
    const body = { ...source, name: 'kept', extra: { any: 1 } };
    const made = await call<{ id: number; extra: unknown }>('POST P/sources', { body });
    assert.deepEqual(made.extra, { any: 1 }, 'the shapes of the document hide nothing');
    const { id } = made;
    await call('POST P/sources', { body, status: 409 });
    await call('POST P/sources', { body: { ...body, type: 'foo' }, status: 400 });
    await call('GET P/sources');
    await call('GET P/sources', { status: 401, headers: {} });
    await call('GET P/sources/{id}', { params: { id } });
    await call('GET P/sources/{id}', { params: { id }, query: '?form=string' });
    await call('GET P/sources/{id}', { params: { id: 99_999_999 }, status: 404 });
    await call('PUT P/sources/{id}', { params: { id }, body });
    await call('DELETE P/sources/{id}', { params: { id } });
    await call('POST P/destinations', { body: { ...lake, name: 'kept' } });
    await call('GET P/destinations');
    await call('POST P/sources/spec', { body: { type: 'postgres' } });
    await call('GET P/destinations/spec', { query: '?type=iceberg' });
    await call('GET P/sources/versions', { query: '?type=postgres' });
    for (const port of [1, 5432]) {
      const config = { host: '127.0.0.1', port };
      await call('POST P/sources/test', { body: { type: 'postgres', config } });
      const status = port === 1 ? 400 : 200;
      await call('POST P/sources/streams', { body: { type: 'postgres', config }, status });
    }
  });

  it('of jobs, their tasks, logs and state, after runs that succeed and that fail', async () => {
    const made = await call<{ id: number }>('POST P/jobs', { body: jobOf('orders_to_lake', 'orders') });
    const params = { id: made.id };
    await call('GET P/jobs');
    const task = await runToEnd(made.id);
    assert.equal(task.status, 'Completed');
    const failing = await call<{ id: number }>('POST P/jobs', { body: jobOf('fails', 'broken') });
    assert.equal((await runToEnd(failing.id)).status, 'Failed');
    await call('POST P/jobs', { body: jobOf('fails', 'broken'), status: 409 });
    await call('GET P/jobs/{id}', { params });
    await call('GET P/jobs/{id}', { params: { id: 'abc' }, status: 400 });
    assert.ok(Array.isArray(await call('GET P/jobs/{id}', { params: { id: 'dest_id="1"' } })));
    await call('GET P/sources');
    await call('GET P/destinations');
    const logs = { params: { ...params, taskid: task.id } };
    assert.ok((await call<{ logs: unknown[] }>('GET P/jobs/{id}/task/{taskid}/logs', logs)).logs.length > 0);
    await call('GET P/jobs/{id}/task/{taskid}/logs', { params: { ...params, taskid: 'none' }, status: 404 });
    const streams = jobOf('x', 'other').streams_config;
    await call('POST P/jobs/{id}/stream-difference', { params, body: { updated_streams_config: streams } });
    await call('GET P/jobs/{id}/state', { params });
    const state = {
      type: 'STREAM',
      version: 7,
      streams: [{ stream: 'orders', namespace: 'public', state: { id: 7 } }],
    };
    await call('PUT P/jobs/{id}/state', { params, body: { state } });
    await call('GET P/jobs/{id}/state', { params });
    await call('PUT P/jobs/{id}', { params, body: { ...jobOf('orders_to_lake', 'orders'), advanced_settings: null } });
    await call('POST P/jobs/{id}/activate', { params, body: { activate: false } });
    await call('POST P/jobs/{id}/cancel', { params });
    await call('GET P/jobs/{id}/clear-destination', { params });
    await call('DELETE P/jobs/{id}', { params });
  });

  it('of names and settings of a project', async () => {
    await call('POST P/check-unique', { body: { name: 'free', entity_type: 'job' } });
    await call('POST P/sources', { body: { ...source, name: 'taken' } });
    await call('POST P/check-unique', { body: { name: 'taken', entity_type: 'source' }, status: 409 });
    await call('POST P/check-unique', { body: { name: 'free', entity_type: 'x' }, status: 400 });
    await call('GET P/settings');
    const body = { project_id: 'document', webhook_alert_url: 'https://alerts.example.com/1' };
    await call('PUT P/settings', { body });
    await call('GET P/settings');
  });
});
