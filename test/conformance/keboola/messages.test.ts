import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { sql } from 'kysely';
import type { ComponentSpec } from '../../../src/components/kit/index.ts';
import { Failure } from '../../../src/errors.ts';
import { isSignedWebhook, SIGNATURE_HEADER } from '../../../src/notify/index.ts';
import { echo, fail } from '../../../src/orchestrate/components.test-support.ts';
import { startMailServer, type MailServer, type ReceivedMail } from '../../support/mail.ts';
import type { Reply } from '../olake/wire.ts';
import { startRig, type Rig } from './rig.ts';

const FAIL = { component: 'lab.fail', actionParameters: { message: 'the table orders is gone' } };
const FIELDS = [
  'id',
  'orchestrationId',
  'jobId',
  'channel',
  'to',
  'subject',
  'text',
  'cause',
  'state',
  'attempts',
  'lastError',
  'createdTime',
  'sentTime',
];

/** Says everything that a message to people must not become. */
const hostile: ComponentSpec = {
  ...fail,
  id: 'lab.hostile',
  execute: () =>
    Promise.reject(new Failure('bad_request', 'x\r\nBcc: thief@evil.example\r\n\r\n<b>bold</b>\u0000\ud800 \u202e "')),
};

interface Post {
  readonly body: string;
  readonly signature: string;
}

/** Answers are looked into as they are. */
type Json = ReturnType<typeof JSON.parse>;

let mails: MailServer;
let receiver: Server;
let hook: string;
const posts: Post[] = [];
let rig: Rig;

before(async () => {
  mails = await startMailServer({ plain: true });
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      posts.push({ body, signature: String(request.headers[SIGNATURE_HEADER]) });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const place = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  hook = `http://${place}/hook`;
  rig = await startRig({
    components: [echo, fail, hostile],
    environment: {
      PENSTOCK_SMTP_URL: `smtp://127.0.0.1:${mails.port}`,
      PENSTOCK_MAIL_FROM: 'penstock@tern.example',
      PENSTOCK_TRUSTED_COMPONENT_HOSTS: place,
    },
  });
});

after(async () => {
  await rig?.close();
  await mails?.stop();
  receiver?.close();
});

async function ask(method: string, path: string, body?: unknown): Promise<Reply> {
  return rig.ask(method, path, body === undefined ? {} : { body });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1500; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the condition was not met in time');
}

/** An orchestration that fails, and its first job, ended. */
async function failing(more: object, sent?: object): Promise<{ id: number; job: number }> {
  const reply = await ask('POST', '/orchestrations', { name: 'Nightly', tasks: [FAIL], ...more });
  assert.equal(reply.status, 201, reply.text);
  const made = reply.body as Json;
  const begun = sent
    ? await ask('POST', `/orchestrations/${made.id}/jobs`, sent)
    : await ask('POST', `/orchestrations/${made.id}/trigger`);
  const job = (begun.body as Json).id;
  await until(async () => ((await ask('GET', `/jobs/${job}`)).body as Json).isFinished);
  return { id: made.id, job };
}

const rules = (...emails: string[]) => ({ notifications: emails.map((email) => ({ email, channel: 'error' })) });
const list = async (path: string): Promise<Json> => (await ask('GET', path)).body as Json;
const mailsTo = (address: string): readonly ReceivedMail[] => mails.mails.filter(({ to }) => to.includes(address));

/** The subject as people read it. */
function subjectOf({ source }: ReceivedMail): string {
  const [, folded] = /^Subject: ((?:.*\r\n )*.*)\r$/m.exec(source)!;
  const joined = folded!.replace(/\r\n /g, '').replace(/\?==\?UTF-8\?Q\?/gi, '');
  const [, words] = /^=\?UTF-8\?Q\?(.*)\?=$/i.exec(joined)!;
  const bytes = words!.replace(/_/g, ' ').replace(/=([0-9A-F]{2})/g, (_, hex: string) => `%${hex}`);
  return decodeURIComponent(bytes);
}

async function sentTo(job: number): Promise<Json> {
  await until(async () => (await list(`/jobs/${job}/messages`)).every(({ state }: Json) => state === 'sent'));
  return list(`/jobs/${job}/messages`);
}

describe('messages', () => {
  it('of a job are shown with what became of them', async () => {
    const { id, job } = await failing(rules('a@tern.example'));
    const [message, ...more] = await sentTo(job);
    assert.equal(more.length, 0);
    assert.deepEqual(Object.keys(message), FIELDS);
    assert.deepEqual(
      [message.orchestrationId, message.jobId, message.channel, message.to, message.state, message.attempts],
      [id, job, 'error', 'a@tern.example', 'sent', 1],
    );
    assert.equal(message.subject, '[Penstock] Orchestration "Nightly" finished with error');
    assert.match(message.text, new RegExp(`${rig.url}/jobs/${job}`));
    assert.match(message.sentTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
    assert.equal(message.lastError, null);
  });

  it('arrive as mails with text and HTML, from our address, once', async () => {
    const { job } = await failing({}, { notificationsEmails: ['once@tern.example'] });
    await sentTo(job);
    const [mail, ...more] = mailsTo('once@tern.example');
    assert.equal(more.length, 0);
    assert.equal(mail!.from, 'penstock@tern.example');
    assert.equal(subjectOf(mail!), '[Penstock] Orchestration "Nightly" finished with error');
    assert.match(mail!.source, /^Message-ID: <[0-9a-f]{40}@tern\.example>\r$/m);
    assert.match(mail!.source, /text\/plain[\s\S]*Task 1 \(lab\.fail\): the table orders is gone[\s\S]*text\/html/);
  });

  it('to a webhook are signed with the secret of its rule and tell the job as data', async () => {
    const rule = { email: hook, channel: 'error', parameters: { '#secret': 'whsec_tern' } };
    const { job } = await failing({ notifications: [rule] });
    const [message] = await sentTo(job);
    assert.equal(message.to, hook);
    const { body, signature } = posts.at(-1)!;
    assert.ok(isSignedWebhook(signature, body, { secret: 'whsec_tern', now: new Date() }));
    const data = JSON.parse(body) as Json;
    assert.deepEqual([data.channel, data.job.id, data.job.status], ['error', job, 'error']);
    assert.equal(data.cause.message, 'Task 1 (lab.fail): the table orders is gone');
    assert.doesNotMatch(JSON.stringify(await list(`/jobs/${job}/messages`)), /whsec_tern/);
  });

  it('say how many other jobs had the same cause, and are sent all the same', async () => {
    const parameters = { message: `nobody knows why ${'x'.repeat(20)}` };
    const tasks = [{ component: 'lab.fail', actionParameters: parameters }];
    const texts: string[] = [];
    for (let round = 0; round < 3; round++) {
      const { job } = await failing({ tasks, ...rules('same@tern.example') });
      texts.push((await list(`/jobs/${job}/messages`))[0].text);
    }
    assert.doesNotMatch(texts[0]!, /Same cause/);
    assert.match(texts[1]!, /^Same cause: +one other job in the last hour$/m);
    assert.match(texts[2]!, /^Same cause: +2 other jobs in the last hour$/m);
  });

  it('are listed newest first, by job, by orchestration and all, in pages, by state', async () => {
    const { id, job } = await failing(rules('1@tern.example', '2@tern.example', '3@tern.example'));
    const all = await sentTo(job);
    const ids = all.map((message: Json) => message.id);
    assert.deepEqual(
      ids,
      ids.toSorted((one: number, other: number) => other - one),
    );
    const page = await ask('GET', `/orchestrations/${id}/messages?limit=2&offset=1`);
    assert.deepEqual(
      (page.body as Json).map((message: Json) => message.id),
      ids.slice(1),
    );
    assert.equal(page.headers['x-total-count'], '3');
    const everything = await ask('GET', '/orchestrator/messages?limit=1');
    assert.deepEqual(
      (everything.body as Json).map((message: Json) => message.id),
      ids.slice(0, 1),
    );
    assert.ok(Number(everything.headers['x-total-count']) > 3);
    assert.deepEqual(await list(`/jobs/${job}/messages?state=failed`), []);
    assert.equal((await list(`/orchestrator/orchestrations/${id}/messages?state=sent`)).length, 3);
    assert.deepEqual(await list(`/jobs/${job}/messages?offset=99`), []);
  });

  it('can be sent again by those who may change things, and the audit says by whom', async () => {
    mails.refuseNext(554, 'no such user here');
    const { job } = await failing(rules('again@tern.example'));
    await until(async () => (await list(`/jobs/${job}/messages`))[0].state === 'failed');
    const [failed] = await list(`/jobs/${job}/messages`);
    assert.match(failed.lastError, /no such user here/);
    const path = `/orchestrator/messages/${failed.id}/resend`;
    const reply = await ask('POST', path);
    assert.equal(reply.status, 202, reply.text);
    assert.deepEqual(Object.keys(reply.body as Json), FIELDS);
    assert.deepEqual([(reply.body as Json).id, (reply.body as Json).state], [failed.id, 'pending']);
    await sentTo(job);
    assert.equal(mailsTo('again@tern.example').length, 1);
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from audit where action = 'send message again' and subject = ${`message/${failed.id}`}`.execute(
      rig.store.db,
    );
    assert.equal(rows[0]!.n, 1);
  });

  it('refuse what is wrong in the form of the face', async () => {
    const refusals: readonly (readonly [string, string, number, RegExp])[] = [
      ['GET', '/jobs/999999/messages', 404, /Job 999999 not found/],
      ['GET', '/jobs/abc/messages', 404, /Job abc not found/],
      ['GET', '/orchestrations/999999/messages', 404, /Orchestration 999999 not found/],
      ['GET', '/orchestrator/messages?limit=0', 400, /limit/],
      ['GET', '/orchestrator/messages?state=lost', 400, /^state: must be one of/],
      ['POST', '/orchestrator/messages/999999/resend', 404, /Message 999999 not found/],
      ['POST', '/orchestrator/messages/x/resend', 404, /Message x not found/],
      ['DELETE', '/orchestrator/messages', 405, /DELETE/],
    ];
    for (const [method, path, status, message] of refusals) {
      const { body, text, ...reply } = await ask(method, path);
      assert.equal(reply.status, status, `${path}: ${text}`);
      assert.match((body as Json).message, message);
      assert.deepEqual([(body as Json).status, (body as Json).code], ['error', status]);
    }
    const bare = await rig.ask('GET', '/orchestrator/messages', { token: null });
    assert.equal(bare.status, 401);
  });

  it('are read by viewers, who send nothing again', async () => {
    const { token, text } = await rig.newToken();
    await sql`insert into users (username, email, password_hash, role) values ('vera', 'vera@tern.example', '', 'viewer')`
      .execute(rig.store.db)
      .catch(() => undefined);
    await sql`update storage_token set user_id = (select id from users where username = 'vera') where id = ${token.id}`.execute(
      rig.store.db,
    );
    const { job } = await failing(rules('viewed@tern.example'));
    const [message] = await sentTo(job);
    assert.equal((await rig.ask('GET', `/jobs/${job}/messages`, { token: text })).status, 200);
    const refused = await rig.ask('POST', `/orchestrator/messages/${message.id}/resend`, { token: text });
    assert.equal(refused.status, 403, refused.text);
  });

  it('of hostile names keep to their places', async () => {
    const name = 'a" \u202eb <script>alert(1)</script> שלום 😀 =?utf-8?q?x?=';
    const tasks = [{ component: 'lab.hostile' }];
    const { job } = await failing({ name, tasks, ...rules('hostile@tern.example') });
    const [message] = await sentTo(job);
    assert.doesNotMatch(message.subject, /[\r\n\u202e]/);
    const [mail] = mailsTo('hostile@tern.example');
    assert.deepEqual(mail!.to, ['hostile@tern.example']);
    const [head] = mail!.source.split('\r\n\r\n');
    assert.doesNotMatch(head!, /^Bcc:/im);
    const { rows } = await sql<{ html: string }>`select html from message where id = ${message.id}`.execute(
      rig.store.db,
    );
    assert.doesNotMatch(rows[0]!.html, /<script|<b>|\u202e/);
    assert.match(rows[0]!.html, /&lt;b&gt;bold/);
  });

  it('to a thousand people at once are written with the end of the job, and all sent', async () => {
    const emails = Array.from({ length: 1000 }, (_, place) => `p${place}@many.example`);
    const began = performance.now();
    const { job } = await failing(rules(...emails));
    assert.ok(performance.now() - began < 30_000);
    assert.equal((await ask('GET', `/jobs/${job}/messages?limit=1`)).headers['x-total-count'], '1000');
    await until(async () => {
      const left = await ask('GET', `/jobs/${job}/messages?state=pending&limit=1`);
      return left.headers['x-total-count'] === '0';
    });
    const got = mails.mails.flatMap(({ to }) => to).filter((to) => to.endsWith('@many.example'));
    assert.equal(got.length, 1000);
    assert.equal(new Set(got).size, 1000);
  });
});
