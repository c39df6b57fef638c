import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import { createLab, type Lab } from '../lab.test-support.ts';
import type { JobView, ScheduleView } from '../index.ts';

const ECHO = { component: 'lab.echo', actionParameters: {} };
const EVERY_MINUTE = { crontabRecord: '* * * * *' };
const MINUTE_MS = 60_000;

let lab: Lab;
before(async () => {
  lab = await createLab();
});
after(() => lab?.close());

function hold(name: string) {
  return { component: 'lab.hold', actionParameters: { name } };
}

async function jobsOf(id: number): Promise<readonly JobView[]> {
  const { jobs } = await lab.orchestrate.jobs.list(lab.scope().project, id, { limit: 200, offset: 0 });
  return jobs.toReversed();
}

function look(id: number): Promise<ScheduleView> {
  return lab.orchestrate.schedules.get(lab.scope().project, id);
}

/** The latest whole minute, by the clock of the database. */
async function thisMinute(): Promise<Date> {
  const { rows } = await sql<{ at: Date }>`select date_trunc('minute', clock_timestamp()) as at`.execute(lab.store.db);
  return rows[0]!.at;
}

function minutesBefore(instant: Date, minutes: number): Date {
  return new Date(instant.getTime() - minutes * MINUTE_MS);
}

/** As if no scheduler had been there since this instant, which is the first that nobody has seen to. */
async function leaveAloneSince(id: number, instant: Date): Promise<void> {
  await sql`update schedule set next_fire_at = ${instant} where key = ${`orchestration/${id}`}`.execute(lab.store.db);
}

/** Fires the tick of one instant, which must be the newest. */
async function tick(id: number, instant: Date): Promise<void> {
  await leaveAloneSince(id, instant);
  await lab.scheduler.tick();
}

const times = (dates: readonly (Date | null)[]): readonly (string | undefined)[] =>
  dates.map((date) => date?.toISOString());

/** Crontab record of the minute of the hour in which an instant lies: its next tick is far away. */
function hourlyAt(instant: Date): string {
  return `${instant.getUTCMinutes()} * * * *`;
}

/** Makes an orchestration whose schedule has no tick within half an hour but those that a test makes due. */
async function quietly(tasks: readonly object[], more: object = {}): Promise<number> {
  return lab.define(tasks, { crontabRecord: hourlyAt(minutesBefore(await thisMinute(), 30)), ...more });
}

void describe('a tick of an orchestration', () => {
  it('makes one job with its nominal time, and moves the times of the schedule on', async () => {
    const due = minutesBefore(await thisMinute(), 5);
    const id = await quietly([ECHO]);
    await tick(id, due);
    await lab.scheduler.tick();
    const [job, ...more] = await jobsOf(id);
    assert.equal(more.length, 0);
    assert.equal(job!.initializedBy, 'scheduler');
    assert.equal(job!.initiatorAgent, 'Penstock Scheduler');
    assert.equal(job!.initiatorId, job!.tokenId);
    assert.deepEqual(job!.scheduledTime, due);
    const { orchestration, nextTimes, unmade } = await look(id);
    assert.deepEqual(orchestration.lastScheduledTime, due);
    assert.deepEqual(orchestration.nextScheduledTime, minutesBefore(due, -35));
    assert.deepEqual(nextTimes[0], orchestration.nextScheduledTime);
    assert.equal(nextTimes.length, 5);
    assert.deepEqual(unmade, []);
    assert.equal((await lab.ended(job!.run.number)).status, 'success');
  });

  it('makes one job when three schedulers tick at once, for many orchestrations', async () => {
    const due = minutesBefore(await thisMinute(), 5);
    const ids = await Promise.all(Array.from({ length: 30 }, () => quietly([ECHO])));
    for (const id of ids) await leaveAloneSince(id, due);
    await Promise.all([1, 2, 3].map(() => lab.scheduler.tick()));
    for (const id of ids) assert.equal((await jobsOf(id)).length, 1);
  });

  it('does not come a second time when the clock goes back', async () => {
    const due = minutesBefore(await thisMinute(), 5);
    const id = await quietly([hold('clock')]);
    await tick(id, due);
    await tick(id, due);
    assert.equal((await jobsOf(id)).length, 1);
    // A later tick is coalesced into the waiting second job; neither of the two comes again.
    await lab.holds.begun('clock');
    const later = minutesBefore(due, -1);
    const latest = minutesBefore(due, -2);
    await tick(id, later);
    await tick(id, latest);
    for (const again of [latest, later, due]) await tick(id, again);
    const jobs = await jobsOf(id);
    assert.deepEqual(times(jobs.map((job) => job.scheduledTime)), times([due, latest]));
    assert.equal(jobs[1]!.coalescedTicks, 1);
    assert.deepEqual((await look(id)).orchestration.lastScheduledTime, latest);
    lab.holds.release('clock');
    await lab.ended(jobs[1]!.run.number);
  });

  it('of an orchestration without tasks is kept as refused, and the schedule goes on', async () => {
    const due = minutesBefore(await thisMinute(), 5);
    const id = await quietly([]);
    await tick(id, due);
    const { unmade, orchestration } = await look(id);
    assert.deepEqual(
      unmade.map(({ dueAt, outcome }) => [dueAt, outcome]),
      [[due, 'refused']],
    );
    assert.equal(orchestration.lastScheduledTime, null);
    assert.ok(orchestration.nextScheduledTime! > due);
  });

  it('of one that somebody changes at this moment stays due, and spoils no other', async () => {
    const due = minutesBefore(await thisMinute(), 5);
    const [changed, other] = [await quietly([ECHO]), await quietly([ECHO])];
    await leaveAloneSince(changed, due);
    await leaveAloneSince(other, due);
    await lab.store.transaction(async (tx) => {
      await sql`select 1 from orchestration where id = ${changed} for update`.execute(tx);
      await lab.scheduler.tick();
      assert.equal((await jobsOf(other)).length, 1);
      assert.equal((await jobsOf(changed)).length, 0);
    });
    await lab.scheduler.tick();
    assert.deepEqual(times((await jobsOf(changed)).map((job) => job.scheduledTime)), times([due]));
  });

  it('does not come while the orchestration is inactive, nor is it made up for afterwards', async () => {
    const id = await lab.define([ECHO], EVERY_MINUTE);
    const { definitions } = lab.orchestrate;
    const now = await thisMinute();
    await leaveAloneSince(id, minutesBefore(now, 3));
    await definitions.update(lab.scope(), id, { sent: { active: false } });
    await lab.scheduler.tick();
    assert.deepEqual((await look(id)).nextTimes, []);
    await definitions.update(lab.scope(), id, { sent: { active: true } });
    await lab.scheduler.tick();
    assert.equal((await jobsOf(id)).length, 0);
    const { orchestration, unmade } = await look(id);
    assert.ok(orchestration.nextScheduledTime! > now);
    assert.deepEqual(unmade, []);
  });
});

void describe('ticks that were missed', () => {
  it('are made up for by one job for the latest, the older ones are kept as missed', async () => {
    const id = await lab.define([ECHO], EVERY_MINUTE);
    const now = await thisMinute();
    await leaveAloneSince(id, minutesBefore(now, 3));
    await lab.scheduler.tick();
    const [job, ...more] = await jobsOf(id);
    assert.equal(more.length, 0);
    const newest = job!.scheduledTime!;
    assert.ok(newest >= now);
    const { unmade } = await look(id);
    const expected = [1, 2, 3].map((minutes) => minutesBefore(newest, minutes));
    assert.deepEqual(times(unmade.slice(0, 3).map(({ dueAt }) => dueAt)), times(expected));
    assert.ok(unmade.every(({ outcome }) => outcome === 'missed'));
    await lab.ended(job!.run.number);
    const asked = { number: job!.run.number, after: null, limit: 100 };
    const events = await lab.orchestrate.jobs.events(lab.scope().project, asked);
    assert.ok(events.some(({ type, message }) => type === 'warn' && /earlier ticks were missed/.test(message)));
  });

  it('are listed one by one up to a limit, however long nobody was there', async () => {
    const id = await lab.define([ECHO], EVERY_MINUTE);
    await leaveAloneSince(id, minutesBefore(await thisMinute(), 500_000));
    await lab.scheduler.tick();
    assert.equal((await jobsOf(id)).length, 1);
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from orchestration_tick where orchestration_id = ${id}`.execute(lab.store.db);
    assert.equal(rows[0]!.n, 100);
  });

  it('get no job when nothing is to be caught up, unless they are on time', async () => {
    const id = await quietly([ECHO], { catchUp: 'none' });
    const due = minutesBefore(await thisMinute(), 5);
    await tick(id, due);
    assert.equal((await jobsOf(id)).length, 0);
    assert.deepEqual(
      (await look(id)).unmade.map(({ dueAt, outcome }) => [dueAt, outcome]),
      [[due, 'missed']],
    );
    await tick(id, await thisMinute());
    assert.equal((await jobsOf(id)).length, 1);
  });

  it('get a job each, in their order, when all are to be caught up', async () => {
    const id = await lab.define([ECHO], { ...EVERY_MINUTE, catchUp: 'all' });
    const now = await thisMinute();
    await leaveAloneSince(id, minutesBefore(now, 3));
    await lab.scheduler.tick();
    const jobs = await jobsOf(id);
    const expected = [3, 2, 1, 0].map((minutes) => minutesBefore(now, minutes));
    assert.deepEqual(times(jobs.slice(0, 4).map((job) => job.scheduledTime)), times(expected));
    for (const job of jobs) assert.equal((await lab.ended(job.run.number)).status, 'success');
  });
});

void describe('a tick while a job has not ended', () => {
  /** One job that runs, and the three ticks before a whole minute of the past. */
  async function busy(name: string, more: object = {}) {
    const latest = minutesBefore(await thisMinute(), 5);
    const id = await quietly([hold(name)], more);
    await tick(id, minutesBefore(latest, 3));
    await lab.holds.begun(name);
    return { id, ticks: [2, 1, 0].map((minutes) => minutesBefore(latest, minutes)) };
  }

  it('is coalesced into the one job of the schedule that waits, and each is told of', async () => {
    const { id, ticks } = await busy('coalesce');
    for (const due of ticks) await tick(id, due);
    const [running, waiting, ...more] = await jobsOf(id);
    assert.equal(more.length, 0);
    assert.equal(running!.status, 'processing');
    assert.equal(waiting!.status, 'waiting');
    assert.deepEqual(waiting!.scheduledTime, ticks[2]);
    assert.equal(waiting!.coalescedTicks, 2);
    const { unmade, orchestration } = await look(id);
    assert.deepEqual(orchestration.lastScheduledTime, ticks[2]);
    assert.deepEqual(
      unmade.map(({ dueAt, outcome, job }) => [dueAt, outcome, job]),
      [ticks[1], ticks[0]].map((dueAt) => [dueAt, 'coalesced', waiting!.run.number]),
    );
    lab.holds.release('coalesce');
    await lab.ended(waiting!.run.number);
    const asked = { number: waiting!.run.number, after: null, limit: 100 };
    const events = await lab.orchestrate.jobs.events(lab.scope().project, asked);
    assert.equal(events.filter(({ message }) => /stands for the tick of/.test(message)).length, 2);
  });

  it('gets a job of its own beside one that a person started', async () => {
    const { id, ticks } = await busy('manual');
    const manual = await lab.start(id);
    await tick(id, ticks[0]!);
    const jobs = await jobsOf(id);
    assert.equal(jobs.length, 3);
    assert.equal(jobs[1]!.run.number, manual.run.number);
    assert.equal(jobs[2]!.coalescedTicks, 0);
    lab.holds.release('manual');
    await lab.ended(jobs[2]!.run.number);
  });

  it('waits with others when each is to have its job', async () => {
    const { id, ticks } = await busy('enqueue', { overlap: 'enqueue' });
    for (const due of ticks) await tick(id, due);
    assert.deepEqual(times((await jobsOf(id)).slice(1).map((job) => job.scheduledTime)), times(ticks));
    lab.holds.release('enqueue');
  });

  it('is skipped, and kept as such, when it is to give way', async () => {
    const { id, ticks } = await busy('skip', { overlap: 'skip' });
    await tick(id, ticks[0]!);
    const [job, ...more] = await jobsOf(id);
    assert.equal(more.length, 0);
    assert.deepEqual(
      (await look(id)).unmade.map(({ dueAt, outcome, job: inTheWay }) => [dueAt, outcome, inTheWay]),
      [[ticks[0], 'skipped', job!.run.number]],
    );
    lab.holds.release('skip');
    await lab.ended(job!.run.number);
    await tick(id, ticks[1]!);
    assert.equal((await jobsOf(id)).length, 2);
  });

  it('ends the running job and begins when it is to take its place', async () => {
    const { id, ticks } = await busy('replace', { overlap: 'cancelRunning' });
    const [running] = await jobsOf(id);
    await tick(id, ticks[0]!);
    assert.equal((await lab.ended(running!.run.number)).status, 'terminated');
    const [, next] = await jobsOf(id);
    assert.deepEqual(next!.scheduledTime, ticks[0]);
    lab.holds.release('replace');
    assert.equal((await lab.ended(next!.run.number)).status, 'success');
  });
});

void describe('a crontab record in a zone', () => {
  const table: [zone: string, crontab: string, from: string, expected: string[]][] = [
    ['Europe/Berlin', '30 2 * * *', '2027-03-27T00:00Z', ['2027-03-27T01:30', '2027-03-28T01:00', '2027-03-29T00:30']],
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T00:00Z', ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30']],
    [
      'America/New_York',
      '15 2 * * *',
      '2027-03-13T00:00Z',
      ['2027-03-13T07:15', '2027-03-14T07:00', '2027-03-15T06:15'],
    ],
    [
      'America/New_York',
      '30 1 * * *',
      '2026-10-31T00:00Z',
      ['2026-10-31T05:30', '2026-11-01T05:30', '2026-11-02T06:30'],
    ],
    // Half an hour: 2:00 becomes 2:30, and in autumn 1:30 to 2:00 comes twice.
    [
      'Australia/Lord_Howe',
      '10 2 * * *',
      '2026-10-03T00:00Z',
      ['2026-10-03T15:30', '2026-10-04T15:10', '2026-10-05T15:10'],
    ],
    [
      'Australia/Lord_Howe',
      '45 1 * * *',
      '2027-04-02T00:00Z',
      ['2027-04-02T14:45', '2027-04-03T14:45', '2027-04-04T15:15'],
    ],
  ];

  it('is read by the scheduler as it is shown: a skipped local time right after the gap, a repeated one once', async () => {
    for (const [zone, crontabRecord, from, expected] of table) {
      const id = await lab.define([ECHO], { crontabRecord, zone });
      const stored = await lab.scheduler.get(`orchestration/${id}`);
      assert.deepEqual(stored!.nextFireAt, (await look(id)).nextTimes[0], zone);
      const { calendar } = lab.kind;
      const found: Date[] = [];
      for (let last = new Date(from); found.length < expected.length; last = found.at(-1)!) {
        found.push(calendar.next(stored!, last)!);
      }
      assert.deepEqual(
        found.map((time) => time.toISOString().slice(0, 16)),
        expected,
        `${zone} ${crontabRecord}`,
      );
      for (const time of found) {
        assert.deepEqual(calendar.last(stored!, new Date(time.getTime() + 59_000)), time, `${zone} ${crontabRecord}`);
      }
    }
  });
});
