import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import type { Lab } from '../../src/orchestrate/lab.test-support.ts';
import { startMailServer, type MailServer } from '../support/mail.ts';
import { noteKill, testKills } from './points.ts';
import { createMailLab } from './support/mail-lab.ts';

const WORKER = fileURLToPath(new URL('support/mail-worker.ts', import.meta.url));
const LEASE_SECONDS = 2;
const FAIL = { component: 'lab.fail', actionParameters: { message: 'the table orders is gone' } };

const ADDRESS = 'ops@tern.example';

/** A database, a mail server, and nobody who works until `lab.restart`. */
interface Place {
  readonly lab: Lab;
  mails: MailServer;
  readonly config: Record<string, string>;
}

async function inPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const mails = await startMailServer({ plain: true });
  const config = { PENSTOCK_SMTP_URL: `smtp://127.0.0.1:${mails.port}` };
  const lab = await createMailLab({ config, leaseSeconds: LEASE_SECONDS, works: false });
  const place: Place = { lab, mails, config };
  try {
    await work(place);
  } finally {
    await lab.close();
    await place.mails.stop();
  }
}

async function trigger(lab: Lab, tasks: readonly object[], notifications: readonly object[]): Promise<number> {
  const id = await lab.define(tasks, { notifications });
  const { run } = await lab.orchestrate.jobs.trigger(lab.scope(), {
    path: `/orchestrations/${id}/trigger`,
    orchestrationId: id,
  });
  return run.number;
}

/** Works in a process of its own, which kills itself at this point. */
async function dieAt({ lab, config }: Place, stopAt: string): Promise<void> {
  const joins = { url: lab.store.url, dataDir: lab.rooms.config.dataDir };
  const options = JSON.stringify({ joins, config, leaseSeconds: LEASE_SECONDS, stopAt });
  const child = spawn(process.execPath, [WORKER, options], { stdio: 'inherit' });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the worker reached ${stopAt}`);
  noteKill(stopAt);
}

interface Row {
  readonly state: string;
  readonly attempts: number;
  readonly lastError: string | null;
}

async function readMessages(lab: Lab): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    select state, attempts, last_error as "lastError" from message`.execute(lab.store.db);
  return rows;
}

/** Lets everything in the outbox that waits for another try be tried now. */
async function hurry(lab: Lab): Promise<void> {
  await sql`update outbox set due_at = now() where due_at is not null and topic = 'message'`.execute(lab.store.db);
}

async function sent(lab: Lab): Promise<void> {
  await lab.until(async () => {
    await hurry(lab);
    const rows = await readMessages(lab);
    return rows.length > 0 && rows.every(({ state }) => state === 'sent');
  });
}

/** Message-IDs of what arrived. */
function arrived({ mails }: Place): readonly string[] {
  return mails.mails.map(({ source }) => /^Message-ID: (.+)$/im.exec(source)![1]!);
}

describe('a mail about a job', { concurrency: 3 }, () => {
  // In the transaction of the end, after its commit, before and after the mail is noted as sent.
  const points: readonly (readonly [string, number])[] = [
    ['orchestrate.alert-written', 1],
    ['engine.finished:3', 1],
    ['notify.sent', 2],
    ['engine.outbox-delivered', 1],
  ];
  for (const [point, most] of points) {
    it(`is not lost when the process is killed at ${point}; it comes at most ${most} times, with one Message-ID`, () =>
      inPlace(async (place) => {
        const { lab } = place;
        const number = await trigger(lab, [FAIL], [{ email: ADDRESS, channel: 'error' }]);
        await dieAt(place, point);
        await lab.restart();
        assert.equal((await lab.ended(number)).status, 'error');
        await sent(lab);
        assert.equal((await readMessages(lab)).length, 1);
        const ids = arrived(place);
        assert.ok(ids.length >= 1 && ids.length <= most, `${ids.length} mails`);
        assert.equal(new Set(ids).size, 1);
      }));
  }

  it('waits while the mail server is away, also when the process is killed meanwhile, and comes once', () =>
    inPlace(async (place) => {
      const { lab } = place;
      const { port } = place.mails;
      await place.mails.stop();
      const number = await trigger(lab, [FAIL], [{ email: ADDRESS, channel: 'error' }]);
      await lab.restart();
      assert.equal((await lab.ended(number)).status, 'error');
      await lab.until(async () => {
        await hurry(lab);
        return (await readMessages(lab))[0]!.attempts >= 2;
      });
      await lab.pause();
      const [waiting] = await readMessages(lab);
      assert.equal(waiting!.state, 'pending');
      assert.match(waiting!.lastError!, /could not be sent/);
      await hurry(lab);
      await dieAt(place, 'engine.outbox-claimed');
      place.mails = await startMailServer({ plain: true, port });
      await lab.restart();
      await sent(lab);
      assert.equal(arrived(place).length, 1);
    }));

  it('that waits is told by the deadline of a process that is gone, once, whatever dies while it tells', () =>
    inPlace(async (place) => {
      const { lab } = place;
      const hold = { component: 'lab.hold', actionParameters: { name: 'line' } };
      const rule = { email: ADDRESS, channel: 'waiting', parameters: { timeout: 5 } };
      const first = await trigger(lab, [hold], [rule]);
      const { orchestrationId } = await lab.orchestrate.jobs.get(lab.scope().project, first);
      const path = `/orchestrations/${orchestrationId}/trigger`;
      const { run } = await lab.orchestrate.jobs.trigger(lab.scope(), { path, orchestrationId });
      const reach = () =>
        sql`update outbox set due_at = now() where topic = 'orchestrate.deadline' and due_at is not null
          and payload->>'runId' = ${run.id}`.execute(lab.store.db);
      await reach();
      await dieAt(place, 'orchestrate.alert-written');
      assert.deepEqual(await readMessages(lab), []);
      await reach();
      await lab.restart();
      await sent(lab);
      assert.equal(arrived(place).length, 1);
      lab.holds.release('line');
      await lab.ended(run.number);
    }));
});

testKills('mail');
