import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { createReceiverOutbound } from '../outbound/index.ts';
import { createWebhookDeliverer, isSignedWebhook, SIGNATURE_HEADER, signWebhook } from './index.ts';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server!.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

function message(url: string, body: unknown = { text: 'hello' }) {
  return { id: '1', key: 'run r_1 failed', topic: 'webhook', payload: { url, body }, attempt: 1 };
}

const local = createReceiverOutbound({ allowsLocal: true });
const now = (): Date => new Date('2026-11-21T10:00:00.700Z');
const deliver = createWebhookDeliverer({ outbound: local, now, timeoutMs: 5000 });

describe('a webhook', () => {
  it('gets the body as JSON, with the key that tells doubles', async () => {
    let seen: unknown;
    const url = await listen((request, response) => {
      let text = '';
      request.on('data', (piece) => (text += piece));
      request.on('end', () => {
        seen = [request.method, request.headers['content-type'], request.headers['x-penstock-delivery'], text];
        response.writeHead(204).end();
      });
    });
    await deliver(message(url, { text: 'grün' }));
    assert.deepEqual(seen, ['POST', 'application/json', 'run r_1 failed', '{"text":"grün"}']);
  });

  it('that answers anything but 2xx has failed, redirects included', async () => {
    let status = 500;
    let requests = 0;
    const url = await listen((_, response) => {
      requests += 1;
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    await assert.rejects(deliver(message(url)), { kind: 'unreachable' });
    status = 302;
    await assert.rejects(deliver(message(url)), { kind: 'unreachable' });
    assert.equal(requests, 2);
  });

  it('that does not answer in time has failed', async () => {
    const url = await listen(() => undefined);
    const impatient = createWebhookDeliverer({ outbound: local, now, timeoutMs: 100 });
    await assert.rejects(impatient(message(url)), { kind: 'timed_out' });
  });

  it('on this machine is refused by a server that others can reach, by name and by number', async () => {
    let requests = 0;
    const url = await listen((_, response) => {
      requests += 1;
      response.end();
    });
    const { port } = new URL(url);
    const strict = createWebhookDeliverer({ outbound: createReceiverOutbound({ allowsLocal: false }), now });
    const hosts = ['127.0.0.1', '127.1', '2130706433', '0x7f.1', '0.0.0.0', 'localhost', '[::1]', '[::ffff:127.0.0.1]'];
    for (const host of hosts) {
      await assert.rejects(strict(message(`http://${host}:${port}/`)), { kind: 'configuration_invalid' }, host);
    }
    assert.equal(requests, 0);
  });

  it('must be an http or https URL', async () => {
    for (const url of ['ftp://example.org/', 'file:///etc/passwd', 'nonsense', '']) {
      await assert.rejects(deliver(message(url)), { kind: 'configuration_invalid' }, url);
    }
    await assert.rejects(deliver({ ...message(''), payload: null }), { kind: 'configuration_invalid' });
  });
});

describe('a signed webhook', () => {
  const secret = 'whsec grün';
  const signing = createWebhookDeliverer({
    outbound: local,
    now,
    openSecret: (sealed) => sealed.replace('sealed ', ''),
  });

  it('carries time and proof of its body, which the receiver can check', async () => {
    let seen: [string, string] | undefined;
    const url = await listen((request, response) => {
      let text = '';
      request.on('data', (piece) => (text += piece));
      request.on('end', () => {
        seen = [String(request.headers[SIGNATURE_HEADER]), text];
        response.writeHead(200).end('x'.repeat(2_000_000));
      });
    });
    const sent = message(url, { text: 'grün' });
    await signing({ ...sent, payload: { ...sent.payload, sealedSecret: `sealed ${secret}` } });
    const [header, body] = seen!;
    assert.equal(body, '{"text":"grün"}');
    assert.match(header, /^t=1795255200,v1=[0-9a-f]{64}$/);
    assert.ok(isSignedWebhook(header, body, { secret, now: now() }));
  });

  it('is what docs/webhooks.md shows', () => {
    assert.equal(
      signWebhook('whsec_tern', '{"text":"hello"}', new Date(1_795_255_200_000)),
      't=1795255200,v1=863b04c697473e97ecfc470919d6d27adeed182c2af92a3d2427a3b1b8783c4a',
    );
  });

  it('proves nothing when body, secret, time or form differ', () => {
    const header = signWebhook(secret, 'body', now());
    const at = (minutes: number) => new Date(now().getTime() + minutes * 60_000);
    assert.ok(isSignedWebhook(header, 'body', { secret, now: at(4.9) }));
    assert.ok(isSignedWebhook(header, 'body', { secret, now: at(-4.9) }));
    assert.ok(!isSignedWebhook(header, 'body', { secret, now: at(5.1) }));
    assert.ok(!isSignedWebhook(header, 'body', { secret, now: at(-5.1) }));
    assert.ok(!isSignedWebhook(header, 'Body', { secret, now: now() }));
    assert.ok(!isSignedWebhook(header, 'body', { secret: 'other', now: now() }));
    assert.ok(!isSignedWebhook(header.replace('t=1', 't=2'), 'body', { secret, now: now() }));
    for (const bad of ['', 'v1=', header.slice(0, -1), `${header}0`]) {
      assert.ok(!isSignedWebhook(bad, 'body', { secret, now: now() }), bad);
    }
  });

  it('is never sent unsigned when its secret cannot be opened', async () => {
    let requests = 0;
    const url = await listen((_, response) => {
      requests += 1;
      response.end();
    });
    const sent = message(url);
    await assert.rejects(deliver({ ...sent, payload: { ...sent.payload, sealedSecret: 'x' } }), { kind: 'internal' });
    assert.equal(requests, 0);
  });
});
