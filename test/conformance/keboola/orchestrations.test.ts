import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startRig, type Rig } from './rig.ts';

type Json = Record<string, unknown>;

const SUMMARY_KEYS = [
  'id',
  'name',
  'crontabRecord',
  'createdTime',
  'lastScheduledTime',
  'nextScheduledTime',
  'active',
  'token',
  'uri',
  'notifications',
  'lastExecutedJob',
];

/** The request that the seed shows for the creation of an orchestration. */
const SEED_REQUEST = {
  name: 'Main orchestrator',
  crontabRecord: '0 * * * *',
  notifications: [
    { email: 'someone@somewhere.com', channel: 'error', parameters: {} },
    { email: 'someone@somewhere.com', channel: 'waiting', parameters: { timeout: 10 } },
    { email: 'someone@somewhere.com', channel: 'processing', parameters: { tolerance: 20 } },
  ],
  tasks: [
    {
      component: 'ex-facebook',
      action: 'run',
      actionParameters: {},
      continueOnFailure: false,
      timeoutMinutes: null,
      active: true,
    },
    {
      component: 'transformation',
      action: 'run',
      actionParameters: {},
      continueOnFailure: false,
      timeoutMinutes: null,
      active: true,
    },
    {
      componentUrl: 'https://syrup.keboola.com/gooddata-writer/execute-reports',
      actionParameters: {},
      continueOnFailure: true,
      timeoutMinutes: 10,
      active: true,
    },
  ],
};

void suite('orchestrations as Keboola clients know them', () => {
  let rig: Rig;
  const make = async (body: Json = { name: 'A' }): Promise<Json> => {
    const { status, text } = await rig.ask('POST', '/orchestrations', { body });
    assert.equal(status, 201, text);
    return JSON.parse(text) as Json;
  };
  const read = async (path: string): Promise<unknown> => (await rig.ask('GET', path)).body;
  const refused = async (path: string, body: unknown, message: RegExp): Promise<void> => {
    const reply = await rig.ask(path === '/orchestrations' ? 'POST' : 'PUT', path, { body });
    assert.equal(reply.status, 400, `${JSON.stringify(body)}: ${reply.text}`);
    assert.match((reply.body as Json)['message'] as string, message);
  };

  before(async () => {
    rig = await startRig({ works: false });
  });
  after(() => rig.close());

  test('are not shown without a token, and the error has every key', async () => {
    const { status, body } = await rig.ask('GET', '/orchestrations', { token: null });
    assert.equal(status, 401);
    const error = body as Json;
    assert.equal(error['message'], 'Missing StorageAPI token');
    assert.deepEqual([error['status'], error['error'], error['code'], error['runId']], ['error', 'User error', 401, 0]);
    assert.match(error['exceptionId'] as string, /^penstock-[0-9a-f]{32}$/);
  });

  test('have all keys when made by their name alone, and read the same again', async () => {
    const { status, body, headers } = await rig.ask('POST', '/orchestrations', { body: { name: ' A ' } });
    assert.equal(status, 201);
    assert.equal(headers['content-type'], 'application/json');
    const made = body as Json;
    assert.deepEqual(Object.keys(made).toSorted(), [...SUMMARY_KEYS, 'tasks'].toSorted());
    assert.equal(made['name'], 'A');
    for (const key of ['crontabRecord', 'lastScheduledTime', 'nextScheduledTime', 'lastExecutedJob']) {
      assert.equal(made[key], null, key);
    }
    assert.equal(made['active'], true);
    assert.deepEqual([made['tasks'], made['notifications']], [[], []]);
    assert.match(made['createdTime'] as string, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
    assert.equal((made['token'] as Json)['description'], 'Orchestrator A');
    assert.equal(made['uri'], `${rig.url}/orchestrations/${String(made['id'])}`);
    assert.deepEqual(await read(new URL(made['uri'] as string).pathname), made);
  });

  test('are made from the example of the seed, with and without its token', async () => {
    const made = await make(SEED_REQUEST);
    assert.equal(typeof made['id'], 'number');
    const tasks = made['tasks'] as Json[];
    const withoutIds = tasks.map(({ id, ...task }) => (assert.equal(typeof id, 'number'), task));
    assert.deepEqual(
      withoutIds,
      SEED_REQUEST.tasks.map((task) => ({ ...task, phase: null })),
    );
    assert.deepEqual(made['notifications'], SEED_REQUEST.notifications);
    assert.match(made['nextScheduledTime'] as string, /:00:00\+00:00$/);
    const { token } = await rig.newToken();
    for (const tokenId of [token.id, String(token.id)]) {
      const bound = await make({ ...SEED_REQUEST, tokenId });
      assert.deepEqual(bound['token'], { id: token.id, description: 'made by a test' });
    }
  });

  test('are listed by id, without tasks, at both mounts and with slashes too many', async () => {
    const { id } = await make({ name: 'listed', tasks: [{ component: 'x' }] });
    for (const path of ['/orchestrations', '/orchestrator/orchestrations', '//orchestrator//orchestrations/']) {
      const list = (await read(path)) as Json[];
      const ids = list.map((each) => each['id'] as number);
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      );
      const mine = list.find((each) => each['id'] === id)!;
      assert.deepEqual(Object.keys(mine).toSorted(), SUMMARY_KEYS.toSorted());
      const mount = path.includes('orchestrator') ? '/orchestrator' : '';
      assert.equal(mine['uri'], `${rig.url}${mount}/orchestrations/${String(id)}`);
    }
  });

  test('are refused whole when one field is wrong, and the message names it', async () => {
    const countBefore = ((await read('/orchestrations')) as Json[]).length;
    const bad = await rig.ask('POST', '/orchestrations', { text: '{bad' });
    assert.equal(bad.status, 400);
    assert.match((bad.body as Json)['message'] as string, /^Bad JSON format of request body: /);
    await refused('/orchestrations', {}, /^name: /);
    await refused('/orchestrations', [1], /object/);
    await refused('/orchestrations', 'A', /object/);
    for (const name of ['', ' ', 7, null, ['A'], 'x'.repeat(256), 'a\u0007b', 'a\nb', '\ud800']) {
      await refused('/orchestrations', { name }, /^name: /);
    }
    for (const crontabRecord of ['', '* * * *', '* * * * * *', '@reboot', '0 0 31 2 *', 5, true, '9'.repeat(9999)]) {
      await refused('/orchestrations', { name: 'A', crontabRecord }, /^crontabRecord: /);
    }
    for (const tokenId of [0, -1, 1.5, 'abc', '', {}, 999_999, '1e3']) {
      await refused('/orchestrations', { name: 'A', tokenId }, /^tokenId: /);
    }
    for (const active of [2, 'true', null, []]) await refused('/orchestrations', { name: 'A', active }, /^active: /);
    await refused('/orchestrations', { name: 'A', zone: 'Mars/Olympus' }, /^zone: /);
    await refused('/orchestrations', { name: 'A', overlap: 'never' }, /^overlap: /);
    await refused('/orchestrations', { name: 'A', catchUp: 1 }, /^catchUp: /);
    assert.equal(((await read('/orchestrations')) as Json[]).length, countBefore);
  });

  test('show only the keys of the variant that a task is, and phases as text', async () => {
    const tasks = [
      { component: 'a', phase: null, componentUrl: null, action: null },
      { componentUrl: 'https://hooks.tern.example/refresh', phase: 123, action: 'run', component: null },
      { componentUrl: 'HTTPS://Hooks.Tern.Example', phase: 'my-phase', timeoutMinutes: 0 },
      { component: 'b', phase: '', continueOnFailure: 1, active: 0 },
      { component: 'c', phase: '0', actionParameters: [] },
      { component: 'd', phase: 0, actionParameters: { list: [], inner: {}, deep: [[{ a: null }]] }, extra: 1 },
    ];
    const stored = (await make({ name: 'variants', tasks }))['tasks'] as Json[];
    assert.deepEqual(
      stored.map((task) => task['phase']),
      [null, '123', 'my-phase', null, '0', '0'],
    );
    assert.deepEqual(
      stored.map((task) => [
        Object.hasOwn(task, 'component'),
        Object.hasOwn(task, 'action'),
        Object.hasOwn(task, 'componentUrl'),
      ]),
      [
        [true, true, false],
        [false, false, true],
        [false, false, true],
        [true, true, false],
        [true, true, false],
        [true, true, false],
      ],
    );
    assert.equal(stored[2]!['componentUrl'], 'https://hooks.tern.example/');
    assert.deepEqual(
      [stored[2]!['timeoutMinutes'], stored[3]!['continueOnFailure'], stored[3]!['active']],
      [null, true, false],
    );
    assert.deepEqual(stored[4]!['actionParameters'], {});
    assert.deepEqual(stored[5]!['actionParameters'], tasks[5]!.actionParameters);
    assert.equal(Object.hasOwn(stored[5]!, 'extra'), false);
    assert.equal(new Set(stored.map((task) => task['id'])).size, tasks.length);
  });

  test('take tasks and notifications as PHP writes arrays with gaps', async () => {
    const made = await make({
      name: 'gaps',
      tasks: { 2: { component: 'second' }, 0: { component: 'first' } },
      notifications: { 5: { email: 'a@tern.example', channel: 'error' } },
    });
    assert.deepEqual(
      (made['tasks'] as Json[]).map((task) => task['component']),
      ['first', 'second'],
    );
    assert.deepEqual(made['notifications'], [{ email: 'a@tern.example', channel: 'error', parameters: {} }]);
    await refused('/orchestrations', { name: 'A', tasks: { first: { component: 'a' } } }, /^tasks: .*"first"/);
    await refused('/orchestrations', { name: 'A', tasks: 'none' }, /^tasks: /);
  });

  test('may name this server as the address of a task, not of a notification', async () => {
    const own = `${rig.url}/run`;
    const made = await make({ name: 'A', tasks: [{ componentUrl: own, actionParameters: { config: 1 } }] });
    assert.equal((made['tasks'] as Json[])[0]!['componentUrl'], own);
    const told = { name: 'A', notifications: [{ email: own, channel: 'error' }] };
    await refused('/orchestrations', told, /^notifications\[0\]\.email: 127\.0\.0\.1:\d+ is this server/);
  });

  test('refuse tasks with anything wrong, by position and field', async () => {
    const path = `/orchestrations/${String((await make())['id'])}/tasks`;
    const good = { component: 'a' };
    assert.equal((await rig.ask('PUT', path, { body: [good] })).status, 202);
    const stored = await read(path);
    const bad: [unknown, RegExp][] = [
      [{}, /^tasks\[1\]: one of/],
      [{ component: 'a', componentUrl: 'https://tern.example' }, /^tasks\[1\]: only one/],
      [{ component: '' }, /^tasks\[1\]\.component: /],
      [{ component: 7 }, /^tasks\[1\]\.component: /],
      [{ component: 'x'.repeat(256) }, /^tasks\[1\]\.component: /],
      [{ componentUrl: 'http://tern.example' }, /^tasks\[1\]\.componentUrl: only https is allowed/],
      [{ componentUrl: 'tern' }, /^tasks\[1\]\.componentUrl: /],
      [{ componentUrl: `https://tern.example/${'x'.repeat(2048)}` }, /^tasks\[1\]\.componentUrl: /],
      [{ ...good, action: '../run' }, /^tasks\[1\]\.action: /],
      [{ ...good, action: 'a b' }, /^tasks\[1\]\.action: /],
      [{ ...good, action: '' }, /^tasks\[1\]\.action: /],
      [{ ...good, action: 'x'.repeat(129) }, /^tasks\[1\]\.action: /],
      [{ ...good, actionParameters: [1] }, /^tasks\[1\]\.actionParameters: /],
      [{ ...good, actionParameters: 'x' }, /^tasks\[1\]\.actionParameters: /],
      [{ ...good, continueOnFailure: 'yes' }, /^tasks\[1\]\.continueOnFailure: /],
      [{ ...good, active: 2 }, /^tasks\[1\]\.active: /],
      [{ ...good, timeoutMinutes: -1 }, /^tasks\[1\]\.timeoutMinutes: /],
      [{ ...good, timeoutMinutes: 10_081 }, /^tasks\[1\]\.timeoutMinutes: /],
      [{ ...good, timeoutMinutes: 1.5 }, /^tasks\[1\]\.timeoutMinutes: /],
      [{ ...good, timeoutMinutes: '10' }, /^tasks\[1\]\.timeoutMinutes: /],
      [{ ...good, phase: true }, /^tasks\[1\]\.phase: /],
      [{ ...good, phase: 'x'.repeat(256) }, /^tasks\[1\]\.phase: /],
      ['task', /^tasks\[1\]: must be an object/],
      [null, /^tasks\[1\]: must be an object/],
    ];
    for (const [task, message] of bad) await refused(path, [good, task], message);
    await refused(
      path,
      Array.from({ length: 1001 }, () => good),
      /^tasks: at most 1000/,
    );
    for (const nothing of [undefined, null, {}, { tasks: null }]) await refused(path, nothing, /^tasks: /);
    assert.deepEqual(await read(path), stored);
  });

  test('refuse notifications with anything wrong, by position and field', async () => {
    const path = `/orchestrations/${String((await make())['id'])}/notifications`;
    const good = { email: 'a@tern.example', channel: 'error' };
    const emails = [
      '',
      'a',
      'a@',
      '@b',
      'a b@c.example',
      'a@b.example, c@d.example',
      'a@b.example\r\nBcc: x@y.example',
    ];
    emails.push(
      '<a@b.example>',
      `${'x'.repeat(250)}@b.example`,
      'a@b..example',
      'a@-b.example',
      'http://tern.example/hook',
    );
    for (const email of [...emails, 7, null, undefined]) {
      await refused(path, [good, { ...good, email }], /^notifications\[1\]\.email: /);
    }
    for (const channel of ['', 'success', null, 1]) {
      await refused(path, [{ ...good, channel }], /^notifications\[0\]\.channel: /);
    }
    for (const timeout of [undefined, 0, -1, 1.5, '10', null]) {
      const rule = { ...good, channel: 'waiting', parameters: { timeout } };
      await refused(path, [rule], /^notifications\[0\]\.parameters\.timeout: /);
    }
    await refused(path, [{ ...good, channel: 'processing' }], /^notifications\[0\]\.parameters\.tolerance: /);
    await refused(path, [{ ...good, parameters: 7 }], /^notifications\[0\]\.parameters: /);
    await refused(
      path,
      Array.from({ length: 1001 }, () => good),
      /^notifications: at most 1000/,
    );
    assert.deepEqual(await read(path), []);
  });

  test('keep what a change does not name, and change nothing when one field is wrong', async () => {
    const made = await make({ ...SEED_REQUEST, name: 'changed' });
    const path = `/orchestrations/${String(made['id'])}`;
    const off = (await rig.ask('PUT', path, { body: { active: false } })).body as Json;
    assert.deepEqual(off, { ...made, active: false, nextScheduledTime: null });
    const again = (await rig.ask('PUT', path, { body: { active: 1, tasks: null, notifications: null } })).body as Json;
    assert.deepEqual(again, made);
    await refused(path, { name: 'half', tasks: [{ component: 'x' }], crontabRecord: 'x' }, /^crontabRecord: /);
    assert.deepEqual(await read(path), made);
    const unscheduled = await rig.ask('PUT', path, { body: { crontabRecord: null, name: 'B', unknown: { a: 1 } } });
    assert.deepEqual(unscheduled.body, { ...made, name: 'B', crontabRecord: null, nextScheduledTime: null });
    const emptied = await rig.ask('PUT', path, { body: { tasks: [], notifications: [] } });
    assert.equal(emptied.status, 200);
    assert.deepEqual((emptied.body as Json)['tasks'], []);
    assert.deepEqual(await read(`${path}/tasks`), []);
    assert.deepEqual(await read(`${path}/notifications`), []);
  });

  test('take a list of tasks over HTTP/1.0 without a content type', async () => {
    const path = `/orchestrator/orchestrations/${String((await make())['id'])}/tasks`;
    const body = JSON.stringify([{ component: 'a' }, { componentUrl: 'https://tern.example/x' }]);
    const head = [`PUT ${path} HTTP/1.0`, 'Host: tern.example', `X-StorageApi-Token: ${(await rig.newToken()).text}`];
    const answer = await rig.raw([...head, `Content-Length: ${body.length}`, '', body].join('\r\n'));
    assert.match(answer, /^HTTP\/1\.[01] 202 /);
    assert.match(answer, /^content-length: \d+\r$/im);
    assert.doesNotMatch(answer, /^transfer-encoding/im);
    assert.deepEqual(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))), await read(path));
  });

  test('take tasks also in an object, and keep the ids that a client sends back', async () => {
    const { id } = await make();
    const path = `/orchestrations/${String(id)}/tasks`;
    const first = (await rig.ask('PUT', path, { body: { tasks: [{ component: 'a' }, { component: 'b' }] } }))
      .body as Json[];
    const [one, two] = first.map((task) => task['id'] as number) as [number, number];
    const swapped = [{ ...first[1] }, { ...first[0] }, { ...first[0] }, { component: 'd', id: 999_999 }];
    const second = (await rig.ask('PUT', path, { body: swapped })).body as Json[];
    assert.deepEqual([second[0]!['id'], second[1]!['id']], [two, one]);
    assert.equal(new Set(second.map((task) => task['id'])).size, 4);
    assert.notEqual(second[3]!['id'], 999_999);
  });

  test('have the same notifications under both spellings of the path', async () => {
    const { id } = await make();
    const [right, old] = [`/orchestrations/${String(id)}/notifications`, `/orchestrations/${String(id)}/nofitications`];
    const rule = { email: 'ops@tern.example', channel: 'waiting', parameters: { timeout: 3, note: 'kept' } };
    const put = await rig.ask('PUT', old, { body: { notifications: [rule] } });
    assert.equal(put.status, 202);
    assert.deepEqual([put.body, await read(right), await read(old)], [[rule], [rule], [rule]]);
    const other = { email: 'kim@tern.example', channel: 'warning', parameters: [] };
    assert.equal((await rig.ask('PUT', right, { body: [other] })).status, 202);
    assert.deepEqual(await read(old), [{ ...other, parameters: {} }]);
  });

  test('are gone once deleted, with all that lies below them', async () => {
    const { id } = await make({ name: 'gone', crontabRecord: '@hourly' });
    const path = `/orchestrations/${String(id)}`;
    assert.notEqual(await rig.scheduler.get(`orchestration/${String(id)}`), undefined);
    const reply = await rig.ask('DELETE', path);
    assert.equal(reply.status, 204);
    assert.equal(reply.text, '');
    assert.equal(reply.headers['content-type'], undefined);
    for (const below of ['', '/tasks', '/notifications', '/nofitications']) {
      const missing = await rig.ask('GET', path + below);
      assert.equal(missing.status, 404);
      assert.equal((missing.body as Json)['message'], `Orchestration ${String(id)} not found`);
    }
    for (const [method, below] of [
      ['PUT', ''],
      ['DELETE', ''],
      ['PUT', '/tasks'],
      ['POST', '/create-token'],
    ] as const) {
      assert.equal((await rig.ask(method, path + below, { body: {} })).status, 404);
    }
    assert.equal(await rig.scheduler.get(`orchestration/${String(id)}`), undefined);
    assert.equal(
      ((await read('/orchestrations')) as Json[]).some((each) => each['id'] === id),
      false,
    );
    for (const other of ['abc', '0', '-1', '1.5', '99999999999999999999', `${String(id)}x`]) {
      assert.equal((await rig.ask('GET', `/orchestrations/${other}`)).status, 404, other);
    }
  });

  test('say which methods a path has', async () => {
    const reply = await rig.ask('PATCH', '/orchestrations', { body: {} });
    assert.equal(reply.status, 405);
    assert.match(reply.headers['allow'] as string, /GET, POST/);
    assert.equal((await rig.ask('DELETE', '/orchestrations/1/tasks')).status, 405);
  });

  test('answer the same orchestration to the same idempotency key, and refuse it with another body', async () => {
    const headers = { 'x-idempotency-key': 'nightly 1' };
    const first = await rig.ask('POST', '/orchestrations', { body: { name: 'once', active: true }, headers });
    const again = await rig.ask('POST', '/orchestrator/orchestrations', {
      body: { active: true, name: 'once' },
      headers,
    });
    assert.deepEqual([first.status, again.status], [201, 201]);
    assert.equal((again.body as Json)['id'], (first.body as Json)['id']);
    const other = await rig.ask('POST', '/orchestrations', { body: { name: 'twice' }, headers });
    assert.equal(other.status, 409);
    const { text } = await rig.newToken({ canManageTokens: true });
    const foreign = await rig.ask('POST', '/orchestrations', {
      body: { name: 'once', active: true },
      headers,
      token: text,
    });
    assert.equal(foreign.status, 201);
    assert.notEqual((foreign.body as Json)['id'], (first.body as Json)['id']);
  });

  test('are made once when the same request comes ten times at once', async () => {
    const headers = { 'x-idempotency-key': 'at once' };
    const replies = await Promise.all(
      Array.from({ length: 10 }, () => rig.ask('POST', '/orchestrations', { body: { name: 'race' }, headers })),
    );
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [201]);
    assert.equal(new Set(replies.map(({ body }) => (body as Json)['id'])).size, 1);
  });

  test('keep both of two changes at once, and refuse one that knows an older version', async () => {
    const made = await rig.ask('POST', '/orchestrations', { body: { name: 'versions' } });
    const path = new URL((made.body as Json)['uri'] as string).pathname;
    const version = made.headers['etag'] as string;
    await Promise.all([
      rig.ask('PUT', path, { body: { name: 'renamed' } }),
      rig.ask('PUT', path, { body: { tasks: [{ component: 'a' }] } }),
      rig.ask('PUT', path, { body: { active: false } }),
    ]);
    const now = await rig.ask('GET', path);
    const { name, tasks, active } = now.body as Json;
    assert.deepEqual([name, (tasks as Json[]).length, active], ['renamed', 1, false]);
    const stale = await rig.ask('PUT', path, { body: { name: 'stale' }, headers: { 'if-match': version } });
    assert.equal(stale.status, 409);
    const fresh = { 'if-match': now.headers['etag'] as string };
    assert.equal((await rig.ask('PUT', path, { body: { name: 'fresh' }, headers: fresh })).status, 200);
    assert.equal((await rig.ask('PUT', path, { body: { name: 'x' }, headers: { 'if-match': 'x' } })).status, 400);
  });

  test('show settings of ours only where they are not the usual ones', async () => {
    const made = await make({
      name: 'ours',
      crontabRecord: '30 2 * * *',
      zone: 'Europe/Prague',
      overlap: 'skip',
      catchUp: 'all',
    });
    assert.deepEqual([made['zone'], made['overlap'], made['catchUp']], ['Europe/Prague', 'skip', 'all']);
    assert.match(made['nextScheduledTime'] as string, /T0[01]:30:00\+00:00$/);
    const path = `/orchestrations/${String(made['id'])}`;
    const usual = (await rig.ask('PUT', path, { body: { zone: null, overlap: null, catchUp: null } })).body as Json;
    assert.deepEqual(Object.keys(usual).toSorted(), [...SUMMARY_KEYS, 'tasks'].toSorted());
    assert.match(usual['nextScheduledTime'] as string, /T02:30:00\+00:00$/);
  });

  test('hold a body to its size and depth, and change nothing by one that is beyond', async () => {
    const { id } = await make();
    const path = `/orchestrations/${String(id)}/tasks`;
    const large = await rig.ask('PUT', path, {
      body: [{ component: 'a', actionParameters: { a: 'x'.repeat(1_048_576) } }],
    });
    assert.equal(large.status, 413);
    const nested = (levels: number) =>
      `[{"component":"a","actionParameters":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}]`;
    assert.equal((await rig.ask('PUT', path, { text: nested(64) })).status, 202);
    const stored = await read(path);
    for (const levels of [65, 99, 50_000]) {
      assert.equal((await rig.ask('PUT', path, { text: nested(levels) })).status, 400);
    }
    assert.deepEqual(await read(path), stored);
  });

  test('keep awkward parameters as they were sent', async () => {
    const text = `{"é":"😀","quote\\"":"\\\\ \\u2028","__proto__x":1,"constructor":"c","n":-0.5e-7,"big":9007199254740991,"":[{},[]]}`;
    const body = `[{"component":"a","actionParameters":${text}}]`;
    const { id } = await make();
    const reply = await rig.ask('PUT', `/orchestrations/${String(id)}/tasks`, { text: body });
    assert.equal(reply.status, 202, reply.text);
    assert.deepEqual((reply.body as Json[])[0]!['actionParameters'], JSON.parse(text));
  });
});
