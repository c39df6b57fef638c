import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { webPlace } from './index.ts';
import { findStream, neverAborted, openPlaces, readStream, testContext } from './files.test-support.ts';

const NOBODY = { username: '', password: '', headers: {} };
const MODIFIED = 'Mon, 01 Jan 2024 00:00:05 GMT';

async function serve(test: { after(work: () => Promise<unknown>): void }, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Serves one content, with ranges where the request asks for one. */
const content =
  (body: string | Buffer, headers: Readonly<Record<string, string>> = { 'last-modified': MODIFIED }): RequestListener =>
  (request, answer) => {
    const bytes = Buffer.from(body);
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '');
    const part = range ? bytes.subarray(Number(range[1]), Number(range[2]) + 1) : bytes;
    answer.writeHead(range ? 206 : 200, { ...headers, 'content-length': String(part.length) });
    answer.end(request.method === 'HEAD' ? undefined : part);
  };

const open = (url: string, access = NOBODY) => {
  const context = testContext();
  return openPlaces([webPlace(url, access, context)], {}, context);
};

describe('a file of a web server', () => {
  it('is one stream of its host, with its time', async (test) => {
    const url = await serve(test, content(gzipSync('id\n1\n2\n')));
    const session = open(`${url}/in/orders.csv.gz?signature=secret`);
    const { rows, stream } = await readStream(session, 'orders');
    assert.deepEqual(rows, [['1'], ['2']]);
    assert.equal(stream.namespace, '127.0.0.1');
    const newest = await session.maxCursor(stream, { column: '_last_modified_time' });
    assert.equal(newest.primary, '2024-01-01T00:00:05.000000Z');
    assert.ok(
      !JSON.stringify(
        await session.partsAt(stream, { cursor: { column: '_last_modified_time' }, value: newest.primary! }),
      ).includes('secret'),
    );
  });

  it('may be Parquet, read in parts, or held where the server sends the whole', async (test) => {
    const bytes = await readFile(join(import.meta.dirname, '../../node_modules/vega-datasets/data/flights-3m.parquet'));
    let sent = 0;
    const url = await serve(test, (request, answer) => {
      sent += request.method === 'GET' ? 1 : 0;
      content(bytes)(request, answer);
    });
    const session = open(`${url}/f.parquet`);
    assert.equal(await session.countRows(await findStream(session, 'f'), { signal: neverAborted }), 3_000_000);
    assert.ok(sent > 1);
    const plain = await serve(test, (request, answer) => {
      delete request.headers.range;
      content(bytes)(request, answer);
    });
    const held = open(`${plain}/f.parquet`);
    assert.equal(await held.countRows(await findStream(held, 'f'), { signal: neverAborted }), 3_000_000);
  });

  it('gets name, password and headers, which never leave for another origin', async (test) => {
    const seen: IncomingMessage['headers'][] = [];
    const other = await serve(test, (request, answer) => {
      seen.push(request.headers);
      content('id\n1\n')(request, answer);
    });
    const url = await serve(test, (request, answer) => {
      const { authorization, 'x-key': key } = request.headers;
      const known = authorization === `Basic ${Buffer.from('me:p:w').toString('base64')}` && key === 'k';
      answer.writeHead(known ? 302 : 401, { location: `${other}/b.csv` }).end();
    });
    const access = { username: 'me', password: 'p:w', headers: { 'X-Key': 'k' } };
    assert.deepEqual((await readStream(open(`${url}/a.csv`, access), 'a')).rows, [['1']]);
    assert.ok(seen.length > 0);
    for (const headers of seen) assert.deepEqual([headers.authorization, headers['x-key']], [undefined, undefined]);
    const inUrl = `${url.replace('://', '://me:p%3Aw@')}/a.csv`;
    assert.deepEqual((await readStream(open(inUrl, { ...NOBODY, headers: { 'x-key': 'k' } }), 'a')).rows, [['1']]);
    await assert.rejects(readStream(open(`${url}/a.csv`), 'a'), (error: Error & { kind: string }) => {
      assert.equal(error.kind, 'credentials_refused');
      assert.ok(!error.message.includes('p:w'));
      return true;
    });
  });

  it('is not looked for where machines keep their credentials, also not behind a redirect', async (test) => {
    for (const host of [
      '169.254.169.254',
      '[fe80::1]',
      '[::ffff:169.254.169.254]',
      'metadata.google.internal',
      '0xa9fea9fe',
      '2852039166',
      '100.100.100.200',
    ]) {
      assert.throws(
        () => open(`http://${host}/latest/meta-data`),
        { kind: 'configuration_invalid', message: /metadata service/ },
        host,
      );
    }
    for (const location of [
      'http://169.254.169.254/x.csv',
      'file:///etc/passwd',
      'ftp://127.0.0.1/x',
      'http://[::bad',
    ]) {
      const url = await serve(test, (_, answer) => void answer.writeHead(302, { location }).end());
      await assert.rejects(readStream(open(`${url}/a.csv`), 'a'), { kind: 'configuration_invalid' }, location);
    }
  });

  it('that redirects without end is refused', async (test) => {
    let hops = 0;
    const url = await serve(test, (_, answer) => void answer.writeHead(302, { location: `/${++hops}.csv` }).end());
    await assert.rejects(readStream(open(`${url}/a.csv`), 'a'), {
      kind: 'configuration_invalid',
      message: /more than 5 times/,
    });
    assert.ok(hops < 20);
  });

  it('fails for good on 4xx, and to be tried again on 5xx and broken connections', async (test) => {
    const kinds = {
      404: 'object_missing',
      403: 'permission_missing',
      400: 'configuration_invalid',
      429: 'unreachable',
      500: 'unreachable',
      503: 'unreachable',
    };
    for (const [status, kind] of Object.entries(kinds)) {
      const url = await serve(test, (_, answer) => void answer.writeHead(Number(status)).end());
      await assert.rejects(readStream(open(`${url}/a.csv`), 'a'), { kind }, status);
    }
    const cut = await serve(test, (request, answer) => {
      answer.writeHead(200, { 'content-length': '1000', 'last-modified': MODIFIED });
      if (request.method === 'HEAD') answer.end();
      else answer.write('id\n1\n', () => setImmediate(() => answer.destroy()));
    });
    await assert.rejects(readStream(open(`${cut}/a.csv`), 'a'), { kind: 'connection_lost' });
    await assert.rejects(readStream(open('http://127.0.0.1:1/a.csv'), 'a'), { kind: 'unreachable' });
  });

  it('is read from servers that know no HEAD, and tried again when it changed after it was listed', async (test) => {
    let version = 1;
    const url = await serve(test, (request, answer) => {
      if (request.method === 'HEAD') answer.writeHead(405).end();
      else content('id\n1\n', { etag: `"${version}"` })(request, answer);
    });
    const session = open(`${url}/a.csv`);
    assert.deepEqual((await readStream(session, 'a')).rows, [['1']]);
    version++;
    await assert.rejects(readStream(session, 'a'), { kind: 'connection_lost', message: /changed after it was listed/ });
  });
});
