import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as sendRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { S3Effect, S3Faults, S3Request } from './s3-faults.ts';
import { createFaults, readRequest } from './s3-faults.ts';
import type { S3Backend } from './s3-store.ts';
import { startBackend } from './s3-store.ts';

export interface TestS3 {
  readonly endpoint: string;
  /** As connections are told. */
  readonly settings: { readonly endpoint: string; readonly accessKey: string; readonly secretKey: string };
  readonly faults: S3Faults;
  /** Every request since the start or the last look, by name of its call. */
  takeRequests(): readonly S3Request[];
  makeBucket(name?: string): Promise<string>;
  /** Multipart uploads that are neither completed nor given up. */
  listUploads(bucket: string): Promise<readonly { readonly key: string; readonly id: string }[]>;
  close(): Promise<void>;
}

export interface TestS3Options {
  /** False for a store that takes conditions and ignores them. */
  readonly conditions?: boolean;
  /** Objects on a page of a listing, at most. */
  readonly pageKeys?: number;
}

/**
 * A real S3 server (s3rver) behind a door of ours that adds what it lacks (conditions, lists of uploads and their end,
 * copies of parts), keeps writes atomic, and breaks requests by rule. It keeps no process alive.
 */
export async function startS3(options: TestS3Options = {}): Promise<TestS3> {
  const folder = await mkdtemp(join(tmpdir(), 's3-'));
  // A server that serves to the end of its process is closed by nobody.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const backend = await startBackend(folder);
  const faults = createFaults();
  let seen: S3Request[] = [];
  let buckets = 0;
  const door: Door = { backend, options, inOrder: createOrder(), parts: new Set(), givenUp: new Set() };

  const server = createServer((incoming, answer) => {
    const call = readRequest(incoming.method ?? '', incoming.url ?? '', 'x-amz-copy-source' in incoming.headers);
    seen.push(call);
    if (seen.length > 100_000) seen = [];
    void serve(door, { incoming, answer, call, effect: faults.meet(call) }).catch((error: unknown) => {
      if (!answer.headersSent) send(answer, xmlError(500, 'InternalError', String(error)));
    });
  });
  server.on('connection', (socket) => socket.unref());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    endpoint,
    settings: { endpoint, accessKey: 'S3RVER', secretKey: 'S3RVER' },
    faults,
    takeRequests: () => seen.splice(0),
    async makeBucket(name = `bucket-${++buckets}`) {
      await backend.makeBucket(name);
      return name;
    },
    listUploads: (bucket) => backend.listUploads(bucket),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await backend.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Door {
  readonly backend: S3Backend;
  readonly options: TestS3Options;
  /** Runs work one after the other. */
  inOrder<T>(work: () => Promise<T>): Promise<T>;
  /** Parts that are being written. */
  readonly parts: Set<Promise<unknown>>;
  /** Uploads that were given up. */
  readonly givenUp: Set<string>;
}

interface Visit {
  readonly incoming: IncomingMessage;
  readonly answer: ServerResponse;
  readonly call: S3Request;
  readonly effect: S3Effect | undefined;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function createOrder(): Door['inOrder'] {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}

async function serve(door: Door, { incoming, answer, call, effect }: Visit): Promise<void> {
  const body = await collect(incoming);
  if (effect === 'reset') return void incoming.socket.resetAndDestroy();
  if (typeof effect === 'object' && 'status' in effect) {
    return send(answer, { ...xmlError(effect.status, effect.code), headers: { ...effect.headers } });
  }
  const act = (): Promise<Reply> => perform(door, call, { incoming, body });
  const reply = await (call.operation === 'UploadPart' ? writePart(door, act) : door.inOrder(act));
  if (effect === 'lost answer') return void incoming.socket.resetAndDestroy();
  if (typeof effect === 'object') await delay(effect.delayMs);
  if (effect !== 'truncate') return send(answer, reply);
  answer.writeHead(reply.status, reply.headers);
  answer.write(reply.body.subarray(0, reply.body.length >> 1), () => incoming.socket.resetAndDestroy());
}

async function writePart(door: Door, act: () => Promise<Reply>): Promise<Reply> {
  const writing = act();
  door.parts.add(writing);
  try {
    return await writing;
  } finally {
    door.parts.delete(writing);
  }
}

/** s3rver dies when the folder of an upload goes while a part is written into it. */
async function giveUp(door: Door, bucket: string, upload: string): Promise<void> {
  door.givenUp.add(upload);
  await Promise.allSettled(door.parts);
  await door.backend.removeUpload(bucket, upload);
}

function send(answer: ServerResponse, { status, headers, body }: Reply): void {
  answer.writeHead(status, headers).end(body);
}

interface Message {
  readonly incoming: IncomingMessage;
  readonly body: Buffer;
}

async function perform(door: Door, call: S3Request, message: Message): Promise<Reply> {
  const { backend } = door;
  const { bucket, key, query, operation } = call;
  const upload = query.get('uploadId');
  if (upload !== null && (door.givenUp.has(upload) || !(await backend.hasUpload(bucket, upload)))) {
    return xmlError(404, 'NoSuchUpload');
  }
  const refused = await checkConditions(door, call, message.incoming.headers);
  if (refused) return refused;
  switch (operation) {
    case 'AbortMultipartUpload':
      await giveUp(door, bucket, upload!);
      return { status: 204, headers: {}, body: Buffer.alloc(0) };
    case 'ListMultipartUploads':
      return uploadsReply(await backend.listUploads(bucket), query.get('prefix') ?? '');
    case 'UploadPartCopy':
      return copyPart(door, message);
    case 'ListObjectsV2':
      return listPage(door, call, message);
    default:
      return forward(door, message, key === '' && operation === 'GET bucket' ? `/${bucket}` : message.incoming.url!);
  }
}

async function checkConditions(
  { backend, options }: Door,
  { bucket, key, operation }: S3Request,
  headers: IncomingHttpHeaders,
): Promise<Reply | undefined> {
  const writes = ['PutObject', 'CompleteMultipartUpload'].includes(operation);
  if (!writes && operation !== 'GetObject') return undefined;
  if (writes && options.conditions === false) return undefined;
  const tag = await backend.tagOf(bucket, key);
  if (writes && headers['if-none-match'] === '*' && tag !== undefined) return xmlError(412, 'PreconditionFailed');
  const wanted = headers['if-match'];
  if (wanted === undefined || tag === wanted) return undefined;
  return tag === undefined ? xmlError(404, 'NoSuchKey') : xmlError(412, 'PreconditionFailed');
}

function uploadsReply(uploads: readonly { key: string; id: string }[], prefix: string): Reply {
  const entries = uploads
    .filter(({ key }) => key.startsWith(prefix))
    .map(({ key, id }) => `<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId></Upload>`);
  const list = `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${entries.join('')}</ListMultipartUploadsResult>`;
  return xml(200, list);
}

/** A page of a listing: s3rver's own tokens need a cipher that is no longer there. */
async function listPage(door: Door, { bucket, query }: S3Request, message: Message): Promise<Reply> {
  const size = Math.min(Number(query.get('max-keys') ?? 900), door.options.pageKeys ?? 900);
  const token = query.get('continuation-token');
  if (token !== null) query.set('start-after', Buffer.from(token, 'base64url').toString());
  query.delete('continuation-token');
  query.set('max-keys', String(size + 1));
  const reply = await forward(door, message, `/${bucket}?${query}`);
  const [head, ...entries] = reply.body.toString().split('<Contents>');
  if (reply.status !== 200 || entries.length <= size) return reply;
  const page = entries.slice(0, size);
  const last = /<Key>(.*?)<\/Key>/.exec(page.at(-1)!)![1]!;
  const next = Buffer.from(readXml(last)).toString('base64url');
  const more = `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>`;
  const text = [head!.replace('<IsTruncated>false</IsTruncated>', more), ...page].join('<Contents>');
  return xml(200, `${text.replace(/^<\?xml.*?>\s*/, '').replace(/<\/ListBucketResult>$/, '')}</ListBucketResult>`);
}

/** Reads the range and uploads it as a part. */
async function copyPart(door: Door, { incoming }: Message): Promise<Reply> {
  const { 'x-amz-copy-source': source, 'x-amz-copy-source-range': range, ...headers } = incoming.headers;
  const path = `/${String(source).replace(/^\//, '')}`;
  const part = await ask(door.backend.port, { method: 'GET', path, headers: { range: String(range) } });
  if (part.status >= 300) return part;
  const sized = { ...headers, 'content-length': String(part.body.length) };
  const taken = await ask(door.backend.port, { method: 'PUT', path: incoming.url!, headers: sized }, part.body);
  return xml(200, `<CopyPartResult><ETag>${escapeXml(String(taken.headers.etag))}</ETag></CopyPartResult>`);
}

function forward(door: Door, { incoming, body }: Message, path: string): Promise<Reply> {
  const { 'if-none-match': _, 'if-match': __, ...headers } = incoming.headers;
  const source = headers['x-amz-copy-source'];
  // s3rver decodes this header as if it were a whole address.
  if (source !== undefined) headers['x-amz-copy-source'] = encodeURI(decodeURIComponent(String(source)));
  return ask(door.backend.port, { method: incoming.method ?? 'GET', path, headers }, body);
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

function ask(port: number, question: Question, body: Buffer = Buffer.alloc(0)): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const take = async (incoming: IncomingMessage): Promise<Reply> => {
      const content = await collect(incoming);
      const { 'transfer-encoding': _, connection: __, ...headers } = incoming.headers;
      const length = question.method === 'HEAD' ? headers['content-length'] : String(content.length);
      return { status: incoming.statusCode ?? 500, headers: { ...headers, 'content-length': length }, body: content };
    };
    const outgoing = sendRequest({ ...question, host: '127.0.0.1', port, agent: false }, (incoming) => {
      take(incoming).then(resolve, reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function collect(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const readXml = (text: string): string =>
  text
    .replaceAll(/&#x([0-9A-F]+);/gi, (_, digits: string) => String.fromCodePoint(parseInt(digits, 16)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');

function xml(status: number, text: string): Reply {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  return { status, headers: { 'content-type': 'application/xml', 'content-length': String(body.length) }, body };
}

function xmlError(status: number, code: string, message = code): Reply {
  return xml(status, `<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`);
}
