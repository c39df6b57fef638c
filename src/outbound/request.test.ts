import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { makeCertificate } from '../../test/support/certificate.ts';
import { createOutbound, type ConnectionOptions, type Outbound, type OutboundCall } from './index.ts';

const ended: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  ended.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

interface Rig {
  readonly outbound: Outbound;
  readonly url: string;
  /** Names that were looked up. */
  readonly looked: string[];
  get(path?: string, more?: Partial<OutboundCall>): ReturnType<Outbound['request']>;
}

/** A client that trusts a server on this machine under the name tern.test, which no real resolver knows. */
async function rigFor(
  server: Server,
  options: ConnectionOptions & { name?: string; scheme?: string } = {},
): Promise<Rig> {
  const port = await listen(server);
  const { name = 'tern.test', scheme = 'http', ...connection } = options;
  const looked: string[] = [];
  const outbound = createOutbound({
    config: {
      trustedComponentHosts: [`${name}:${port}`],
      componentHosts: ['*.public.example'],
      anyPublicHost: 'refuse',
    },
    resolve: async (host) => {
      looked.push(host);
      return ['127.0.0.1'];
    },
    ...connection,
  });
  const url = `${scheme}://${name}:${port}`;
  const get: Rig['get'] = (path = '/', more = {}) =>
    outbound.request({ url: url + path, method: 'GET', headers: {}, timeoutMs: 20_000, ...more });
  return { outbound, url, looked, get };
}

const rig = (answer: RequestListener, options?: ConnectionOptions): Promise<Rig> =>
  rigFor(createServer(answer), options);

/** Writes this text to whoever connects, whatever is asked. */
const rawRig = (text: string, options?: ConnectionOptions): Promise<Rig> =>
  rigFor(
    createTcpServer((socket) => socket.once('data', () => socket.end(text))),
    options,
  );

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += String(piece);
  return text;
}

describe('a request', () => {
  it('sends method, headers and body, and answers status, headers and body', async () => {
    const { get, url } = await rig((request, response) => {
      void textOf(request).then((text) => {
        response.writeHead(201, { 'X-Kind': 'a', 'Set-Cookie': ['one', 'two'] });
        return response.end(JSON.stringify([request.method, request.headers['x-mine'], request.headers.host, text]));
      });
    });
    const answer = await get('/x?y=1', { method: 'POST', headers: { 'X-Mine': 'yes' }, body: '{"grün":1}' });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers['x-kind'], 'a');
    assert.equal(answer.headers['set-cookie'], 'one, two');
    assert.equal(answer.url, `${url}/x?y=1`);
    assert.deepEqual(JSON.parse(String(answer.body)), ['POST', 'yes', new URL(url).host, '{"grün":1}']);
  });

  it('tells the length also when a body is missing, and never sends chunks', async () => {
    const { get } = await rig((request, response) => {
      response.end(`${request.headers['content-length']} ${request.headers['transfer-encoding']}`);
    });
    assert.equal(String((await get('/', { method: 'POST' })).body), '0 undefined');
    assert.equal(String((await get('/', { method: 'GET', body: 'abc' })).body), '3 undefined');
    assert.equal(String((await get('/', { method: 'DELETE' })).body), 'undefined undefined');
  });

  it('reads what is compressed', async () => {
    const plain = 'tern '.repeat(1000);
    const made: Record<string, [string, Buffer]> = {
      '/gzip': ['gzip', gzipSync(plain)],
      '/zlib': ['deflate', deflateSync(plain)],
      '/raw': ['deflate', deflateRawSync(plain)],
      '/br': ['br', brotliCompressSync(plain)],
      '/empty': ['gzip', Buffer.alloc(0)],
    };
    const { get } = await rig((request, response) => {
      const [coding, body] = made[request.url!]!;
      response.writeHead(200, { 'content-encoding': coding }).end(body);
    });
    for (const path of Object.keys(made)) {
      assert.equal(String((await get(path)).body), path === '/empty' ? '' : plain, path);
    }
  });

  it('that cannot be read when it comes back has broken off', async () => {
    const made: Record<string, [string, Buffer]> = {
      '/damaged': ['gzip', Buffer.from('no gzip')],
      '/cut': ['gzip', gzipSync('x'.repeat(1000)).subarray(0, 20)],
      '/unknown': ['zstd', Buffer.from('x')],
      '/twice': ['gzip, gzip', gzipSync(gzipSync('x'))],
    };
    const { get } = await rig((request, response) => {
      const [coding, body] = made[request.url!]!;
      response.writeHead(200, { 'content-encoding': coding }).end(body);
    });
    for (const path of Object.keys(made)) await assert.rejects(get(path), { kind: 'connection_lost' }, path);
  });
});

describe('an answer is too large', () => {
  const mebibyte = 1024 * 1024;

  it('beyond 1 MiB, declared or not', async () => {
    const { get } = await rig((request, response) => {
      const size = Number(request.url!.split('/')[2]);
      if (request.url!.startsWith('/declared')) response.setHeader('content-length', size);
      response.end(Buffer.alloc(size));
    });
    assert.equal((await get(`/declared/${mebibyte}`)).body.length, mebibyte);
    assert.equal((await get(`/chunks/${mebibyte}`)).body.length, mebibyte);
    await assert.rejects(get(`/declared/${mebibyte + 1}`), { kind: 'too_large' });
    await assert.rejects(get(`/chunks/${mebibyte + 1}`), { kind: 'too_large' });
  });

  it('not when it has no body: HEAD tells how large that would be', async () => {
    const { get } = await rig((_, response) => response.writeHead(200, { 'content-length': 5 * mebibyte }).end());
    const answer = await get('/', { method: 'HEAD' });
    assert.deepEqual([answer.headers['content-length'], answer.body.length], [String(5 * mebibyte), 0]);
  });

  it('that never ends is cut off', async () => {
    let written = 0;
    const { get } = await rig((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
      };
      response.on('drain', more);
      more();
    });
    await assert.rejects(get(), { kind: 'too_large' });
    assert.ok(written < 64 * mebibyte);
  });

  it('when it is a bomb: small as it travels, large when decompressed', async () => {
    const bombs: Record<string, Buffer> = {
      gzip: gzipSync(Buffer.alloc(64 * mebibyte)),
      deflate: deflateSync(Buffer.alloc(64 * mebibyte)),
      br: brotliCompressSync(Buffer.alloc(64 * mebibyte)),
    };
    const { get } = await rig((request, response) => {
      const coding = request.url!.slice(1);
      response.writeHead(200, { 'content-encoding': coding }).end(bombs[coding]);
    });
    const before = process.memoryUsage().arrayBuffers;
    for (const coding of Object.keys(bombs)) await assert.rejects(get(`/${coding}`), { kind: 'too_large' }, coding);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * mebibyte);
  });

  it('when its head is', async () => {
    const { get } = await rawRig(`HTTP/1.1 200 OK\r\nx-long: ${'x'.repeat(100_000)}\r\n\r\n`);
    await assert.rejects(get(), { kind: 'too_large' });
  });
});

describe('an address that is not allowed', () => {
  const call = (outbound: Outbound, url: string): Promise<unknown> =>
    outbound.request({ url, method: 'GET', headers: {}, timeoutMs: 20_000 });

  it('gets no connection when any address of the name is forbidden', async () => {
    let connections = 0;
    const server = createServer((_, response) => response.end()).on('connection', () => (connections += 1));
    let addresses: string[] = [];
    const { outbound } = await rigFor(server, { resolve: async () => addresses });
    for (const inner of ['127.0.0.1', '10.0.0.1', '::1', '::ffff:127.0.0.1', '169.254.169.254', 'fd00::1']) {
      addresses = ['93.184.216.34', inner];
      await assert.rejects(call(outbound, 'https://x.public.example/'), {
        kind: 'configuration_invalid',
        message: `x.public.example must not be called: its address ${inner} is not allowed`,
      });
    }
    assert.equal(connections, 0);
  });

  it('is refused at a trusted place too when it is a metadata service', async () => {
    const { outbound, url } = await rigFor(createServer(), { resolve: async () => ['127.0.0.1', '169.254.169.254'] });
    await assert.rejects(call(outbound, url), { kind: 'configuration_invalid' });
  });

  it('is refused before its name is looked up when no rule allows it', async () => {
    const { outbound, looked } = await rigFor(createServer());
    for (const url of ['https://any.example/', 'http://x.public.example/', 'https://x.public.example:444/', 'x']) {
      await assert.rejects(call(outbound, url), { kind: 'configuration_invalid' }, url);
    }
    assert.deepEqual(looked, []);
  });

  it('is refused when the name leads there the next time', async () => {
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    let requests = 0;
    const server = createServer((_, response) => {
      requests += 1;
      response.writeHead(307, { location: '/again' }).end();
    });
    const { get } = await rigFor(server, { resolve: async () => answers.shift()! });
    await assert.rejects(get(), { kind: 'configuration_invalid' });
    assert.equal(requests, 1);
  });

  it('cannot come in between check and connection: the name is looked up once, and never by the system', async () => {
    const { get, looked } = await rig((_, response) => response.end('here'));
    assert.equal(String((await get()).body), 'here');
    assert.deepEqual(looked, ['tern.test']);
  });
});

describe('a redirect', () => {
  const redirecting = (status: number, location: (url: string) => string) => {
    const seen: string[] = [];
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      void textOf(request).then((text) => {
        seen.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? '-'} ${text}`);
        if (request.url !== '/') return response.end('there');
        return response.writeHead(status, { location: location(`http://${request.headers.host}`) }).end();
      });
    };
    return { seen, answer };
  };
  const post = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hello' };

  it('307 and 308 to the same origin keep method and body', async () => {
    for (const status of [307, 308]) {
      const { seen, answer } = redirecting(status, (url) => `${url}/there`);
      const { get, url } = await rig(answer);
      assert.equal((await get('/', post)).url, `${url}/there`);
      assert.deepEqual(seen, ['POST / text/plain hello', 'POST /there text/plain hello']);
    }
  });

  it('303 becomes GET without body', async () => {
    const { seen, answer } = redirecting(303, () => 'there?x=1#y');
    const { get, url } = await rig(answer);
    assert.equal((await get('/', post)).url, `${url}/there?x=1`);
    assert.deepEqual(seen, ['POST / text/plain hello', 'GET /there?x=1 - ']);
  });

  it('301 and 302 are answers like others, and so is one without an address', async () => {
    for (const status of [301, 302, 300, 304]) {
      const { seen, answer } = redirecting(status, () => '/there');
      const { get } = await rig(answer);
      assert.equal((await get()).status, status);
      assert.equal(seen.length, 1);
    }
    const { get } = await rig((_, response) => response.writeHead(307).end());
    assert.equal((await get()).status, 307);
  });

  it('to another origin is refused, and nothing goes there', async () => {
    let stolen = 0;
    const trap = await listen(createServer((_, response) => response.end()).on('connection', () => (stolen += 1)));
    for (const location of [
      `http://tern.test:${trap}/`,
      `//127.0.0.1:${trap}/`,
      'https://tern.test/',
      'file:///etc/passwd',
      'http://[nonsense/',
    ]) {
      const { answer } = redirecting(307, () => location);
      const { get } = await rig(answer);
      await assert.rejects(get('/', post), { kind: 'configuration_invalid', message: /another origin/ }, location);
    }
    const { answer } = redirecting(307, (url) => url.replace('//', '//user:word@'));
    await assert.rejects((await rig(answer)).get(), { kind: 'configuration_invalid' });
    assert.equal(stolen, 0);
  });

  it('is followed three times, not four', async () => {
    let left = 3;
    const { get } = await rig((_, response) => {
      if (left-- > 0) response.writeHead(307, { location: '/' });
      response.end('end');
    });
    assert.equal(String((await get()).body), 'end');
    left = 4;
    await assert.rejects(get(), { kind: 'configuration_invalid', message: /more than 3 times/ });
  });

  it('is handed over to who asks for it', async () => {
    const { answer } = redirecting(307, () => 'https://any.example/');
    const { get } = await rig(answer);
    assert.equal((await get('/', { keepsRedirects: true })).status, 307);
  });
});

describe('what went wrong', () => {
  it('is "unreachable" when nothing reached the host', async () => {
    const port = await listen(createServer());
    await ended.pop()!();
    const outbound = createOutbound({
      config: {
        trustedComponentHosts: [`127.0.0.1:${port}`, 'nowhere.invalid:80'],
        componentHosts: [],
        anyPublicHost: 'refuse',
      },
    });
    for (const url of [`http://127.0.0.1:${port}/`, 'http://nowhere.invalid/']) {
      const call = { url, method: 'POST', headers: {}, timeoutMs: 20_000 };
      await assert.rejects(outbound.request(call), { kind: 'unreachable' }, url);
    }
    const empty = await rigFor(createServer(), { resolve: async () => [] });
    await assert.rejects(empty.get(), { kind: 'unreachable' });
  });

  it('tells a name that nobody knows from a name server that does not answer', async () => {
    const failing = (code: string) => async (): Promise<never> => {
      throw Object.assign(new Error(`getaddrinfo ${code}`), { code });
    };
    const unknown = await rigFor(createServer(), { resolve: failing('ENOTFOUND') });
    const wrongName = { message: 'the name tern.test is not known', advice: /^Correct the host in the address/ };
    await assert.rejects(unknown.get(), { kind: 'unreachable', ...wrongName });
    const away = await rigFor(createServer(), { resolve: failing('EAI_AGAIN') });
    const noAnswer = { message: /tern.test could not be looked up: .*not answer/, advice: /^Check the name server/ };
    await assert.rejects(away.get(), { kind: 'unreachable', ...noAnswer });
  });

  it('is "unreachable" when there is no connection in time: while resolving, or while it speaks no TLS', async () => {
    const silent = createTcpServer(() => {});
    const tls = await rigFor(silent, { scheme: 'https', limits: { connectMs: 100 } });
    await assert.rejects(tls.get(), { kind: 'unreachable', message: /connected in 0.1 s/ });
    const never = { resolve: () => new Promise<never>(() => {}) };
    const slow = await rigFor(createServer(), { ...never, limits: { connectMs: 100 } });
    await assert.rejects(slow.get(), { kind: 'unreachable', message: /not resolved in 0.1 s/ });
    const hasty = await rigFor(createServer(), never);
    await assert.rejects(hasty.get('/', { timeoutMs: 100 }), { kind: 'unreachable' });
  });

  it('is "connection_lost" when it was reached and gave no whole answer', async () => {
    for (const text of [
      '',
      'SMTP hello\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n',
    ]) {
      await assert.rejects(
        (await rawRig(text)).get(),
        { kind: 'connection_lost', message: /broke off/ },
        JSON.stringify(text),
      );
    }
  });

  it('is "connection_lost", not "unreachable", when a redirect led to nobody: the first has been reached', async () => {
    const server = createServer((_, response) => {
      response.writeHead(307, { location: '/', connection: 'close' }).end();
      server.close();
    });
    const { get } = await rigFor(server);
    await assert.rejects(get(), { kind: 'connection_lost' });
  });

  it('is "timed_out" when the answer does not come, or comes byte by byte', async () => {
    const { get } = await rig((request, response) => {
      if (request.url === '/silent') return;
      response.writeHead(200);
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    });
    await assert.rejects(get('/silent', { timeoutMs: 300 }), { kind: 'timed_out', message: /within 0.3 s/ });
    await assert.rejects(get('/drip', { timeoutMs: 300 }), { kind: 'timed_out' });
  });

  it('is "connection_lost" when an answer has begun and takes longer than it may', async () => {
    const { get } = await rig(
      (_, response) => {
        response.writeHead(200);
        const drip = setInterval(() => response.write('x'), 20);
        response.on('close', () => clearInterval(drip));
      },
      { limits: { bodyMs: 200 } },
    );
    await assert.rejects(get(), { kind: 'connection_lost', message: /did not end its answer/ });
  });

  it('is "cancelled" when it was, and the socket is closed', async () => {
    const closed = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const { get, looked } = await rig((request) => {
      request.socket.on('close', () => closed.resolve());
      arrived.resolve();
    });
    const controller = new AbortController();
    const going = get('/', { signal: controller.signal });
    await arrived.promise;
    controller.abort();
    await assert.rejects(going, { kind: 'cancelled' });
    await closed.promise;
    await assert.rejects(get('/', { signal: controller.signal }), { kind: 'cancelled' });
    assert.equal(looked.length, 1);
  });

  it('never shows what is secret in the URL', async () => {
    const { get } = await rawRig('');
    await assert.rejects(get('/hook?key=hush'), ({ message }: Error) => !message.includes('hush'));
  });
});

describe('a header', () => {
  it('that would frame the message, hold a line break or be no header is refused; nothing is sent', async () => {
    const { get, looked } = await rig((_, response) => response.end());
    for (const headers of [
      { host: 'other.example' },
      { 'Content-Length': '1' },
      { 'transfer-encoding': 'chunked' },
      { Connection: 'upgrade' },
      { expect: '100-continue' },
      { 'x-token': 'a\r\nx-injected: 1' },
      { 'x-token': 'a\nb' },
      { 'x-token': 'a\0b' },
      { 'x-token': 'snow ☃' },
      { 'x token': 'a' },
      { 'x:token': 'a' },
      { 'x\r\ntoken': 'a' },
      { '': 'a' },
      { 'x-token': 'a', 'X-Token': 'b' },
      { 'x-token': 'x'.repeat(20_000) },
      Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`x-${index}`, 'a'])),
    ]) {
      await assert.rejects(get('/', { headers: headers as Record<string, string> }), { kind: 'bad_request' });
    }
    for (const method of ['CONNECT', 'TRACE', 'GET / HTTP/1.1\r\n', '']) {
      await assert.rejects(get('/', { method }), { kind: 'bad_request' }, method);
    }
    assert.deepEqual(looked, []);
  });

  it('that is refused is named without its value', async () => {
    const { get } = await rig(() => {});
    const headers = { authorization: 'hush\n' };
    await assert.rejects(
      get('/', { headers }),
      ({ message }: Error) => /authorization/.test(message) && !/hush/.test(message),
    );
  });
});

describe('connections', () => {
  it('to one host are at most 20 at once; the 21st waits for one to end', async () => {
    const held: ServerResponse[] = [];
    let most = 0;
    let arrived = Promise.withResolvers<void>();
    const { get } = await rig((_, response) => {
      held.push(response);
      most = Math.max(most, held.length);
      if (held.length === 20) arrived.resolve();
    });
    const all = Array.from({ length: 45 }, () => get());
    for (let left = 45; left > 0; left -= 20) {
      if (left >= 20) await arrived.promise;
      else while (held.length < left) await new Promise((resolve) => setImmediate(resolve));
      arrived = Promise.withResolvers<void>();
      for (const response of held.splice(0)) response.end('x');
    }
    assert.equal((await Promise.all(all)).length, 45);
    assert.equal(most, 20);
  });

  it('that are all taken until the time is over leave the host untouched; a cancelled wait too', async () => {
    const arrived = Promise.withResolvers<ServerResponse>();
    let requests = 0;
    const { get } = await rig(
      (_, response) => {
        requests += 1;
        arrived.resolve(response);
      },
      { limits: { connectionsPerHost: 1 } },
    );
    const first = get();
    const response = await arrived.promise;
    await assert.rejects(get('/', { timeoutMs: 50 }), { kind: 'too_many_requests' });
    const controller = new AbortController();
    const waiting = get('/', { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(waiting, { kind: 'cancelled' });
    response.end('x');
    assert.equal((await first).status, 200);
    assert.equal(requests, 1);
  });

  it('are not kept, and an answer whose body nobody wants is not read', async () => {
    const closed = Promise.withResolvers<void>();
    const { get } = await rig((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.writeHead(200).write(Buffer.alloc(4 * 1024 * 1024));
    });
    assert.equal((await get('/', { ignoresBody: true })).body.length, 0);
    await closed.promise;
  });
});

describe('https', () => {
  const { certificate, key } = makeCertificate();
  const resolve = async (): Promise<readonly string[]> => ['127.0.0.1'];

  it('asks for the name, not for the checked address, and proves it', async () => {
    const names: unknown[] = [];
    const server = createTlsServer({ cert: certificate, key }, (request, response) => {
      names.push((request.socket as unknown as { servername: unknown }).servername, request.headers.host);
      response.end('safe');
    });
    const options = { scheme: 'https', resolve, authorities: [certificate] };
    const { get, url } = await rigFor(server, { ...options, name: 'localhost' });
    assert.equal(String((await get()).body), 'safe');
    assert.deepEqual(names, ['localhost', new URL(url).host]);
  });

  it('does not speak to one whose certificate is for another name or of an unknown authority', async () => {
    let requests = 0;
    const answer: RequestListener = (_, response) => {
      requests += 1;
      response.end();
    };
    const server = (): Server => createTlsServer({ cert: certificate, key }, answer);
    const other = await rigFor(server(), { scheme: 'https', resolve, authorities: [certificate] });
    await assert.rejects(other.get(), { kind: 'configuration_invalid', message: /certificate/ });
    const unknown = await rigFor(server(), { scheme: 'https', resolve, name: 'localhost' });
    await assert.rejects(unknown.get(), { kind: 'configuration_invalid', message: /certificate/ });
    assert.equal(requests, 0);
  });

  it('that is plain http behind is unreachable: nothing of the request was sent', async () => {
    let bytes = '';
    const server = createTcpServer((socket) =>
      socket.on('data', (piece) => {
        bytes += piece.toString('latin1');
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      }),
    );
    const { get } = await rigFor(server, { scheme: 'https' });
    await assert.rejects(get('/', { headers: { 'x-token': 'hush-token' } }), { kind: 'unreachable' });
    assert.ok(!bytes.includes('hush-token'));
  });
});
