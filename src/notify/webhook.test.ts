import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { isAllowedAddress } from './address.ts';
import { createWebhookDeliverer } from './index.ts';

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

const deliver = createWebhookDeliverer({ allowsLocal: true, timeoutMs: 5000 });

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
    const impatient = createWebhookDeliverer({ allowsLocal: true, timeoutMs: 100 });
    await assert.rejects(impatient(message(url)), { kind: 'timed_out' });
  });

  it('on this machine is refused by a server that others can reach, by name and by number', async () => {
    let requests = 0;
    const url = await listen((_, response) => {
      requests += 1;
      response.end();
    });
    const { port } = new URL(url);
    const strict = createWebhookDeliverer({ allowsLocal: false });
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

describe('an address', () => {
  const never = [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    'fe80::1',
    'febf::1',
    'fd00:ec2::254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
  ];
  never.push('100.100.100.200', '168.63.129.16', '192.0.0.192', '224.0.0.1', '255.255.255.255', 'ff02::1');
  never.push('::ffff:0:169.254.169.254', '64:ff9b:1::a9fe:a9fe', 'fd20:ce::254');
  const localOnly = ['127.0.0.1', '127.255.0.1', '0.0.0.0', '::1', '::', '::ffff:127.0.0.1', '::127.0.0.1'];
  const fine = [
    '10.0.0.1',
    '192.168.1.1',
    '93.184.216.34',
    '2606:2800:220:1::1',
    'fd00:ec2::253',
    '64:ff9b::5db8:d822',
  ];
  for (const address of never) {
    it(`${address} is never a receiver`, () => {
      assert.equal(isAllowedAddress(address, true), false);
      assert.equal(isAllowedAddress(address, false), false);
    });
  }
  for (const address of localOnly) {
    it(`${address} is a receiver only for a server of this machine`, () => {
      assert.equal(isAllowedAddress(address, true), true);
      assert.equal(isAllowedAddress(address, false), false);
    });
  }
  for (const address of fine) {
    it(`${address} is a receiver`, () => {
      assert.equal(isAllowedAddress(address, false), true);
    });
  }
});
