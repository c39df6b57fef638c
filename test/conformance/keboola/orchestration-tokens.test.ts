import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { ComponentSpec } from '../../../src/components/kit/index.ts';
import { MASTER, startRig, type Rig } from './rig.ts';

type Json = Record<string, unknown>;

/** Runs until it is cancelled when its parameters say so. */
const staying: ComponentSpec = {
  id: 'staying',
  name: 'Staying',
  description: 'Stays.',
  schema: { type: 'object', properties: { stays: { type: 'boolean' } } },
  isOffBecause: null,
  async execute({ parameters, attempt: { signal } }) {
    if (parameters['stays'] !== true) return {};
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  },
};

/** Waits until the test opens it. */
const gate = Promise.withResolvers<void>();
const gated: ComponentSpec = {
  ...staying,
  id: 'gated',
  async execute() {
    await gate.promise;
    return {};
  },
};

const PATIENCE_MS = 60_000;

void suite('tokens of orchestrations, and their end', () => {
  let rig: Rig;
  const make = async (body: Json = { name: 'A' }, token?: string): Promise<Json & { id: number; token: Json }> => {
    const { status, body: made, text } = await rig.ask('POST', '/orchestrations', { body, ...(token && { token }) });
    assert.equal(status, 201, text);
    return made as Json & { id: number; token: Json };
  };
  const statusOf = async (method: string, path: string, asking: { body?: unknown; token: string }): Promise<number> =>
    (await rig.ask(method, path, asking)).status;
  const tokenOf = async (id: number) => rig.access.tokens.get(id);
  /** Answers the id of its run. */
  const start = async (id: number): Promise<string> => {
    const { status, body, text } = await rig.ask('POST', `/orchestrations/${id}/jobs`);
    assert.equal(status, 201, text);
    return (await rig.engine.getByNumber((body as { id: number }).id))!.id;
  };

  before(async () => {
    rig = await startRig({ components: [staying, gated] });
  });
  after(() => rig.close());

  test('are not directed by a token that is limited to some components', async () => {
    const master = await rig.access.tokens.identify(MASTER);
    const by = { token: master!, actor: { principal: null, face: 'test' } };
    const narrow = await rig.access.tokens.create(by, { description: 'narrow', componentAccess: ['gated'] });
    const { id } = await make({ name: 'wide', tasks: [{ component: 'gated' }] });
    const tasks = [{ component: 'staying' }];
    const token = narrow.secret;
    assert.equal(await statusOf('PUT', `/orchestrations/${id}/tasks`, { body: tasks, token }), 403);
    assert.equal(await statusOf('PUT', `/orchestrations/${id}`, { body: { tasks }, token }), 403);
    assert.equal(await statusOf('PUT', `/orchestrations/${id}`, { body: { name: 'narrow' }, token }), 200);
    const own = { name: 'own', tokenId: narrow.token.id, tasks };
    const { id: ownId } = await make(own, token);
    assert.equal(await statusOf('PUT', `/orchestrations/${ownId}/tasks`, { body: tasks, token }), 202);
    const job = await rig.engine.settled(await start(ownId), PATIENCE_MS);
    assert.equal(job?.state, 'failed');
    const rebound = { tasks, tokenId: narrow.token.id };
    assert.equal(await statusOf('PUT', `/orchestrations/${id}`, { body: rebound, token }), 200);
  });

  test('are made with exactly the two rights of the seed', async () => {
    const made = await make({ name: 'rights' });
    const token = (await tokenOf(made.token['id'] as number))!;
    assert.equal(token.kind, 'orchestration');
    assert.deepEqual(
      [token.canManageBuckets, token.canReadAllFileUploads, token.canManageTokens, token.canPurgeTrash, token.isMaster],
      [true, true, false, false, false],
    );
    const long = await make({ name: 'n'.repeat(255) });
    assert.equal((long.token['description'] as string).length, 255);
  });

  test('are bound by those alone who may: a weak token cannot let others run as a strong one', async () => {
    const weak = await rig.newToken();
    const strong = await rig.newToken({ canManageTokens: true });
    const mine = await make({ name: 'weak', tokenId: weak.token.id }, weak.text);
    const path = `/orchestrations/${mine.id}`;
    const asWeak = (body: unknown) => ({ body, token: weak.text });
    assert.equal(await statusOf('POST', '/orchestrations', asWeak({ name: 'A' })), 403);
    assert.equal(await statusOf('POST', '/orchestrations', asWeak({ name: 'A', tokenId: null })), 403);
    assert.equal(await statusOf('POST', '/orchestrations', asWeak({ name: 'A', tokenId: strong.token.id })), 403);
    assert.equal(await statusOf('PUT', path, asWeak({ tokenId: strong.token.id })), 403);
    assert.equal(await statusOf('POST', `${path}/create-token`, asWeak({})), 403);
    const others = await make({ name: 'strong', tokenId: strong.token.id });
    const rename = asWeak({ name: 'renamed', tokenId: String(strong.token.id) });
    assert.equal(await statusOf('PUT', `/orchestrations/${others.id}`, rename), 200);
    assert.equal(await statusOf('PUT', path, asWeak({ name: 'renamed' })), 200);
    assert.equal(await statusOf('PUT', path, { body: { tokenId: strong.token.id }, token: strong.text }), 200);
    const error = (await rig.ask('POST', '/orchestrations', asWeak({ name: 'A' }))).body as Json;
    assert.match(error['message'] as string, /^Token \d+ must have canManageTokens/);
    assert.equal(error['code'], 403);
  });

  test('cannot be changed by viewers, who read all the same', async () => {
    const user = { username: 'vera', email: 'vera@tern.example', password: 'a long password', role: 'viewer' } as const;
    const { id: userId } = await rig.access.createUser(user);
    const token = await rig.access.issueToken(userId, 'for the test');
    const made = await make({ name: 'seen', tasks: [{ component: 'staying' }] });
    const path = `/orchestrations/${made.id}`;
    for (const below of ['', '/tasks', '/notifications'])
      assert.equal(await statusOf('GET', path + below, { token }), 200);
    assert.equal(await statusOf('GET', '/orchestrations', { token }), 200);
    const writes: [string, string][] = [
      ['POST', '/orchestrations'],
      ['PUT', path],
      ['DELETE', path],
      ['PUT', `${path}/tasks`],
      ['PUT', `${path}/notifications`],
      ['PUT', `${path}/nofitications`],
      ['POST', `${path}/create-token`],
    ];
    for (const [method, where] of writes) {
      assert.equal(await statusOf(method, where, { token, body: { tasks: [], name: 'x' } }), 403, `${method} ${where}`);
    }
    assert.deepEqual((await rig.ask('GET', path)).body, made);
  });

  test('are renewed: what was made for the orchestration ends, what people made stays', async () => {
    const made = await make({ name: 'renewed' });
    const path = `/orchestrations/${made.id}/create-token`;
    const first = made.token['id'] as number;
    for (const text of ['', '{}', 'null', '[]']) {
      const reply = await rig.ask('POST', path, { text });
      assert.equal(reply.status, 200, text);
      const { token } = reply.body as { token: Json };
      assert.equal(token['description'], 'Orchestrator renewed');
    }
    assert.equal((await rig.ask('POST', path, { text: '{bad' })).status, 400);
    assert.equal((await rig.ask('POST', path, { body: 'x' })).status, 400);
    assert.equal(await tokenOf(first), undefined);
    const { token: people } = await rig.newToken();
    await rig.ask('PUT', `/orchestrations/${made.id}`, { body: { tokenId: people.id } });
    const renewed = (await rig.ask('POST', path, { body: {} })).body as { token: Json };
    assert.notEqual(renewed.token['id'], people.id);
    assert.notEqual(await tokenOf(people.id), undefined);
  });

  test('show when they are not valid any more', async () => {
    const { token } = await rig.newToken();
    const made = await make({ name: 'disabled', tokenId: token.id });
    await rig.store.transaction((tx) => rig.access.tokens.revoke(tx, token.id));
    const shown = (await rig.ask('GET', `/orchestrations/${made.id}`)).body as { token: Json };
    assert.deepEqual(shown.token, { id: token.id, description: 'made by a test', isDisabled: true });
    const bind = await rig.ask('POST', '/orchestrations', { body: { name: 'A', tokenId: token.id } });
    assert.equal(bind.status, 400);
    assert.match((bind.body as Json)['message'] as string, /^tokenId: /);
  });

  test('end at once with an orchestration that never ran, but for those of people and those in use elsewhere', async () => {
    const first = await make({ name: 'first' });
    const own = first.token['id'] as number;
    const second = await make({ name: 'second', tokenId: own });
    const { token: people } = await rig.newToken();
    const third = await make({ name: 'third', tokenId: people.id });
    for (const { id } of [first, third]) assert.equal((await rig.ask('DELETE', `/orchestrations/${id}`)).status, 204);
    assert.notEqual(await tokenOf(own), undefined);
    assert.notEqual(await tokenOf(people.id), undefined);
    assert.deepEqual(await rig.orchestrate.definitions.boundTo(own), [{ id: second.id, name: 'second' }]);
    assert.equal((await rig.ask('DELETE', `/orchestrations/${second.id}`)).status, 204);
    assert.equal(await tokenOf(own), undefined);
  });

  test('live until the last job of a deleted orchestration has ended; its jobs end and stay readable', async () => {
    const tasks = [{ component: 'staying', actionParameters: { stays: true } }];
    const made = await make({ name: 'busy', tasks });
    const runs = [await start(made.id), await start(made.id)];
    await until(async () => (await rig.engine.get(runs[0]!))?.state === 'running');
    const listed = (await rig.ask('GET', `/orchestrations/${made.id}`)).body as { lastExecutedJob: Json };
    assert.deepEqual(
      [listed.lastExecutedJob['status'], listed.lastExecutedJob['startTime'], listed.lastExecutedJob['initializedBy']],
      ['waiting', null, 'manually'],
    );
    assert.equal((await rig.ask('DELETE', `/orchestrations/${made.id}`)).status, 204);
    assert.equal((await rig.engine.get(runs[1]!))?.state, 'cancelled');
    const ended = await rig.engine.settled(runs[0]!, PATIENCE_MS);
    assert.equal(ended?.state, 'cancelled');
    await until(async () => (await tokenOf(made.token['id'] as number)) === undefined);
    const job = (await rig.ask('GET', `/jobs/${ended!.number}`)).body as Json;
    assert.deepEqual([job['orchestrationId'], job['status']], [made.id, 'terminated']);
    const queued = (await rig.ask('GET', `/queue/job/${ended!.number}`)).body as Json;
    assert.deepEqual(queued['terminatedBy'], { id: 1, description: 'storage-token' });
  });

  test('let no job begin on an orchestration that is deleted at the same time', async () => {
    const made = await make({ name: 'race', tasks: [{ component: 'staying', actionParameters: { stays: true } }] });
    const starts = Array.from({ length: 8 }, () => start(made.id).catch((error: unknown) => error));
    const [deleted, ...begun] = await Promise.all([rig.ask('DELETE', `/orchestrations/${made.id}`), ...starts]);
    assert.equal(deleted.status, 204);
    for (const run of begun) {
      if (typeof run === 'string') assert.equal((await rig.engine.settled(run, PATIENCE_MS))?.state, 'cancelled');
      else assert.match(String(run), /not found/);
    }
    await until(async () => (await tokenOf(made.token['id'] as number)) === undefined);
  });

  test('are renewed under a running job, which goes on to its end with what it has', async () => {
    const made = await make({
      name: 'renewed while running',
      tasks: [{ component: 'gated' }, { component: 'staying' }],
    });
    const run = await start(made.id);
    await until(async () => (await rig.engine.tasks(run)).some(({ key, state }) => key === '0' && state === 'running'));
    const renewed = await rig.ask('POST', `/orchestrations/${made.id}/create-token`);
    assert.equal(renewed.status, 200);
    const former = made.token['id'] as number;
    const text = await rig.store.transaction((tx) =>
      rig.access.tokens.mintRun(tx, former, { runId: run, isRestricted: false }),
    );
    assert.equal((await rig.access.tokens.identify(text))?.id, former);
    gate.resolve();
    const ended = await rig.engine.settled(run, PATIENCE_MS);
    assert.equal(ended?.state, 'succeeded');
    await rig.store.pool.query(`update outbox set due_at = now() where topic = 'orchestration-token-replaced'`);
    await until(async () => (await tokenOf(former)) === undefined);
  });

  test('are shown with the newest job, whatever became of it', async () => {
    const made = await make({ name: 'ran', tasks: [{ component: 'staying' }] });
    const run = await start(made.id);
    const ended = (await rig.engine.settled(run, PATIENCE_MS))!;
    const list = (await rig.ask('GET', '/orchestrations')).body as { id: number; lastExecutedJob: Json }[];
    const { lastExecutedJob } = list.find(({ id }) => id === made.id)!;
    assert.deepEqual(Object.keys(lastExecutedJob).toSorted(), [
      'createdTime',
      'endTime',
      'id',
      'initializedBy',
      'startTime',
      'status',
    ]);
    assert.deepEqual([lastExecutedJob['id'], lastExecutedJob['status']], [ended.number, 'success']);
    assert.match(lastExecutedJob['endTime'] as string, /\+00:00$/);
  });
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < end, 'it did not come so far');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
