import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { sql } from 'kysely';
import { createTestStore } from '../../test/support/database.ts';
import type { TestStore } from '../../test/support/database.ts';
import { startMailServer } from '../../test/support/mail.ts';
import type { MailServer } from '../../test/support/mail.ts';
import { createEngine, installQueue } from '../engine/index.ts';
import type { Deliverer, OpenEngine } from '../engine/index.ts';
import { createReceiverOutbound } from '../outbound/index.ts';
import { createWorld } from '../world.ts';
import { createNotify, createWebhookDeliverer, isSignedWebhook } from './index.ts';
import type { MessageView, NewMessage, OpenNotify } from './index.ts';

const SECRET = 'secret of the receiver';

let test: TestStore;
let engine: OpenEngine;
let mails: MailServer;
let notify: OpenNotify;
let held: OpenNotify;
let count = 0;
const audited: string[] = [];
const BY = { principal: null, face: 'test' };

before(async () => {
  test = await createTestStore({ prepare: installQueue });
  mails = await startMailServer({ plain: true });
  const world = createWorld();
  const deliverers: Record<string, Deliverer> = {};
  engine = await createEngine({
    store: test.store,
    world,
    components: [],
    observers: [],
    deliverers,
    settings: { slots: 1, leaseSeconds: 10 },
  });
  const config = { mailFrom: 'penstock@tern.example', runsRetentionDays: 30 };
  const postWebhook = createWebhookDeliverer({
    outbound: createReceiverOutbound({ allowsLocal: true }),
    openSecret: (sealed) => sealed.replace('sealed:', ''),
    now: () => world.now(),
  });
  const audit = async (_tx: unknown, { subject }: { subject: string }) => void audited.push(subject);
  const parts = { store: test.store, publish: engine.publish, audit, world, postWebhook };
  notify = createNotify({ ...parts, config: { ...config, smtpUrl: `smtp://127.0.0.1:${mails.port}` } });
  held = createNotify({ ...parts, config: { ...config, smtpUrl: null } });
  Object.assign(deliverers, notify.deliverers);
  await engine.startWorker();
});

beforeEach(async () => {
  await sql`delete from message`.execute(test.store.db);
});

after(async () => {
  await engine?.close();
  notify?.close();
  await mails?.stop();
  await test?.close();
});

function message(more: Partial<NewMessage> = {}): NewMessage {
  count += 1;
  return {
    key: `job/${count}/error`,
    project: '1',
    orchestrationId: 12,
    jobId: 77,
    channel: 'error',
    to: `ops${count}@tern.example`,
    subject: `news ${count}`,
    text: 'text',
    html: '<p>text</p>',
    cause: 'the table orders is gone',
    data: { jobId: 77 },
    ...more,
  };
}

const send = (room: OpenNotify, ...messages: NewMessage[]): Promise<void> =>
  test.store.transaction((tx) => room.send(tx, messages));

async function only(room: OpenNotify): Promise<MessageView> {
  const { messages, total } = await room.list({ project: '1', limit: 10, offset: 0 });
  assert.equal(total, 1);
  return messages[0]!;
}

/** The one message, once it is in this state. */
async function becomes(state: MessageView['state']): Promise<MessageView> {
  for (;;) {
    const found = await only(notify);
    if (found.state === state) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Makes the outbox come again now instead of later. */
async function hurry(): Promise<void> {
  await sql`update outbox set due_at = now() where due_at is not null`.execute(test.store.db);
}

const mailsTo = (to: string): number => mails.mails.filter((mail) => mail.to.includes(to)).length;

describe('messages', () => {
  it('are delivered after the commit, and show it', async () => {
    const one = message();
    await send(notify, one);
    const sent = await becomes('sent');
    assert.equal(mailsTo(one.to), 1);
    assert.ok(sent.sentTime instanceof Date);
    assert.deepEqual([sent.attempts, sent.lastError, sent.to, sent.jobId], [1, null, one.to, 77]);
  });

  it('of a transaction that is undone are never sent', async () => {
    const lost = message();
    const work = test.store.transaction(async (tx) => {
      await notify.send(tx, [lost]);
      throw new Error('undone');
    });
    await assert.rejects(work, /undone/);
    await send(notify, message());
    await becomes('sent');
    assert.equal(mailsTo(lost.to), 0);
  });

  it('of one event and recipient are sent once, however often they are told of', async () => {
    const one = message();
    await send(notify, one);
    await send(notify, one, message({ key: one.key, to: one.to }));
    await becomes('sent');
    await hurry();
    await send(notify, one);
    assert.equal(mailsTo(one.to), 1);
  });

  it('wait while the mail server is away, and come once when it is back', async () => {
    const { port } = mails;
    await mails.stop();
    const one = message();
    await send(notify, one);
    for (;;) {
      const { attempts } = await only(notify);
      if (attempts >= 2) break;
      await hurry();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.match((await only(notify)).lastError!, /could not be sent/);
    assert.equal((await only(notify)).state, 'pending');
    mails = await startMailServer({ plain: true, port });
    await hurry();
    await becomes('sent');
    assert.equal(mailsTo(one.to), 1);
  });

  it('fail after the last of their tries, with the reason, and can be sent again', async () => {
    mails.refuseNext(554, 'no such user here');
    const one = message();
    await send(notify, one);
    const failed = await becomes('failed');
    assert.match(failed.lastError!, /no such user here/);
    assert.equal((await notify.resend('1', failed.id, BY)).state, 'pending');
    assert.deepEqual(audited, [`message/${failed.id}`]);
    const sent = await becomes('sent');
    assert.equal(sent.lastError, null);
    assert.equal(mailsTo(one.to), 1);
  });

  it('are kept where there is no mail server, and sent when there is one and somebody asks', async () => {
    const one = message();
    await send(held, one);
    const kept = await only(held);
    assert.equal(kept.state, 'held');
    await assert.rejects(held.resend('1', kept.id, BY), { kind: 'conflict', message: /PENSTOCK_SMTP_URL/ });
    await notify.resend('1', kept.id, BY);
    await becomes('sent');
    assert.equal(mailsTo(one.to), 1);
  });

  it('of another project or none cannot be sent again', async () => {
    await send(held, message());
    const { id } = await only(held);
    await assert.rejects(notify.resend('2', id, BY), { kind: 'not_found' });
    await assert.rejects(notify.resend('1', id + 1, BY), { kind: 'not_found' });
  });

  it('go to webhooks signed with the secret of the receiver', async () => {
    const posts: { body: string; signature: string }[] = [];
    const receiver = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        posts.push({ body, signature: String(request.headers['x-penstock-signature']) });
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const to = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    await send(notify, message({ to, sealedSecret: `sealed:${SECRET}` }));
    await becomes('sent');
    receiver.close();
    const [post] = posts;
    assert.deepEqual(JSON.parse(post!.body), { jobId: 77 });
    assert.ok(isSignedWebhook(post!.signature, post!.body, { secret: SECRET, now: new Date() }));
  });

  it('are listed newest first, by job, by orchestration, by state and by cause', async () => {
    await send(held, message({ jobId: 1 }), message({ jobId: 2, orchestrationId: 13 }), message({ cause: 'other' }));
    const list = async (query: object) =>
      (await notify.list({ project: '1', limit: 10, offset: 0, ...query })).messages;
    const ids = (await list({})).map(({ id }) => id);
    assert.deepEqual(
      ids,
      ids.toSorted((one, other) => other - one),
    );
    assert.equal((await list({ jobId: 1 })).length, 1);
    assert.equal((await list({ orchestrationId: 13 })).length, 1);
    assert.equal((await list({ state: 'sent' })).length, 0);
    assert.equal((await list({ cause: 'other' })).length, 1);
    const page = await notify.list({ project: '1', limit: 1, offset: 2 });
    assert.deepEqual([page.messages.length, page.total], [1, 3]);
  });

  it('are removed when they are old, unless they are still to be sent', async () => {
    await send(held, message(), message());
    await sql`update message set created_at = now() - interval '31 days' where id = (select min(id) from message)`.execute(
      test.store.db,
    );
    await notify.purge();
    await only(notify);
  });
});
