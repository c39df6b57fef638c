import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { createLab, type Lab } from '../lab.test-support.ts';
import type { JobView, Message } from '../index.ts';

const ECHO = { component: 'lab.echo', actionParameters: {} };
const FAIL = { component: 'lab.fail', actionParameters: { message: 'the table orders is gone' } };
const MAY_FAIL = { ...FAIL, continueOnFailure: true };
const OPS = 'ops@tern.example';

const on = (channel: string, email = OPS, parameters = {}) => ({ channel, email, parameters });
const EVERY_CHANNEL = [
  on('error'),
  on('warning'),
  on('waiting', OPS, { timeout: 30 }),
  on('processing', OPS, { tolerance: 20 }),
];

let lab: Lab;
before(async () => {
  lab = await createLab();
});
after(() => lab?.close());

const hold = (name: string) => ({ component: 'lab.hold', actionParameters: { name } });
const told = (job: number): readonly Message[] => lab.messages.filter(({ jobId }) => jobId === job);
const channels = (job: number): readonly string[] => told(job).map(({ channel, to }) => `${channel} ${to}`);

/** Makes the job that a tick of the schedule makes; its number. */
async function fire(id: number): Promise<number> {
  const started = await lab.store.transaction(async (tx) => {
    const orchestration = (await lab.orchestrate.definitions.hold(tx, id))!;
    const initiator = { tokenId: orchestration.tokenId, agent: 'Penstock Scheduler' };
    const scheduledTime = new Date(Date.now() - Math.floor(Math.random() * 1e9));
    return lab.orchestrate.jobs.startIn(tx, { orchestration, initializedBy: 'scheduler', initiator, scheduledTime });
  });
  return started.number;
}

async function trigger(id: number, more = {}): Promise<number> {
  const path = `/orchestrations/${id}/trigger`;
  return (await lab.orchestrate.jobs.trigger(lab.scope(more), { path, orchestrationId: id })).run.number;
}

async function endOf(number: number): Promise<JobView> {
  return lab.ended(number);
}

interface Deadline {
  readonly key: string;
  /** Seconds from when the job was accepted (`waiting`) or began (`processing`). */
  readonly after: number;
}

/** The deadlines of a job that are still to come. */
async function deadlinesOf(number: number): Promise<readonly Deadline[]> {
  const { rows } = await sql<Deadline>`
    select outbox.key, round(extract(epoch from outbox.due_at -
      case payload->>'channel' when 'waiting' then run.queued_at else run.started_at end)::numeric, 2)::float8 as after
    from outbox join run on run.id = payload->>'runId'
    where topic = 'orchestrate.deadline' and due_at is not null and run.number = ${number}`.execute(lab.store.db);
  return rows;
}

/** Lets the one deadline of a job be reached, and waits until it was seen to. */
async function reach(number: number): Promise<void> {
  const [deadline, ...more] = await deadlinesOf(number);
  assert.ok(deadline !== undefined && more.length === 0);
  await sql`update outbox set due_at = now() where key = ${deadline.key}`.execute(lab.store.db);
  await lab.until(async () => (await lab.engine.outboxState(deadline.key))?.state === 'delivered');
}

/** As if jobs of these many seconds had gone well before; answers the seconds that they took on average. */
async function past(id: number, seconds: readonly number[]): Promise<void> {
  for (const taken of seconds) {
    const job = await endOf((await lab.start(id)).run.number);
    await sql`update run set ended_at = started_at + make_interval(secs => ${taken}) where id = ${job.run.id}`.execute(
      lab.store.db,
    );
  }
}

describe('the end of a job', () => {
  for (const [how, begin] of [
    ['by schedule', fire],
    ['by trigger', trigger],
  ] as const) {
    it(`${how} is told to those who are configured for it`, async () => {
      const rules = [on('error', 'a@tern.example'), on('error', 'b@tern.example'), on('warning', 'c@tern.example')];
      const failing = await begin(await lab.define([FAIL], { notifications: rules }));
      assert.equal((await endOf(failing)).status, 'error');
      assert.deepEqual(channels(failing), ['error a@tern.example', 'error b@tern.example']);
      const warning = await begin(await lab.define([MAY_FAIL, ECHO], { notifications: rules }));
      assert.equal((await endOf(warning)).status, 'warning');
      assert.deepEqual(channels(warning), ['warning c@tern.example']);
      const good = await begin(await lab.define([ECHO], { notifications: rules }));
      assert.equal((await endOf(good)).status, 'success');
      assert.deepEqual(channels(good), []);
    });
  }

  it('that was started by hand is told to the addresses of the start alone, and only when it went wrong', async () => {
    const emails = { notificationsEmails: ['kim@tern.example', 'lee@tern.example'] };
    const start = async (task: object, sent: object): Promise<number> => {
      const id = await lab.define([task], { notifications: EVERY_CHANNEL });
      return (await endOf((await lab.start(id, sent)).run.number)).run.number;
    };
    assert.deepEqual(channels(await start(FAIL, emails)), ['error kim@tern.example', 'error lee@tern.example']);
    assert.deepEqual(channels(await start(MAY_FAIL, emails)), ['warning kim@tern.example', 'warning lee@tern.example']);
    assert.deepEqual(channels(await start(ECHO, emails)), []);
    assert.deepEqual(channels(await start(FAIL, {})), []);
  });

  it('of a nested job is told to nobody who is configured', async () => {
    const inner = await lab.define([FAIL], { notifications: EVERY_CHANNEL });
    const outer = await lab.define([{ component: 'orchestrator', actionParameters: { config: inner } }], {
      notifications: EVERY_CHANNEL,
    });
    const number = await fire(outer);
    const job = await endOf(number);
    const [child] = await lab.engine.children(job.run.id);
    assert.equal((await endOf(child!.number)).status, 'error');
    assert.deepEqual(channels(child!.number), []);
    assert.deepEqual(channels(number), [`error ${OPS}`]);
    const below = await trigger(inner, { parentPath: String(number) });
    await endOf(below);
    assert.deepEqual(channels(below), []);
  });

  it('by cancel or kill is told to nobody', async () => {
    const id = await lab.define([hold('killed')], { notifications: EVERY_CHANNEL });
    const [running, waiting] = [await fire(id), await fire(id)];
    await lab.holds.begun('killed');
    await lab.orchestrate.jobs.cancel(lab.scope(), waiting);
    await lab.orchestrate.componentRuns.kill(lab.scope(), running);
    assert.deepEqual([(await endOf(waiting)).status, (await endOf(running)).status], ['cancelled', 'terminated']);
    assert.deepEqual([...channels(waiting), ...channels(running)], []);
  });

  it('is told once to an address that has several rules, by a key of job, channel and address', async () => {
    const notifications = [on('error'), on('error'), on('error', 'b@tern.example')];
    const number = await fire(await lab.define([FAIL], { notifications }));
    await endOf(number);
    assert.deepEqual(
      told(number).map(({ key }) => key),
      [`job/${number}/error/${OPS}`, `job/${number}/error/b@tern.example`],
    );
  });

  it('is told by the rules that stood when the job was made', async () => {
    const id = await lab.define([hold('rules'), FAIL], { notifications: [on('error', 'before@tern.example')] });
    const number = await fire(id);
    await lab.holds.begun('rules');
    await lab.orchestrate.definitions.replaceNotifications(lab.scope(), id, [on('error', 'after@tern.example')]);
    lab.holds.release('rules');
    await endOf(number);
    assert.deepEqual(channels(number), ['error before@tern.example']);
  });

  it('goes to a webhook with the secret of its rule, and tells the facts as data', async () => {
    const email = 'https://hooks.tern.example/alerts';
    const id = await lab.define([ECHO, FAIL], {
      notifications: [on('error', email, { '#secret': 'whsec_tern' })],
      crontabRecord: '0 3 1 1 *',
    });
    const number = await fire(id);
    await endOf(number);
    const [message] = told(number);
    assert.equal(
      lab.access.secrets.open(message!.sealedSecret!, 'secret of a webhook of orchestrations'),
      'whsec_tern',
    );
    const { job, cause, tasks, orchestration, nextScheduledTime } = message!.data as ReturnType<typeof JSON.parse>;
    assert.deepEqual(orchestration, { id, name: 'Lab' });
    assert.equal(job.url, `http://127.0.0.1:8080/jobs/${number}`);
    assert.deepEqual(tasks, [
      {
        position: 2,
        name: 'lab.fail',
        message: 'the table orders is gone',
        advice: 'Correct the parameters of the task, then start the orchestration again: a retry repeats the old ones.',
      },
    ]);
    assert.equal(cause.message, 'Task 2 (lab.fail): the table orders is gone');
    assert.match(nextScheduledTime, /^\d{4}-01-01T03:00:00\+00:00$/);
    assert.doesNotMatch(JSON.stringify(message), /whsec_tern/);
  });

  it('names the task that ended the job before those that it went on after', async () => {
    const other = { ...MAY_FAIL, actionParameters: { message: 'does not matter' } };
    const number = await fire(await lab.define([other, FAIL], { notifications: [on('error')] }));
    await endOf(number);
    const [{ text } = { text: '' }] = told(number);
    assert.match(text, /^First cause: +Task 2 \(lab\.fail\): the table orders is gone$/m);
    assert.match(text, /^- 1\. lab\.fail: does not matter$/m);
  });

  it('shows a defect by its number only, and a token that is not valid as the cause at the start', async () => {
    const defect = await fire(await lab.define([{ component: 'lab.fail' }], { notifications: [on('error')] }));
    await endOf(defect);
    assert.match(told(defect)[0]!.text, /Look for penstock-[0-9a-f]{32}/);
    assert.doesNotMatch(told(defect)[0]!.text, /a defect with details/);
    assert.match(told(defect)[0]!.cause, /^lab\.fail: .*Look for # in the/);
    const id = await lab.define([ECHO], { notifications: [on('error')] });
    const { rows } = await sql<{ token: number }>`select token_id as token from orchestration where id = ${id}`.execute(
      lab.store.db,
    );
    await sql`update storage_token set expires_at = now() - interval '1 day' where id = ${rows[0]!.token}`.execute(
      lab.store.db,
    );
    const number = await fire(id);
    await endOf(number);
    assert.match(told(number)[0]!.text, /Start of the job: Orchestration token \d+ is not valid/);
  });

  it('does not show secrets that a component elsewhere says again', async () => {
    lab.elsewhere = async () => ({
      status: 'error',
      response: { message: 'wrong password hunter22', body: 'private' },
    });
    const task = { componentUrl: 'https://hooks.tern.example/x?key=1', actionParameters: { '#password': 'hunter22' } };
    const number = await fire(await lab.define([task], { notifications: [on('error')] }));
    await endOf(number);
    const message = JSON.stringify(told(number));
    assert.doesNotMatch(message, /hunter22|private|key=1/);
    assert.match(message, /1\. hooks\.tern\.example: wrong password \*{8}/);
  });
});

describe('a job that waits', () => {
  it('is told of once its minutes are over, counted from when it was made', async () => {
    const id = await lab.define([hold('line')], { notifications: EVERY_CHANNEL });
    const first = await fire(id);
    await lab.holds.begun('line');
    const second = await trigger(id);
    assert.deepEqual(
      (await deadlinesOf(second)).map(({ after: seconds }) => seconds),
      [1800],
    );
    await reach(second);
    assert.deepEqual(channels(second), [`waiting ${OPS}`]);
    assert.equal(told(second)[0]!.subject, '[Penstock] Orchestration "Lab" is waiting for 30 minutes');
    assert.match(told(second)[0]!.text, new RegExp(`Job ${first} of the same orchestration has not ended`));
    assert.deepEqual(await deadlinesOf(second), []);
    await reach(first);
    assert.deepEqual(channels(first), []);
    lab.holds.release('line');
    await endOf(second);
  });

  it('is told to each address by its own smallest number of minutes, one deadline after the other', async () => {
    const notifications = [
      on('waiting', 'b@tern.example', { timeout: 90 }),
      on('waiting', OPS, { timeout: 10 }),
      on('waiting', OPS, { timeout: 90 }),
      on('waiting', 'never@tern.example', { timeout: Number.MAX_SAFE_INTEGER }),
    ];
    const id = await lab.define([hold('two')], { notifications });
    const first = await fire(id);
    await lab.holds.begun('two');
    const second = await fire(id);
    const seconds: (number | undefined)[] = [];
    for (let round = 0; round < 2; round++) {
      seconds.push((await deadlinesOf(second))[0]?.after);
      await reach(second);
    }
    assert.deepEqual(seconds, [600, 5400]);
    assert.deepEqual(await deadlinesOf(second), []);
    const keys = new Set(told(second).map(({ key }) => key));
    assert.deepEqual([...keys], [`job/${second}/waiting/${OPS}`, `job/${second}/waiting/b@tern.example`]);
    lab.holds.release('two');
    await endOf(first);
    await endOf(second);
  });

  it('is watched when its schedule made it, and not when it was started by hand or below another', async () => {
    const tasks = [hold('watched')];
    const id = await lab.define(tasks, { notifications: EVERY_CHANNEL, crontabRecord: '* * * * *' });
    await sql`update schedule set next_fire_at = date_trunc('minute', now()) where key = ${`orchestration/${id}`}`.execute(
      lab.store.db,
    );
    await lab.scheduler.tick();
    const { jobs } = await lab.orchestrate.jobs.list(lab.scope().project, id, { limit: 1, offset: 0 });
    assert.equal(jobs[0]!.initializedBy, 'scheduler');
    assert.equal((await deadlinesOf(jobs[0]!.run.number)).length, 1);
    const manual = (await lab.start(id)).run.number;
    const nested = await trigger(id, { parentPath: '999999' });
    assert.deepEqual([await deadlinesOf(manual), await deadlinesOf(nested)], [[], []]);
    lab.holds.release('watched');
    await endOf(nested);
  });
});

describe('a job that runs', () => {
  const rules = (tolerance: number) => ({ notifications: [on('processing', OPS, { tolerance })] });

  it('is told of when it takes longer than usual by more than is tolerated', async () => {
    const id = await lab.define([ECHO], rules(20));
    await past(id, [5400, 6000, 6600]);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), id, [hold('slow')]);
    const number = await fire(id);
    await lab.holds.begun('slow');
    // 20 % over 100 minutes: after 120 minutes.
    assert.deepEqual(
      (await deadlinesOf(number)).map(({ after: seconds }) => seconds),
      [7200],
    );
    await reach(number);
    assert.deepEqual(channels(number), [`processing ${OPS}`]);
    assert.equal(told(number)[0]!.subject, '[Penstock] Orchestration "Lab" is running 20 % longer than usual');
    assert.match(told(number)[0]!.text, /usually take 1 h 40 min$/m);
    assert.match(told(number)[0]!.text, /Running tasks:\n- 1\. lab\.hold$/m);
    lab.holds.release('slow');
    await endOf(number);
  });

  it('is measured by the last 20 jobs that ended well, warnings included, others left out', async () => {
    const id = await lab.define([MAY_FAIL], rules(100));
    await past(
      id,
      Array.from({ length: 21 }, (_, place) => (place === 0 ? 1_000_000 : 10)),
    );
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), id, [FAIL]);
    await past(id, [500_000]);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), id, [hold('measured')]);
    const number = await fire(id);
    await lab.holds.begun('measured');
    assert.deepEqual(
      (await deadlinesOf(number)).map(({ after: seconds }) => seconds),
      [20],
    );
    lab.holds.release('measured');
    await endOf(number);
  });

  it('is not watched while fewer than three jobs ended well, nor when it was started by hand', async () => {
    const id = await lab.define([ECHO], rules(1));
    await past(id, [60, 60]);
    const number = await fire(id);
    await endOf(number);
    assert.deepEqual(await deadlinesOf(number), []);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), id, [hold('unwatched')]);
    const manual = (await lab.start(id)).run.number;
    await lab.holds.begun('unwatched');
    assert.deepEqual(await deadlinesOf(manual), []);
    lab.holds.release('unwatched');
    await endOf(manual);
  });

  it('is told to nobody when it has ended by its deadline, or is being killed', async () => {
    const id = await lab.define([ECHO], rules(20));
    await past(id, [60, 60, 60]);
    const number = await fire(id);
    assert.equal((await endOf(number)).status, 'success');
    await reach(number);
    assert.deepEqual(channels(number), []);
    await lab.orchestrate.definitions.replaceTasks(lab.scope(), id, [
      { component: 'lab.hold', actionParameters: { name: 'deaf', isDeaf: true } },
    ]);
    const killed = await fire(id);
    await lab.holds.begun('deaf');
    await lab.orchestrate.componentRuns.kill(lab.scope(), killed);
    await reach(killed);
    assert.deepEqual(channels(killed), []);
    lab.holds.release('deaf');
    await endOf(killed);
  });
});
