import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { startRig, type Rig } from './rig.ts';

type Json = Readonly<Record<string, unknown>>;
interface Operation {
  readonly summary?: string;
  readonly security?: readonly Json[];
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Json }>>;
}
interface Document {
  readonly openapi: string;
  readonly security: readonly Json[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const file = new URL('../../../openapi/keboola.json', import.meta.url);
const document = JSON.parse(await readFile(file, 'utf8')) as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([verb, operation]) => ({ path, verb, operation })),
);

describe('the OpenAPI document', () => {
  it('says of every operation what it does, what it answers and how it refuses', () => {
    assert.match(document.openapi, /^3\.1\.\d+$/);
    assert.ok(operations.length > 25);
    for (const { path, verb, operation } of operations) {
      const where = `${verb} ${path}`;
      assert.ok(operation.summary, where);
      const [success, refusal, ...more] = Object.keys(operation.responses);
      assert.match(String(success), /^20[0124]$/, where);
      assert.deepEqual([refusal, ...more], ['4XX'], where);
      for (const { description } of Object.values(operation.responses)) assert.ok(description, where);
    }
  });

  it('tells how tokens come, and the one path that needs none', () => {
    assert.deepEqual(document.security.flatMap(Object.keys), ['token', 'header', 'session']);
    const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ path }) => path);
    assert.deepEqual(open, ['/v2/storage']);
  });
});

const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
ajv.addSchema(document, 'document');
const escape = (key: string) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));

describe('answers are as the document says', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ works: false });
  });
  after(() => rig?.close());

  /** Calls an operation, holds the answer against what the document says of this status, and answers it. */
  async function call<T>(operation: string, ask: { id?: unknown; body?: unknown; status?: number } = {}): Promise<T> {
    const [method = '', template = ''] = operation.split(' ');
    const { id, body, status = 200 } = ask;
    const path = template.replace('{id}', String(id)).replace('{component}', String(id)).replace('{position}', '0');
    const reply = await rig.ask(method, path, body === undefined ? {} : { body });
    assert.equal(reply.status, status, `${operation}: ${reply.text}`);
    const answer = status >= 400 ? '4XX' : String(status);
    const steps = [
      'paths',
      template,
      method.toLowerCase(),
      'responses',
      answer,
      'content',
      'application/json',
      'schema',
    ];
    const validate = ajv.compile({ $ref: `document#/${steps.map(escape).join('/')}` });
    assert.ok(validate(reply.body), `${operation} ${status}: ${ajv.errorsText(validate.errors)} in ${reply.text}`);
    return reply.body as T;
  }

  it('for tokens', async () => {
    await call('GET /v2/storage');
    await call('GET /v2/storage/tokens/verify');
    const { id } = await call<{ id: string }>('POST /v2/storage/tokens', { body: { description: 'x' }, status: 201 });
    await call('GET /v2/storage/tokens/{id}', { id });
    await call('PUT /v2/storage/tokens/{id}', { id, body: { description: 'y' } });
    await call('POST /v2/storage/tokens/{id}/refresh', { id });
    await call('GET /v2/storage/tokens');
    await call('GET /v2/storage/tokens/{id}', { id: 'x', status: 404 });
    await call('POST /v2/storage/tokens', { body: { expiresIn: 0 }, status: 400 });
  });

  it('for orchestrations, their jobs, and the queue', async () => {
    const tasks = [{ component: 'http.call', phase: 1 }, { componentUrl: 'https://hooks.tern.example/x' }];
    const notifications = [{ email: 'ops@tern.example', channel: 'error' }];
    const body = { name: 'A', crontabRecord: '0 * * * *', tasks, notifications };
    const { id } = await call<{ id: number }>('POST /orchestrations', { body, status: 201 });
    await call('GET /orchestrations');
    await call('GET /orchestrations/{id}', { id });
    await call('PUT /orchestrations/{id}', { id, body: { active: true } });
    await call('PUT /orchestrations/{id}/tasks', { id, body: tasks, status: 202 });
    await call('GET /orchestrations/{id}/tasks', { id });
    await call('PUT /orchestrations/{id}/nofitications', { id, body: notifications, status: 202 });
    await call('GET /orchestrations/{id}/notifications', { id });
    const { id: job } = await call<{ id: number }>('POST /run', { body: { config: id }, status: 202 });
    await call('POST /orchestrations/{id}/jobs', { id, body: {}, status: 201 });
    await call('POST /orchestrations/{id}/trigger', { id, status: 202 });
    await call('GET /orchestrations/{id}/jobs', { id });
    await call('GET /jobs/{id}', { id: job });
    await call('GET /jobs/{id}/tasks/{position}', { id: job });
    await call('GET /jobs/{id}/events', { id: job });
    await call('GET /queue/job/{id}', { id: job });
    await call('GET /queue/job/{id}/events', { id: job });
    await call('GET /queue/jobs');
    await call('GET /components');
    await call('POST /jobs/{id}/retry', { id: job, status: 409 });
    await call('POST /run', { body: { config: id, tasks: [] }, status: 400 });
    await call('POST /orchestrations', { body: { name: '' }, status: 400 });
    await call('POST /components/{component}/run', { id: 'nothing', body: {}, status: 404 });
  });
});
