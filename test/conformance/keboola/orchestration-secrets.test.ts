import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { ComponentSpec } from '../../../src/components/kit/index.ts';
import { WEBHOOK_SECRET } from '../../../src/orchestrate/index.ts';
import { startRig, type Rig } from './rig.ts';

type Json = Record<string, unknown>;

const MASK = '********';

/** A component whose schema marks fields as secret that do not begin with `#`. */
const marked: ComponentSpec = {
  id: 'marked',
  name: 'Marked',
  description: 'Has a secret field.',
  schema: {
    type: 'object',
    properties: {
      key: { type: 'string', format: 'password' },
      hosts: { type: 'array', items: { type: 'object', properties: { pass: { type: 'string', writeOnly: true } } } },
      auth: { oneOf: [{ type: 'object', properties: { code: { type: 'string', format: 'password' } } }] },
    },
  },
  isOffBecause: null,
  execute: async () => ({}),
};

const PARAMETERS = {
  url: 'https://tern.example',
  '#token': 'very-secret-1',
  list: [{ '#inner': 'very-secret-2', plain: 1 }, [], { deeper: { '#object': { a: ['very-secret-3'] } } }],
  '#empty': '',
  '#none': null,
  '#number': 12_345_671,
};

const SHOWN = {
  url: 'https://tern.example',
  '#token': MASK,
  list: [{ '#inner': MASK, plain: 1 }, [], { deeper: { '#object': MASK } }],
  '#empty': '',
  '#none': null,
  '#number': MASK,
};

void suite('secrets in the parameters of tasks', () => {
  let rig: Rig;
  const create = async (tasks: readonly Json[]): Promise<{ path: string; id: number; tasks: Json[] }> => {
    const { status, body, text } = await rig.ask('POST', '/orchestrations', { body: { name: 'secrets', tasks } });
    assert.equal(status, 201, text);
    const made = body as Json;
    const id = made['id'] as number;
    return { path: `/orchestrations/${id}/tasks`, id, tasks: made['tasks'] as Json[] };
  };
  const opened = async (id: number): Promise<unknown[]> => {
    const { definitions } = rig.orchestrate;
    const tasks = await definitions.tasks('1', id);
    return tasks.map((task) => definitions.parameters.open(task));
  };

  before(async () => {
    rig = await startRig({ components: [marked], works: false });
  });
  after(() => rig.close());

  test('are shown as a mask everywhere, stored sealed, and opened for the component', async () => {
    const tasks = [
      { component: 'any', actionParameters: PARAMETERS },
      { componentUrl: 'https://tern.example/run', actionParameters: { '#token': 'very-secret-4' } },
      {
        component: 'marked',
        actionParameters: { key: 'very-secret-5', hosts: [{ pass: 'very-secret-6' }], auth: { code: 'very-secret-7' } },
      },
    ];
    const made = await create(tasks);
    assert.deepEqual(
      made.tasks.map((task) => task['actionParameters']),
      [SHOWN, { '#token': MASK }, { key: MASK, hosts: [{ pass: MASK }], auth: { code: MASK } }],
    );
    for (const path of ['/orchestrations', `/orchestrations/${made.id}`, made.path]) {
      assert.doesNotMatch((await rig.ask('GET', path)).text, /very-secret|12345671|sealed|pen1/);
    }
    assert.deepEqual(
      await opened(made.id),
      tasks.map((task) => task.actionParameters),
    );
    const { rows } = await rig.store.pool.query<{ text: string }>(
      `select o::text || coalesce((select string_agg(a::text, '') from audit a), '') as text from orchestration o where id = $1`,
      [made.id],
    );
    assert.match(rows[0]!.text, /pen1\./);
    assert.doesNotMatch(rows[0]!.text, /very-secret|12345671/);
  });

  test('stay when their masks are sent back, wherever the task with its id stands by now', async () => {
    const made = await create([
      { component: 'any', actionParameters: PARAMETERS },
      { component: 'marked', actionParameters: { key: 'kept' } },
    ]);
    const [first, second] = made.tasks as [Json, Json];
    const moved = [{ component: 'new' }, { ...second, active: false }, first, { ...first, phase: 'copy' }];
    assert.equal((await rig.ask('PUT', made.path, { body: moved })).status, 202);
    assert.deepEqual(await opened(made.id), [{}, { key: 'kept' }, PARAMETERS, PARAMETERS]);
    const detail = (await rig.ask('GET', `/orchestrations/${made.id}`)).body as Json;
    const whole = await rig.ask('PUT', `/orchestrations/${made.id}`, { body: { ...detail, tokenId: undefined } });
    assert.deepEqual(whole.body, detail);
    assert.deepEqual(await opened(made.id), [{}, { key: 'kept' }, PARAMETERS, PARAMETERS]);
  });

  test('stay for tasks without ids at the same place of the same component, and can be changed one by one', async () => {
    const made = await create([
      { component: 'any', actionParameters: { '#a': '1', '#b': '2' } },
      { componentUrl: 'https://tern.example/run', actionParameters: { '#c': '3' } },
    ]);
    const body = [
      { component: 'any', actionParameters: { '#a': MASK, '#b': 'new', more: true } },
      { componentUrl: 'https://tern.example/run', actionParameters: { '#c': MASK } },
    ];
    assert.equal((await rig.ask('PUT', made.path, { body })).status, 202);
    assert.deepEqual(await opened(made.id), [{ '#a': '1', '#b': 'new', more: true }, { '#c': '3' }]);
  });

  test('are never lent to another component, task or place: a mask that belongs to nothing is refused', async () => {
    const made = await create([
      { component: 'any', actionParameters: { '#a': '1' } },
      { componentUrl: 'https://tern.example/run', actionParameters: { '#c': '3' } },
    ]);
    const [first, second] = made.tasks as [Json, Json];
    const masked = { actionParameters: { '#a': MASK } };
    const bad: readonly Json[][] = [
      [{ component: 'other', ...masked }],
      [{ ...first, component: 'other' }],
      [first, { ...second, componentUrl: 'https://thief.example/run' }],
      [{ ...first, id: 999_999 }],
      [{ component: 'any', actionParameters: { '#b': MASK } }],
      [{ component: 'any', actionParameters: { deeper: { '#a': MASK } } }],
      [second, { component: 'any', ...masked }],
    ];
    for (const body of bad) {
      const { status, body: error } = await rig.ask('PUT', made.path, { body });
      assert.equal(status, 400, JSON.stringify(body));
      assert.match((error as Json)['message'] as string, /^tasks\[\d\]\.actionParameters\.[\w.]*#[abc]: it is masked/);
    }
    const created = await rig.ask('POST', '/orchestrations', {
      body: { name: 'masked', tasks: [{ component: 'any', ...masked }] },
    });
    assert.equal(created.status, 400);
    assert.deepEqual(await opened(made.id), [{ '#a': '1' }, { '#c': '3' }]);
  });

  test('are not sent to another server when the url in the parameters is changed', async () => {
    const at = (url: string, token: string): Json => ({
      component: 'http.call',
      actionParameters: { url, auth: { '#token': token } },
    });
    const made = await create([at('https://tern.example/a', 'very-secret-8')]);
    const { id } = made.tasks[0] as { id: number };
    const put = async (url: string): Promise<number> =>
      (await rig.ask('PUT', made.path, { body: [{ id, ...at(url, MASK) }] })).status;
    for (const url of ['https://thief.example/a', 'https://tern.example:8443/', 'http://tern.example/', 'x']) {
      assert.equal(await put(url), 400, url);
    }
    assert.equal(await put('https://tern.example/b?c'), 202);
    assert.deepEqual(await opened(made.id), [at('https://tern.example/b?c', 'very-secret-8')['actionParameters']]);
  });

  test('equal their masks when a start names all tasks again', async () => {
    const made = await create([{ component: 'any', actionParameters: { ...PARAMETERS, none: {} } }]);
    const { definitions } = rig.orchestrate;
    const [task] = await definitions.tasks('1', made.id);
    const isSame = (sent: unknown) => definitions.parameters.areSame(task!, sent);
    assert.equal(isSame({ ...SHOWN, none: {} }), true);
    assert.equal(isSame({ ...PARAMETERS, none: [] }), true);
    assert.equal(isSame({ ...PARAMETERS, '#token': MASK, none: {} }), true);
    assert.equal(isSame({ ...SHOWN, none: {}, '#token': 'guessed' }), false);
    assert.equal(isSame({ ...SHOWN, none: {}, url: MASK }), false);
    assert.equal(isSame({ ...SHOWN, none: {}, more: 1 }), false);
    assert.equal(isSame(SHOWN), false);
    assert.equal(isSame([]), false);
    assert.equal(isSame(undefined), false);
  });

  test('cannot be opened when they are moved to another task', async () => {
    const made = await create([{ component: 'any', actionParameters: { '#a': '1' } }]);
    const { definitions } = rig.orchestrate;
    const [task] = await definitions.tasks('1', made.id);
    assert.throws(() => definitions.parameters.open({ ...task!, id: task!.id + 1 }), /changed or moved/);
  });

  test('of webhooks are masked and sealed, and kept for the same address alone', async () => {
    const hook = {
      email: 'https://hooks.tern.example/in',
      channel: 'error',
      parameters: { '#secret': 'very-secret-8' },
    };
    const { body } = await rig.ask('POST', '/orchestrations', { body: { name: 'hooks', notifications: [hook] } });
    const made = body as { id: number; notifications: unknown };
    const shown = { ...hook, parameters: { '#secret': MASK } };
    assert.deepEqual(made.notifications, [shown]);
    const path = `/orchestrations/${made.id}/notifications`;
    const more = [{ ...shown, channel: 'warning' }, shown];
    const kept = await rig.ask('PUT', path, { body: more });
    assert.deepEqual(kept.body, more);
    const stored = (await rig.orchestrate.definitions.get('1', made.id)).notifications;
    for (const { sealedSecret } of stored) {
      assert.equal(rig.access.secrets.open(sealedSecret!, WEBHOOK_SECRET), 'very-secret-8');
    }
    for (const bad of [
      { ...shown, email: 'https://thief.example/in' },
      { ...hook, email: 'ops@tern.example' },
      { ...hook, parameters: { '#other': 'x' } },
      { ...hook, parameters: { '#secret': '' } },
      { ...hook, parameters: { '#secret': 7 } },
      { ...hook, email: 'https://127.0.0.1/in' },
    ]) {
      assert.equal((await rig.ask('PUT', path, { body: [bad] })).status, 400, JSON.stringify(bad));
    }
    assert.deepEqual((await rig.ask('GET', path)).body, more);
    const { rows } = await rig.store.pool.query<{ text: string }>(
      'select o::text as text from orchestration o where id = $1',
      [made.id],
    );
    assert.doesNotMatch(rows[0]!.text, /very-secret/);
  });
});
