import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';

/** Answers are looked into as they are. */
export type Json = ReturnType<typeof JSON.parse>;

/** One answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly json: Json;
}

/** A connection of a client, and the bytes on it. */
export interface Connection {
  /** Sends a request, its lines as they are given, and reads the whole answer; throws when it is no clean HTTP. */
  send(lines: readonly string[], body?: string): Promise<Answer>;
  /** The server has closed it. */
  ended(): Promise<void>;
  close(): void;
}

const PATIENCE_MS = 20_000;

/** Opens a connection to a server at a URL. */
export async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const received = collect(socket);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return {
    async send(lines, body = '') {
      socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
      return readAnswer(received);
    },
    ended: () => received.until(() => received.isOver),
    close: () => socket.destroy(),
  };
}

interface Received {
  bytes: Buffer;
  isOver: boolean;
  until(isThere: () => boolean): Promise<void>;
}

function collect(socket: Socket): Received {
  const waiting = new Set<() => void>();
  const received: Received = {
    bytes: Buffer.alloc(0),
    isOver: false,
    async until(isThere) {
      while (!isThere()) {
        assert.ok(!received.isOver, `the connection ended after ${JSON.stringify(received.bytes.toString())}`);
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
    },
  };
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  socket.on('data', (piece: Buffer) => {
    received.bytes = Buffer.concat([received.bytes, piece]);
    wake();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    received.isOver = true;
    wake();
  });
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  return received;
}

async function readAnswer(received: Received): Promise<Answer> {
  await received.until(() => received.bytes.includes('\r\n\r\n'));
  const end = received.bytes.indexOf('\r\n\r\n');
  const [first = '', ...lines] = received.bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(':', 1)[0]!.toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  assert.ok(status >= 200, first);
  assert.equal(headers['transfer-encoding'], undefined);
  assert.equal(headers['content-encoding'], undefined);
  const hasBody = status !== 204;
  if (hasBody) assert.match(headers['content-length'] ?? '', /^\d+$/, `${first}: no length`);
  const from = end + 4;
  const length = hasBody ? Number(headers['content-length']) : 0;
  await received.until(() => received.bytes.length >= from + length);
  const text = received.bytes.subarray(from, from + length).toString();
  received.bytes = received.bytes.subarray(from + length);
  assert.equal(received.bytes.length, 0, 'there is more than the answer');
  return { status, headers, text, json: text === '' ? undefined : JSON.parse(text) };
}

/** The lines of a request with the length of its body. */
export const withLength = (lines: readonly string[], body: string): readonly string[] => [
  ...lines,
  `Content-Length: ${Buffer.byteLength(body)}`,
];

/** As PHP writes it: slashes escaped, empty objects are empty lists. */
export const php = (value: unknown): string => JSON.stringify(value).replaceAll('/', '\\/').replaceAll('{}', '[]');

/** Clients read these keys; null is a value, an absent key is none. */
export function assertKeys(value: Json, keys: readonly string[]): void {
  for (const key of keys) assert.ok(key in value, `${key} is missing in ${JSON.stringify(value)}`);
}

/** Done, and nothing that a client would try to read. */
export function assertEmpty204({ status, headers, text }: Answer): void {
  assert.equal(status, 204);
  assert.equal(text, '');
  for (const name of ['content-type', 'content-length']) assert.ok(!(name in headers), `a 204 with ${name}`);
}

/** Asks as pollers do, with pauses that double up to a bound; theirs are a hundred times longer. */
export async function poll(ask: () => Promise<Json>, isEnough: (answer: Json) => boolean): Promise<Json> {
  for (let round = 0; round < 60; round++) {
    const answer = await ask();
    if (isEnough(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, Math.min(2 ** round, 20) * 10));
  }
  throw new Error('the job did not end');
}
