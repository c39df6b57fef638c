import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createHolds, echo, fail } from '../../../src/orchestrate/components.test-support.ts';
import {
  assertEmpty204,
  assertKeys,
  openConnection,
  php,
  poll,
  withLength,
  type Answer,
  type Connection,
  type Json,
} from './connection.ts';
import { MASTER, startRig, type Rig } from './rig.ts';

/** What the clients of the original send, byte for byte, and what they are strict about (section 1 of the contract). */
let rig: Rig;
let host: string;
const { holds, spec: hold } = createHolds();

before(async () => {
  rig = await startRig({ components: [echo, fail, hold] });
  host = new URL(rig.url).host;
});
after(() => rig?.close());

describe('the PHP client of the orchestrator', () => {
  /** Over HTTP/1.0, each request on a connection of its own; its base address ends with a slash; lists go without a type. */
  async function call(method: string, path: string, body?: string): Promise<Answer> {
    const hasType = body !== undefined && !(method === 'PUT' && /\/(tasks|notifications)$/.test(path));
    const connection = await openConnection(rig.url);
    const lines = [
      `${method} /orchestrator//${path} HTTP/1.0`,
      `Host: ${host}`,
      `X-StorageApi-Token: ${MASTER}`,
      'User-Agent: Keboola Orchestrator PHP Client/1.3.0 Guzzle/3.9.3 curl/7.38.0 PHP/5.6.40',
      ...(hasType ? ['Content-Type: application/json'] : []),
    ];
    const answer = await connection.send(body === undefined ? lines : withLength(lines, body), body);
    assert.equal(answer.headers['connection'], 'close');
    await connection.ended();
    if (answer.status !== 204) assert.equal(answer.headers['content-type'], 'application/json');
    return answer;
  }

  const TASK_OF_COMPONENT = [
    'component',
    'action',
    'actionParameters',
    'continueOnFailure',
    'timeoutMinutes',
    'active',
    'phase',
  ];
  const tasks = [
    {
      component: 'lab.echo',
      action: 'run',
      actionParameters: {},
      continueOnFailure: false,
      timeoutMinutes: null,
      active: true,
    },
    {
      componentUrl: 'https://syrup.keboola.com/gooddata-writer/run',
      actionParameters: {},
      continueOnFailure: true,
      timeoutMinutes: 10,
      active: false,
      phase: 123,
    },
  ];

  it('makes, lists, changes and deletes orchestrations', async () => {
    const made = await call('POST', 'orchestrations', php({ name: 'Testing', crontabRecord: '1 1 1 1 1' }));
    assert.equal(made.status, 201);
    assertKeys(made.json, [
      'id',
      'crontabRecord',
      'nextScheduledTime',
      'lastScheduledTime',
      'token',
      'uri',
      'active',
      'tasks',
    ]);
    assert.ok(made.json.uri.includes(`${rig.url}/orchestrator`) && made.json.uri.endsWith(`/${made.json.id}`));
    const own = `orchestrations/${made.json.id}`;

    const listed = (await call('GET', 'orchestrations')).json.find(({ id }: Json) => id === made.json.id);
    assertKeys(listed, [
      'id',
      'name',
      'crontabRecord',
      'lastScheduledTime',
      'nextScheduledTime',
      'token',
      'active',
      'uri',
    ]);
    assert.ok(!('tasks' in listed));

    const changed = await call('PUT', own, php({ active: false, crontabRecord: '* * * * *' }));
    assert.deepEqual([changed.status, changed.json.active, changed.json.crontabRecord], [200, false, '* * * * *']);
    const { uri, ...rest } = (await call('GET', own)).json;
    assert.deepEqual({ uri, ...rest }, changed.json);

    assertEmpty204(await call('DELETE', own));
    const gone = await call('GET', own);
    assert.equal(gone.status, 404);
    assertKeys(gone.json, ['status', 'error', 'code', 'message', 'exceptionId', 'runId']);
  });

  it('sends tasks without a content type, and finds no null for the other sort of task', async () => {
    const { id } = (await call('POST', 'orchestrations', php({ name: 'Tasks' }))).json;
    const put = await call('PUT', `orchestrations/${id}/tasks`, php(tasks));
    assert.equal(put.status, 202);
    const [component, address] = put.json;
    assert.deepEqual(Object.keys(component).toSorted(), [...TASK_OF_COMPONENT, 'id'].toSorted());
    assertKeys(address, ['componentUrl', 'actionParameters', 'continueOnFailure', 'timeoutMinutes', 'active', 'phase']);
    assert.ok(!('component' in address) && !('action' in address));
    assert.deepEqual([component.phase, component.actionParameters, address.phase], [null, {}, '123']);
    assert.deepEqual((await call('GET', `orchestrations/${id}/tasks`)).json, put.json);
    assert.deepEqual((await call('PUT', `orchestrations/${id}/tasks`, '[]')).json, []);
    const told = await call(
      'PUT',
      `orchestrations/${id}/notifications`,
      php([{ email: 'a@tern.example', channel: 'error', parameters: [] }]),
    );
    assert.deepEqual([told.status, told.text.includes('"parameters":{}')], [202, true]);
  });

  it('starts jobs in the old way and the new, waits for them, and cancels the one that waits', async () => {
    const { id } = (
      await call(
        'POST',
        'orchestrations',
        php({ name: 'Jobs', tasks: [{ component: 'lab.hold', actionParameters: { name: 'php' } }] }),
      )
    ).json;
    const first = await call('POST', `orchestrations/${id}/jobs`, php({ notificationsEmails: ['kim@tern.example'] }));
    assert.deepEqual(
      [first.status, first.json.status, first.json.notificationsEmails],
      [201, 'waiting', ['kim@tern.example']],
    );
    assertKeys(first.json, [
      'id',
      'orchestrationId',
      'initializedBy',
      'initiatorToken',
      'token',
      'results',
      'runId',
      'createdTime',
      'startTime',
      'endTime',
      'tasks',
    ]);
    assert.match(first.json.initiatorToken.userAgent, /^Keboola Orchestrator PHP Client/);
    const second = await call('POST', 'run', php({ config: String(id) }));
    assert.deepEqual([second.status, second.json.status, second.json.notificationsEmails], [202, 'waiting', []]);
    await holds.begun('php');
    assert.equal((await call('DELETE', `jobs/${first.json.id}`)).status, 409);
    assertEmpty204(await call('DELETE', `jobs/${second.json.id}`));
    const cancelled = (await call('GET', `jobs/${second.json.id}`)).json;
    assert.deepEqual([cancelled.status, cancelled.isFinished, cancelled.startTime], ['cancelled', true, null]);
    holds.release('php');
    const done = await poll(
      async () => (await call('GET', `jobs/${first.json.id}`)).json,
      ({ isFinished }) => isFinished,
    );
    assert.equal(done.status, 'success');
    const jobs = await call('GET', `orchestrations/${id}/jobs?limit=20&offset=0`);
    assert.deepEqual(
      [jobs.headers['x-total-count'], jobs.json.map((job: Json) => job.id)],
      ['2', [second.json.id, first.json.id]],
    );
    assert.equal((await call('POST', `orchestrations/${id}/trigger`, '')).json.initializedBy, 'trigger');
    await finish(id);
  });

  /** Kills what is left of an orchestration. */
  async function finish(id: number): Promise<void> {
    assertEmpty204(await call('DELETE', `orchestrations/${id}`));
  }
});

describe('the storage clients', () => {
  const agent = 'User-Agent: python-requests/2.31.0';
  const lines = (first: string, token = MASTER): string[] => [
    `${first} HTTP/1.1`,
    `Host: ${host}`,
    agent,
    'Accept-Encoding: gzip, deflate',
    'Accept: */*',
    'Connection: keep-alive',
    `X-StorageApi-Token: ${token}`,
  ];

  it('verify a token, make one by a form, renew and drop it, all on one connection', async () => {
    const connection = await openConnection(rig.url);
    const verified = await connection.send(lines('GET /v2/storage/tokens/verify'));
    assert.deepEqual([verified.status, verified.headers['content-type']], [200, 'application/json']);
    assertKeys(verified.json, [
      'id',
      'token',
      'description',
      'isMasterToken',
      'canManageBuckets',
      'bucketPermissions',
      'owner',
      'admin',
    ]);
    assert.equal(typeof verified.json.id, 'string');
    assert.equal(typeof verified.json.owner.id, 'number');
    assert.match(verified.json.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000$/);

    const form =
      'description=Deploy+%26+run&canManageBuckets=1&canReadAllFileUploads=0&expiresIn=3600&bucketPermissions%5Bin.c-main%5D=read';
    const type = 'Content-Type: application/x-www-form-urlencoded';
    const made = await connection.send(withLength([...lines('POST /v2/storage/tokens'), type], form), form);
    assert.equal(made.status, 201);
    assert.deepEqual(
      [made.json.description, made.json.canManageBuckets, made.json.canReadAllFileUploads],
      ['Deploy & run', true, false],
    );
    assert.deepEqual(made.json.bucketPermissions, { 'in.c-main': 'read' });

    const { id, token } = made.json;
    const renewed = await connection.send([
      ...lines(`POST /v2/storage/tokens/${id}/refresh`, token),
      'Content-Length: 0',
    ]);
    assert.equal(renewed.status, 200);
    const old = await connection.send(lines('GET /v2/storage/tokens/verify', token));
    assert.deepEqual([old.status, old.headers['content-type']], [401, 'application/json']);
    assert.deepEqual([typeof old.json.error, old.json.code], ['string', 'storage.tokenInvalid']);
    assertEmpty204(await connection.send([...lines(`DELETE /v2/storage/tokens/${id}`), 'Content-Length: 0']));
    assert.equal((await connection.send(lines(`GET /v2/storage/tokens/${id}`))).json.code, 'storage.notFound');
    connection.close();
  });
});

describe('the pollers of component jobs', () => {
  /** The words at which they stop; `warning` is none of them. */
  const TERMINAL = ['success', 'error', 'cancelled', 'canceled', 'terminated'];

  async function open(): Promise<{ connection: Connection; call(first: string, body?: string): Promise<Answer> }> {
    const connection = await openConnection(rig.url);
    const call = (first: string, body?: string): Promise<Answer> => {
      const lines = [
        `${first} HTTP/1.1`,
        `Host: ${host}`,
        'User-Agent: Keboola Syrup PHP Client/7 GuzzleHttp/6.3.3 curl/7.52.1 PHP/7.1.33',
        `X-StorageApi-Token: ${MASTER}`,
        'X-KBC-RunId: 1234567.7654321',
        ...(body === undefined ? [] : ['Content-Type: application/json']),
      ];
      return connection.send(body === undefined ? lines : withLength(lines, body), body);
    };
    return { connection, call };
  }

  it('start by the document of a component, and ask at its address until a word that ends', async () => {
    const { connection, call } = await open();
    for (const [component, parameters, word] of [
      ['lab.echo', { a: [] }, 'success'],
      ['lab.fail', { message: 'no' }, 'error'],
    ] as const) {
      const body = php({ configData: { parameters } });
      const started = await call(`POST //docker/${component}/run`, body);
      assert.deepEqual([started.status, started.json.status], [202, 'waiting']);
      assert.ok(started.json.url.startsWith(`${rig.url}/`) && started.json.url.endsWith(`/${started.json.id}`));
      assert.equal(started.json.runId, `1234567.7654321.${started.json.id}`);
      const path = new URL(started.json.url).pathname;
      const ids = new Set<number>();
      const ended = await poll(
        async () => {
          const { status, json } = await call(`GET ${path}`);
          assert.equal(status, 200);
          ids.add(json.id);
          return json;
        },
        ({ status }) => TERMINAL.includes(status),
      );
      assert.deepEqual([ended.status, ended.isFinished, [...ids]], [word, true, [started.json.id]]);
      if (word === 'error') assertKeys(ended.result, ['message', 'exceptionId']);
    }
    connection.close();
  });

  it('tell a job that goes on from one that is done by 202, and read url or uri', async () => {
    const made = await rig.ask('POST', '/orchestrations', {
      body: { name: 'polled', tasks: [{ component: 'lab.fail', continueOnFailure: true }] },
    });
    const { connection, call } = await open();
    const started = await call('POST /orchestrator/run', php({ config: (made.body as Json).id }));
    assert.deepEqual([started.status, started.json.url], [202, started.json.uri]);
    const path = new URL(started.json.url).pathname;
    const ended = await poll(
      async () => (await call(`GET ${path}`)).json,
      ({ isFinished }) => isFinished === true,
    );
    assert.equal(ended.status, 'warning');
    const queued = await call(`GET /queue/job/${ended.id}`);
    assert.deepEqual([queued.json.id, queued.json.component, queued.json.isFinished], [ended.id, 'orchestrator', true]);
    connection.close();
  });
});

describe('the tools that move orchestrations to another project', () => {
  it('find the API, copy what they read, and say with a second request that it is not active', async () => {
    const connection = await openConnection(rig.url);
    const call = (first: string, body?: string): Promise<Answer> => {
      const lines = [`${first} HTTP/1.1`, `Host: ${host}`, 'Connection: keep-alive'];
      const known = first.includes('/v2/storage ') ? lines : [...lines, `X-StorageApi-Token: ${MASTER}`];
      return body === undefined ? connection.send(known) : connection.send(withLength(known, body), body);
    };
    const index = await call('GET /v2/storage ');
    const { uri } = index.json.components.find(({ id }: Json) => id === 'orchestrator');
    const base = new URL(uri).pathname;
    assert.equal(base, '/orchestrator');

    const original = {
      name: 'Moved',
      crontabRecord: '0 5 * * 1',
      notifications: [{ email: 'a@tern.example', channel: 'waiting', parameters: { timeout: 10 } }],
      tasks: [
        { component: 'ex-old', actionParameters: { config: '7', nested: { list: [] } }, phase: 'a' },
        { componentUrl: 'https://syrup.keboola.com/w/run', timeoutMinutes: 5 },
      ],
    };
    const from = (await call(`POST ${base}/orchestrations`, JSON.stringify(original))).json;
    const listed = (await call(`GET ${base}/orchestrations`)).json.find(({ id }: Json) => id === from.id);
    const detail = (await call(`GET ${base}/orchestrations/${listed.id}`)).json;

    // A list of which members were left out becomes an object in PHP.
    const holes = Object.fromEntries(detail.tasks.map((task: Json, at: number) => [at * 2, task]));
    const { name, crontabRecord, notifications } = detail;
    const copy = { name, crontabRecord, notifications, tokenId: String(detail.token.id), tasks: holes };
    const made = await call(`POST ${base}/orchestrations`, JSON.stringify(copy));
    assert.equal(made.status, 201);
    assert.equal(made.json.active, true);
    const put = await call(
      `PUT ${base}/orchestrations/${made.json.id}`,
      JSON.stringify({ active: detail.active === false ? 1 : 0 }),
    );
    assert.deepEqual([put.status, put.json.active, put.json.nextScheduledTime], [200, false, null]);
    const bare = ({ tasks }: Json) => tasks.map(({ id: _id, ...task }: Json) => task);
    assert.deepEqual(bare(put.json), bare(detail));
    assert.deepEqual([put.json.notifications, put.json.token.id], [detail.notifications, detail.token.id]);
    assert.notEqual(put.json.id, from.id);
    connection.close();
  });
});
