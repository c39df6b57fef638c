import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ComponentSpec } from '../../components/kit/index.ts';
import { echo, fail } from '../components.test-support.ts';
import { statusOf } from '../index.ts';
import type { QueueRun } from '../index.ts';
import { createLab, type Lab } from '../lab.test-support.ts';

/** Does its work as a run of another room, as syncs do. */
const starter: ComponentSpec = {
  ...echo,
  id: 'lab.starter',
  async execute({ attempt }) {
    const phases = [[{ key: 'one', component: 'component/lab.echo', input: { parameters: {}, sealed: null } }]];
    const labels = { component: 'lab.starter', config: '4' };
    const { runId } = await attempt.startChild({ kind: 'other', project: 'olake', phases, labels });
    return { state: (await attempt.childEnded(runId))?.state };
  },
};

let lab: Lab;

before(async () => {
  const config = {
    PENSTOCK_PARALLELISM: '2',
    PENSTOCK_DISABLED_COMPONENTS: 'lab.fail-off',
    PENSTOCK_REMOTE_COMPONENTS: 'ex-facebook=https://extractors.tern.example/facebook/',
  };
  const off: ComponentSpec = { ...fail, id: 'lab.fail-off' };
  lab = await createLab({ config, specs: [starter, off] });
});

after(async () => {
  await lab?.close();
});

const runs = () => lab.orchestrate.componentRuns;
const project = () => lab.scope().project;

function start(component: string, body: object, more: { envelope?: boolean } = {}): Promise<QueueRun> {
  const envelope = more.envelope ?? false;
  return runs().start(lab.scope(), { component, envelope, body: body as Record<string, unknown>, path: '/x' });
}

async function ended(run: QueueRun): Promise<QueueRun> {
  const end = await lab.engine.settled(run.run.id, 60_000);
  assert.ok(end?.endedAt);
  return runs().get(run.run.number);
}

describe('a component run', () => {
  it('is durable, shows its result, and never a secret', async () => {
    const made = await start('lab.echo', { a: 1, '#key': 'a long secret', text: 'with a long secret inside' });
    assert.equal(statusOf(made.run), 'waiting');
    assert.deepEqual(made.parameters, { a: 1, '#key': '********', text: 'with a long secret inside' });
    const run = await ended(made);
    assert.equal(statusOf(run.run), 'success');
    assert.deepEqual(run.result, { echoed: { a: 1, '#key': '********', text: 'with ******** inside' } });
    const stored = await lab.store.pool.query(
      `select input->'parameters'->>'#key' as key from task where run_id = $1`,
      [made.run.id],
    );
    assert.equal(stored.rows[0].key, '********');
    assert.deepEqual(run.token, { id: lab.token.id, description: lab.token.description });
  });

  it('ends with an error of the user, of a program, or with one that only the log explains', async () => {
    const mistake = await ended(await start('lab.fail', { message: 'no such thing' }));
    assert.equal(mistake.error!.message, 'no such thing');
    const message = 'The program ended with code 3; its output is in the events.';
    const program = await ended(await start('lab.fail', { message, kind: 'component_failed' }));
    assert.deepEqual([program.error!.kind, program.error!.message], ['component_failed', message]);
    const defect = await ended(await start('lab.fail', {}));
    assert.equal(defect.error!.kind, 'component_failed');
    assert.match(defect.error!.message, /^Application error\. Look for penstock-[0-9a-f]{32} /);
    const events = await lab.engine.readLog(defect.run.id, {
      cursor: 0,
      limit: 100,
      direction: 'newer',
      hideDebug: false,
    });
    assert.ok(events!.entries.every((entry) => !entry.message.includes('a defect with details')));
  });

  it('is refused at once for what is wrong with the request', async () => {
    await assert.rejects(start('lab.none', {}), { kind: 'not_found', message: "Component 'lab.none' not found" });
    await assert.rejects(start('lab.hold', {}), { kind: 'bad_request', message: "Parameter 'name' is required" });
    await assert.rejects(start('lab.hold', { name: 'x', y: 1 }), {
      message: "Parameter 'y' is not allowed. Allowed params are isDeaf, lock, name",
    });
    await assert.rejects(start('lab.echo', {}, { envelope: true }), { message: "Specify 'config' or 'configData'." });
  });

  it('starts an orchestration as the component orchestrator', async () => {
    const id = await lab.define([{ component: 'lab.echo' }]);
    const run = await ended(await start('orchestrator', { config: String(id) }, { envelope: true }));
    assert.equal(run.component, 'orchestrator');
    assert.equal(statusOf(run.run), 'success');
    assert.equal((await lab.orchestrate.jobs.get(project(), run.run.number)).orchestrationId, id);
  });
});

describe('the queue', () => {
  it('finds runs by component, status, config, token and run id', async () => {
    const id = await lab.define([{ component: 'lab.hold', actionParameters: { name: 'listed' } }]);
    const { run } = await lab.start(id);
    await lab.holds.begun('listed');
    const find = async (filter: string) => {
      const { runs: found, total } = await runs().queue({ filter, limit: 100, offset: 0 });
      assert.equal(found.length, total);
      return found.map((one) => one.component);
    };
    assert.deepEqual(await find('status:processing'), ['lab.hold', 'orchestrator']);
    assert.deepEqual(await find('status:processing component:lab.hold params.config:listed'), ['lab.hold']);
    assert.deepEqual(await find('status:processing AND -component:lab.hold'), ['orchestrator']);
    assert.deepEqual(await find(`runId:${run.number}.*`), ['lab.hold']);
    assert.deepEqual(await find(`runId:${run.number}`), ['orchestrator']);
    assert.deepEqual(await find(`+params.config:${id} +component:orchestrator -status:success`), ['orchestrator']);
    assert.deepEqual(await find('component:lab.hold component:orchestrator'), []);
    assert.deepEqual(await find('status:whatever'), []);
    assert.deepEqual(await find('status:processing token.id:999999'), []);
    await runs().kill(lab.scope(), run.number);
    await lab.ended(run.number);
    assert.deepEqual(await find(`status:terminated runId:${run.number}*`), ['lab.hold', 'orchestrator']);
    assert.deepEqual(await find(`status:cancelled runId:${run.number}*`), []);
    await assert.rejects(find('nonsense'), { kind: 'bad_request' });
  });
});

describe('runs of other rooms', () => {
  it('are in the queue once: not beside the component run that stands for them', async () => {
    const run = await ended(await start('lab.starter', {}));
    assert.deepEqual(run.result, { state: 'succeeded' });
    const own = await lab.engine.start({
      kind: 'other',
      project: 'olake',
      trigger: 'api',
      phases: [[{ key: 'one', component: 'component/lab.echo', input: { parameters: {}, sealed: null } }]],
      labels: { component: 'lab.starter', config: '4' },
      createdBy: 'kim',
    });
    await lab.engine.settled(own.runId, 60_000);
    const found = await runs().queue({ filter: 'component:lab.starter', limit: 10, offset: 0 });
    assert.deepEqual(
      found.runs.map((one) => one.run.number),
      [own.number, run.run.number],
    );
    assert.deepEqual(found.runs[0]!.parameters, { config: '4' });
    assert.deepEqual(found.runs[0]!.token, { id: 0, description: 'kim' });
  });
});

describe('a component whose work somebody else ends', () => {
  it('is terminated with it, and has not failed', async () => {
    const made = await start('lab.fail', { message: 'Run 5 of the job was cancelled', kind: 'cancelled' });
    assert.equal(statusOf((await ended(made)).run), 'terminated');
  });
});

describe('a component that is switched off or elsewhere', () => {
  it('is listed, and refused where it cannot run', async () => {
    const listed = new Map(
      runs()
        .list()
        .map((one) => [one.id, one.isOffBecause]),
    );
    assert.equal(listed.get('ex-facebook'), null);
    assert.match(listed.get('lab.fail-off') ?? '', /disabled/);
    await assert.rejects(start('lab.fail-off', {}), { message: "Component 'lab.fail-off' is disabled" });
    await assert.rejects(start('ex-facebook', {}), { kind: 'bad_request' });
    const job = await lab.run([{ component: 'lab.fail-off' }]);
    assert.equal(job.results![0]!.reached!.message, "Component 'lab.fail-off' is disabled");
  });

  it('is called at its address and action', async () => {
    const called: string[] = [];
    lab.elsewhere = async ({ url }) => {
      called.push(url);
      return { status: 'success', response: {} };
    };
    const job = await lab.run([{ component: 'ex-facebook' }, { component: 'ex-facebook', action: 'accounts/list' }]);
    assert.equal(job.status, 'success');
    const base = 'https://extractors.tern.example/facebook';
    assert.deepEqual(called, [`${base}/run`, `${base}/accounts/list`]);
  });
});

describe('the capacity of the project', () => {
  it('bounds what runs at once, but lets every job have one', async () => {
    const free = ['one', 'two', 'three'];
    const started = [];
    for (const name of free) started.push(await start('lab.hold', { name }));
    await Promise.all([lab.holds.begun('one'), lab.holds.begun('two')]);
    const id = await lab.define([
      { component: 'lab.hold', actionParameters: { name: 'of a job' }, phase: 'p' },
      { component: 'lab.hold', actionParameters: { name: 'of a job, too' }, phase: 'p' },
    ]);
    const { run } = await lab.start(id);
    await Promise.race([lab.holds.begun('of a job'), lab.holds.begun('of a job, too')]);
    const both = ['of a job', 'of a job, too'].filter((name) => lab.holds.isRunning(name));
    assert.equal(both.length, 1);
    assert.ok(!lab.holds.isRunning('three'));
    for (const name of [...free, 'of a job', 'of a job, too']) lab.holds.release(name);
    for (const one of started) assert.equal(statusOf((await ended(one)).run), 'success');
    assert.equal((await lab.ended(run.number)).status, 'success');
  });

  it('lets runs with the same lock key run one after another', async () => {
    const first = await start('lab.hold', { name: 'lock 1', lock: 'same' });
    const second = await start('lab.hold', { name: 'lock 2', lock: 'same' });
    await lab.holds.begun('lock 1');
    assert.ok(!lab.holds.isRunning('lock 2'));
    assert.equal(statusOf((await runs().get(second.run.number)).run), 'waiting');
    const page = { cursor: 0, limit: 10, direction: 'newer', hideDebug: false } as const;
    const events = await lab.engine.readLog(second.run.id, page);
    assert.deepEqual(
      events!.entries.map(({ message }) => message),
      [`Run ${second.run.number} waits for run ${first.run.number}: one at a time works on the same`],
    );
    const third = await lab.start(
      await lab.define([{ component: 'lab.hold', actionParameters: { name: 'lock 3', lock: 'same' } }]),
    );
    const said = async () => (await lab.engine.readLog(third.run.id, page))!.entries.map(({ message }) => message);
    const words = `waits for run ${first.run.number} and 1 more: one at a time works on the same`;
    await lab.until(async () => (await said()).some((message) => message.endsWith(words)));
    lab.holds.release('lock 3');
    lab.holds.release('lock 2');
    lab.holds.release('lock 1');
    const [one, two] = [await ended(first), await ended(second)];
    assert.ok(one.run.endedAt! <= two.run.startedAt!);
  });
});
