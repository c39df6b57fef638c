import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startMailServer } from '../../test/support/mail.ts';
import { createMailer } from './mail.ts';
import type { Mail } from './mail.ts';

const mail: Mail = {
  key: 'job/77/error/ops@tern.example',
  to: 'ops@tern.example',
  subject: '[Penstock] Orchestration "Nightly" finished with error',
  text: 'the table orders is gone',
  html: '<p>the table orders is gone</p>',
};
const FROM = 'penstock@tern.example';

describe('the mailer', () => {
  it('sends text and HTML with a Message-ID that is the same for the same event', async () => {
    const server = await startMailServer({ plain: true });
    const mailer = createMailer(`smtp://127.0.0.1:${server.port}`, FROM);
    await mailer.send(mail);
    await mailer.send(mail);
    await mailer.send({ ...mail, key: 'job/78/error/ops@tern.example' });
    const ids = server.mails.map(({ source }) => /^Message-ID: (.+)$/im.exec(source)![1]!);
    assert.equal(ids[0], ids[1]);
    assert.notEqual(ids[0], ids[2]);
    const [first] = server.mails;
    assert.deepEqual([first!.from, first!.to], [FROM, ['ops@tern.example']]);
    assert.match(first!.source, /text\/plain/);
    assert.match(first!.source, /text\/html/);
    assert.match(first!.source, /^Auto-Submitted: auto-generated$/im);
    mailer.close();
    await server.stop();
  });

  it('signs in, and encrypts where the server offers it', async () => {
    const server = await startMailServer({ user: { name: 'mailer', password: 'p@ss/word' } });
    const mailer = createMailer(`smtp://mailer:p%40ss%2Fword@127.0.0.1:${server.port}?verify=no`, FROM);
    await mailer.send(mail);
    assert.deepEqual([server.mails[0]!.isEncrypted, server.mails[0]!.user], [true, 'mailer']);
    mailer.close();
    await server.stop();
  });

  it('does not trust a certificate that nobody vouches for, unless told to', async () => {
    const server = await startMailServer();
    const mailer = createMailer(`smtp://127.0.0.1:${server.port}`, FROM);
    await assert.rejects(mailer.send(mail), { kind: 'unreachable' });
    assert.equal(server.mails.length, 0);
    mailer.close();
    await server.stop();
  });

  it('keeps what a name brings inside the subject, whatever characters it has', async () => {
    const server = await startMailServer({ plain: true });
    const mailer = createMailer(`smtp://127.0.0.1:${server.port}`, FROM);
    await mailer.send({ ...mail, subject: 'a\r\nBcc: thief@evil.example\r\n\r\nbody \u2028 "é" \u202e' });
    const [head] = server.mails[0]!.source.split('\r\n\r\n');
    assert.doesNotMatch(head!, /^Bcc:/im);
    assert.deepEqual(server.mails[0]!.to, ['ops@tern.example']);
    mailer.close();
    await server.stop();
  });

  it('never reads one address as several', async () => {
    const server = await startMailServer({ plain: true });
    const mailer = createMailer(`smtp://127.0.0.1:${server.port}`, FROM);
    await mailer.send({ ...mail, to: 'a@tern.example, thief@evil.example' }).catch(() => undefined);
    assert.ok(!server.mails.flatMap(({ to }) => to).includes('thief@evil.example'));
    mailer.close();
    await server.stop();
  });

  it('tells a refusal for good from one that may pass, and from a server that is away', async () => {
    const server = await startMailServer({ plain: true });
    const mailer = createMailer(`smtp://127.0.0.1:${server.port}`, FROM);
    server.refuseNext(554, 'no such user here');
    await assert.rejects(mailer.send(mail), { kind: 'configuration_invalid', message: /no such user here/ });
    server.refuseNext(451, 'come back later');
    await assert.rejects(mailer.send(mail), { kind: 'unreachable', message: /come back later/ });
    mailer.close();
    await server.stop();
    const late = createMailer(`smtp://127.0.0.1:${server.port}`, FROM);
    await assert.rejects(late.send(mail), { kind: 'unreachable' });
    late.close();
  });
});
